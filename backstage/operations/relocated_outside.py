"""What names the former path of a Venue outside of it: its unit, and its sites in nginx."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ..errors import NotAllowed, SiteRefused
from ..facts.relocations import Waiting
from ..layout.former_path import FormerPath
from ..layout.paths import VenuePaths
from ..nginx import program, renewal
from ..nginx.program import Nginx
from ..nginx.renewal import Outdated
from ..system import users
from ..systemd import client
from ..systemd.client import Service
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
        service = client.service_of(former.before)
        unit, waits = None, list[Waiting]()
        if service and (service.own or users.am_root()):
            unit = install_unit.relocated(venue, service, former)
        elif service:
            waits.append(_waiting(venue, str(service.path)))
        nginx = _nginx()
        bound = renewal.bound(VenuePaths(former.before), nginx.place()) if nginx else []
        if nginx and bound and nginx.is_ours:
            sites = tuple(renewal.relocated(bound, former, nginx))
            return cls(unit, service, nginx, sites, tuple(waits))
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


def _waiting(venue: Venue, what: str) -> Waiting:
    return Waiting(what, users.root_command("--venue", str(venue.path), "relocate"))


def _nginx() -> Nginx | None:
    with suppress(SiteRefused, NotAllowed):
        nginx = program.find()
        nginx.place()
        return nginx
    return None
