"""What belongs to a Venue but is outside of it: its unit, and its sites in nginx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ..errors import NotAllowed
from ..facts.renewals import Fate, Renewal
from ..nginx import plan, program, renewal
from ..nginx.program import Nginx
from ..nginx.renewal import Outdated
from ..system import users
from ..venue import Venue
from . import install_unit
from .differences import difference
from .install_unit import Installation


@dataclass(frozen=True)
class Outside:
    """What this version of the library writes differently, with what becomes of each file."""

    unit: Installation | None
    nginx: Nginx | None
    sites: tuple[Outdated, ...]
    files: tuple[Renewal, ...]

    @classmethod
    def of(cls, venue: Venue) -> Outside:
        """Look at them. Raises SiteRefused if nginx cannot use its configuration."""
        unit = _unit(venue)
        nginx = program.find_usable()
        sites = tuple(renewal.outdated(venue.paths, nginx)) if nginx and nginx.is_ours else ()
        files = [*_of_unit(venue, unit), *map(_of_site, sites), *_of_others(venue, nginx)]
        return cls(unit, nginx, sites, tuple(files))

    def renew(self, undo: ExitStack) -> None:
        """Renew what was not edited; `undo` gets what restores it."""
        renewed = {each.file for each in self.files if each.fate is Fate.RENEWED}
        if self.unit and str(self.unit.service.path) in renewed:
            install_unit.renew(self.unit)
            undo.callback(install_unit.put_back_text, self.unit)
        sites = [each for each in self.sites if str(each.placed.file) in renewed]
        if self.nginx and sites:
            undo.callback(renewal.put_back, renewal.renew(sites, self.nginx), self.nginx)


def _unit(venue: Venue) -> Installation | None:
    # Its Acts need users first; `backstage systemd install` says so.
    with suppress(NotAllowed):
        return install_unit.renewal(venue)
    return None


def _of_unit(venue: Venue, unit: Installation | None) -> Iterator[Renewal]:
    if unit is None:
        return
    path = str(unit.service.path)
    if unit.is_edited:
        command = install_unit.command(venue, unit.service)
        yield Renewal(path, Fate.KEPT, difference(unit.text, unit.present), command=command)
    elif not unit.service.own and not users.am_root():
        yield Renewal(path, Fate.WAITS, command=_as_root(venue))
    else:
        yield Renewal(path, Fate.RENEWED)


def _of_site(site: Outdated) -> Renewal:
    path = site.placed.file
    if not site.placed.edited:
        return Renewal(str(path), Fate.RENEWED)
    edits = difference(site.text, path.read_text(errors="surrogateescape"))
    return Renewal(str(path), Fate.KEPT, edits, command=plan.command_for(site.placed.site))


def _of_others(venue: Venue, nginx: Nginx | None) -> Iterator[Renewal]:
    """Sites that only root can compare and renew."""
    if nginx and not nginx.is_ours:
        for site in renewal.bound(venue.paths, nginx.place()):
            yield Renewal(str(site.file), Fate.WAITS, command=_as_root(venue))


def _as_root(venue: Venue) -> str:
    return users.root_command("--venue", str(venue.path), "upgrade")
