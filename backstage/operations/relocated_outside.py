"""What names the former path of a Venue outside of it: its unit, and its sites in nginx."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotAllowed
from ..facts.command_line import quote
from ..facts.relocations import Waiting
from ..layout.former_path import FormerPath
from ..layout.paths import VenuePaths
from ..nginx import plan, program, renewal
from ..nginx.program import Nginx
from ..nginx.renewal import Outdated
from ..nginx.sites_directory import Placed
from ..system import users
from ..systemd import client
from ..systemd.client import Service
from ..systemd.unit import user_of
from ..venue import Venue
from . import install_unit
from .install_unit import Installation


@dataclass(frozen=True)
class Outside:
    """The unit as it will be, with the one that it replaces, the sites, and what waits for root."""

    unit: Installation | None = None
    replaced: Service | None = None
    nginx: Nginx | None = None
    sites: tuple[Outdated, ...] = ()
    waits: tuple[Waiting, ...] = ()

    @classmethod
    def of(cls, venue: Venue, former: FormerPath | None) -> Outside:
        """Look at them; None for a copy, to which none of them belong. Raises SiteRefused."""
        if former is None:
            return cls()
        service = service_of(venue, former.before)
        unit, waits = None, list[Waiting]()
        if service and (service.own or users.am_root()):
            unit = install_unit.relocated(venue, service, former)
        elif service:
            waits.append(_waiting(venue, str(service.path)))
        nginx = _nginx()
        bound = renewal.bound(VenuePaths(former.before), nginx.place()) if nginx else []
        if bound and not (service or _was_owners(venue, former.before)):
            waits += [_of_somebody(venue, each) for each in bound]
        elif nginx and bound and nginx.is_ours:
            sites = tuple(renewal.relocated(bound, former, nginx))
            return cls(unit, service, nginx, sites, tuple(waits))
        else:
            waits += [_waiting(venue, str(each.file)) for each in bound]
        return cls(unit, service, waits=tuple(waits))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are replaced."""
        units = [str(self.unit.service.path)] if self.unit else []
        return (*units, *(str(each.placed.file) for each in self.sites))

    def renew(self, undo: ExitStack) -> None:
        """Replace them; `undo` gets what restores them."""
        if self.unit and self.replaced:
            undo.push(install_unit.replace(self.replaced, self.unit))
        if self.nginx and self.sites:
            undo.callback(renewal.put_back, renewal.renew(self.sites, self.nginx), self.nginx)


def service_of(venue: Venue, former: Path) -> Service | None:
    """The unit of this Venue from when it was at `former`.

    Where a Venue was made is its owner's word: a unit that runs another user is not of this one.
    """
    service = client.service_of(former)
    owner = users.name_of(venue.path.stat().st_uid)
    return service if service and (service.own or user_of(service.text) == owner) else None


def _was_owners(venue: Venue, former: Path) -> bool:
    """Whether the Venue's owner could have had a Venue there, for all that root can see."""
    owner = venue.path.stat().st_uid
    nearest = next(place for place in former.parents if place.exists())
    return not users.am_root() or owner in {users.ROOT, nearest.stat().st_uid}


def _of_somebody(venue: Venue, placed: Placed) -> Waiting:
    """A site that root has to look at, as it may have been of another user's Venue."""
    bind = f"cd {quote(str(venue.path))} && {plan.command_for(placed.site)}"
    return Waiting(str(placed.file), f"rm {quote(str(placed.file))} && {bind}")


def _waiting(venue: Venue, what: str) -> Waiting:
    return Waiting(what, users.root_command("--venue", str(venue.path), "relocate"))


def _nginx() -> Nginx | None:
    with suppress(NotAllowed):
        return program.find_usable()
    return None
