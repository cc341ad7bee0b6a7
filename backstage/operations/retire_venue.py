"""Retiring a whole Venue, and bringing it back: all or nothing, and repairable after being killed.

The record is written first, and each step is one that the next call passes over if it is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import NotAllowed, NotAVenue, SiteRefused
from ..facts.command_line import join
from ..layout import registry, venue_retirement
from ..layout.paths import VenuePaths
from ..layout.venue_retirement import SiteRecord, VenueRetirement
from ..nginx import binding, program
from ..nginx.plan import BindRequest, bind_words
from ..nginx.program import Nginx
from ..nginx.site import Site, Tls
from ..system import as_user, trust, users
from ..system.files import telling_disk_trouble
from ..systemd import client
from ..venue import Venue
from . import install_unit

_PATIENCE = 30.0
_SYSTEM, _OWN = "system", "own"


def retire(venue: Venue) -> Path:
    """Unbind, uninstall, stop and move the Venue away; returns where it is then."""
    nginx = program.find_usable()
    goal = venue_retirement.away(venue.path)
    _refuse(venue, nginx)
    with (
        telling_disk_trouble(f"cannot retire {venue.path}"),
        registry.building(venue.path),
        ExitStack() as undo,
    ):
        record = _recorded(venue, nginx)
        undo.callback(_as_owner, venue, partial(venue_retirement.remove, venue.paths))
        _as_owner(venue, partial(venue_retirement.write, venue.paths, record))
        undo.callback(_run_again, venue, record)
        _end(venue)
        for site in record.sites:
            undo.callback(_bind, venue, site)
            _unbind(venue, site, nginx)
        _rename(venue.path, goal)
        undo.pop_all()
    registry.forget(venue.path)
    return goal


def unretire(top: Path) -> tuple[Venue, tuple[str, ...]]:
    """Move the Venue back to where it was, and have it served and run as before.

    Returns it with what is left to type. The record is the owner's: root binds no domains that
    somebody else may have written there.
    """
    place = venue_retirement.former(top)
    record = _refuse_return(top, _read(top), place)
    sites = record.sites if users.stand_in(top) is None else ()
    with (
        telling_disk_trouble(f"cannot bring back {place}"),
        registry.building(place),
        ExitStack() as undo,
    ):
        if top != place:
            _rename(top, place)
            undo.callback(_rename, place, top)
        venue = Venue.open(place)
        undo.callback(registry.forget, place)
        for site in sites:
            undo.callback(_unbind, venue, site, program.find_usable())
            _bind(venue, site)
        undo.callback(_end, venue)
        _run_again(venue, record)
        _as_owner(venue, partial(venue_retirement.remove, venue.paths))
        undo.pop_all()
    return venue, tuple(_command(venue, site) for site in record.sites if site not in sites)


def _rename(before: Path, after: Path) -> None:
    """Rename a Venue as the user who could replace its directory, if that is not root."""
    uid = trust.first_stranger(before) if users.am_root() else None
    as_user.run_as(uid, partial(os.rename, before, after))


def _refuse(venue: Venue, nginx: Nginx | None) -> None:
    """Refuse what this user may not do, before anything is done."""
    command = users.root_command("--venue", str(venue.path), "venue", "retire", "--yes")
    unit = client.service_of(venue.path)
    if unit and not unit.own and not users.am_root():
        raise NotAllowed(f"only root can uninstall {unit.name}; type: {command}")
    bound = _bound(venue, nginx)
    if nginx and bound:
        nginx.refuse_foreign("--venue", str(venue.path), "venue", "retire", "--yes")
    for each in bound:
        if each.edited:
            first = join(["backstage", "nginx", "unbind", each.site.act, "--yes"])
            raise SiteRefused(f"{each.file} was edited by hand; to lose the edits, type: {first}")
    if os.path.ismount(venue.path):
        raise NotAVenue(venue.path, "is where a file system is mounted, and cannot be moved")
    if not os.access(venue.path.parent, os.W_OK):
        raise NotAllowed(
            f"{users.mine()} may not move what is in {venue.path.parent}; type: {command}"
        )


def _recorded(venue: Venue, nginx: Nginx | None) -> VenueRetirement:
    """What is to be undone later; of a call that was killed, also what that has done."""
    unit = client.service_of(venue.path)
    now = VenueRetirement(
        path=str(venue.path),
        ran=venue.emperor.pid is not None,
        unit=(_OWN if unit.own else _SYSTEM) if unit else "",
        sites=tuple(_site_record(each.site) for each in _bound(venue, nginx)),
    )
    killed = _read(venue.path)
    if killed is None or killed.path != now.path:
        return now
    gone = [each for each in killed.sites if each not in now.sites]
    return replace(
        now,
        ran=now.ran or killed.ran,
        unit=now.unit or killed.unit,
        sites=(*now.sites, *gone),
    )


def _bound(venue: Venue, nginx: Nginx | None) -> list[binding.Bound]:
    return binding.bound(venue.paths, nginx) if nginx else []


def _site_record(site: Site) -> SiteRecord:
    return SiteRecord(
        act=site.act,
        domains=site.domains,
        certificate=site.tls.certificate if site.tls else "",
        key=site.tls.key if site.tls else "",
        automatic=site.automatic,
        redirect_www=bool(site.aliases),
    )


def _read(top: Path) -> VenueRetirement | None:
    """The record, read with the rights of the Venue's owner."""
    told = as_user.run_as(users.stand_in(top), partial(venue_retirement.told, VenuePaths(top)))
    return venue_retirement.of(told)


def _refuse_return(top: Path, record: VenueRetirement | None, place: Path) -> VenueRetirement:
    if record is None:
        raise NotAVenue(top, "is not a Venue that was retired")
    if record.path != str(place):
        goal = f"{record.path}{top.name.removeprefix(place.name)}"
        command = join(["mv", str(top), goal])
        raise NotAVenue(
            top, f"was in {record.path}, and comes back only beside it; type: {command}"
        )
    if top != place and place.exists():
        raise NotAVenue(place, f"exists, so {top} cannot come back; move one of them away")
    return record


def _end(venue: Venue) -> None:
    if client.service_of(venue.path):
        install_unit.uninstall(venue)
    _as_owner(venue, lambda: venue.stop(_PATIENCE))


def _run_again(venue: Venue, record: VenueRetirement) -> None:
    if record.unit:
        own = record.unit == _OWN
        is_roots = venue.path.lstat().st_uid == users.ROOT
        run_as = "root" if is_roots and not own else ""
        install_unit.install(install_unit.plan(venue, own=own, run_as=run_as))
    elif record.ran:
        _as_owner(venue, venue.start)


def _unbind(venue: Venue, site: SiteRecord, nginx: Nginx | None) -> None:
    if any(each.site.act == site.act for each in _bound(venue, nginx)):
        binding.unbind(venue.act(site.act), nginx)


def _bind(venue: Venue, site: SiteRecord) -> None:
    if all(each.site.act != site.act for each in _bound(venue, program.find_usable())):
        binding.bind(venue.act(site.act), _request(site))


def _request(site: SiteRecord) -> BindRequest:
    return BindRequest(
        domains=site.domains,
        tls=Tls(site.certificate, site.key) if site.certificate else None,
        automatic=site.automatic,
        redirect_www=site.redirect_www,
    )


def _command(venue: Venue, site: SiteRecord) -> str:
    words = ("--venue", str(venue.path), "nginx", *bind_words(site.act, _request(site)))
    return users.root_command(*words)


def _as_owner(venue: Venue, errand: Callable[[], object]) -> None:
    as_user.run_as(users.stand_in(venue.path), errand)
