"""Renaming an Act, with its data, its logs and its domains: all or nothing.

It is retired and brought back under the new name. A record is written first, and each step is
passed over if it is done: so a call that was killed is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import cast

from ..act import Act
from ..errors import ActFailed, CheckFailed, NameNotAllowed, SettingsError
from ..facts.command_line import join
from ..layout import registry, renaming, retirement, settings
from ..layout.former_path import FormerPath
from ..layout.names import check_act_name
from ..layout.renaming import Renaming
from ..layout.retirement import Retirement
from ..nginx import program, renewal
from ..nginx.plan import refuse_edited
from ..system import as_user, users
from ..system.files import contents, telling_disk_trouble, write_atomically
from ..uwsgi import vassal_files
from ..venue import Venue
from . import relocation_journal, relocation_plan, unretire
from .relocation_journal import Journal


def rename(venue: Venue, before: str, after: str) -> tuple[Act, tuple[str, ...]]:
    """Rename the Act, or finish a call that was killed.

    Returns it with the places in projects that still name its former directory.
    """
    check_act_name(after)
    nginx = program.find_usable()
    placed = nginx.place().site_of(venue.paths.act(before)) if nginx else None
    if nginx and placed:
        nginx.refuse_foreign("--venue", str(venue.path), "rename", before, after)
        refuse_edited(placed, replace_edited=False)
    with (
        telling_disk_trouble(f"cannot rename the Act {before!r}"),
        registry.building(venue.paths.renaming),
        ExitStack() as undo,
    ):
        _as_owner(venue, partial(_begin, venue, before, after))
        undo.callback(_as_owner, venue, partial(_undo, venue))
        left = cast("list[str]", _as_owner(venue, partial(_move, venue, before, after)))
        act = venue.act(after)
        if nginx and placed:
            renewal.rename(placed, act, _former(venue, before, after), nginx)
        undo.pop_all()
        _as_owner(venue, partial(_end, venue))
    return act, tuple(left)


def _begin(venue: Venue, before: str, after: str) -> None:
    """Write the record. Refuses what cannot work, before anything is changed."""
    if killed := renaming.read(venue.paths):
        if (killed.before, killed.after) != (before, after):
            again = join(["backstage", "rename", killed.before, killed.after])
            raise ActFailed(killed.before, f"is half renamed; to finish that, type: {again}")
        return
    act = venue[before]
    venue.paths.act(after).check_socket_room()
    if after in venue or venue.paths.act(after).top.exists():
        raise NameNotAllowed(after, f"there is an Act of that name in {venue.path}")
    if line := settings.lines_of_acts(venue.paths.settings).get(after):
        raise SettingsError(venue.paths.settings, line, f"has settings for {after}; remove them")
    try:
        act.try_out()
    except CheckFailed as error:
        what = "is not renamed and runs on as before, because it would not start again"
        raise ActFailed(before, what, error.reason) from error
    file = act.paths.vassal if act.wanted else act.paths.kept
    text = contents(file).decode(errors="surrogateescape")
    Renaming(before, after, act.wanted, text).write(venue.paths)


def _move(venue: Venue, before: str, after: str) -> tuple[str, ...]:
    """Move everything; what a call that was killed has moved is passed over."""
    if before in venue:
        venue[before].retire()
    if after not in venue or _of(venue, before, lambda each: each.returning):
        unretire.unretire(venue, before, start=False, new_name=after)
    return _rewrite(venue, before, after)


def _undo(venue: Venue) -> None:
    """Move everything back, whatever has been moved."""
    record = renaming.read(venue.paths)
    assert record
    before, after = record.before, record.after
    if after in venue:
        venue[after].retire()
    if before in venue and _of(venue, before, lambda each: each.was_killed):
        venue[before].retire()
    if before not in venue:
        found = _of(venue, after) or _of(venue, before)
        unretire.unretire(venue, found[-1].directory.name, start=False, new_name=before)
    _rewrite(venue, after, before)
    text = record.text.encode(errors="surrogateescape")
    vassal_files.write(venue.paths.act(before).kept, text)
    _finish(venue, venue.act(before), record)


def _of(venue: Venue, name: str, is_meant: Callable[[Retirement], bool] = bool) -> list[Retirement]:
    """The retirements of this Act, the last one at the end."""
    known = retirement.retirements(venue.paths)
    return [each for each in known if each.act == name and is_meant(each)]


def _rewrite(venue: Venue, before: str, after: str) -> tuple[str, ...]:
    """Have the files of the Venue name what was renamed; returns the places in projects."""
    work = relocation_plan.examine_renaming(venue.paths, _former(venue, before, after))
    changes = Journal(pid=0, began=0.0, files=work.files, links=work.links)
    relocation_journal.apply(venue.paths, changes)
    path = venue.paths.settings
    if before in settings.lines_of_acts(path):
        mode = path.stat().st_mode & 0o777
        write_atomically(path, settings.with_act_renamed(path, before, after), mode=mode)
    return work.left


def _end(venue: Venue) -> None:
    if record := renaming.read(venue.paths):
        _finish(venue, venue.act(record.after), record)


def _finish(venue: Venue, act: Act, record: Renaming) -> None:
    """Have it run if it was to run; from here on, the next call begins anew."""
    renaming.remove(venue.paths)
    if record.wanted and venue.emperor.pid:
        act.start()
    elif record.wanted:
        vassal_files.put_back(act.paths)


def _former(venue: Venue, before: str, after: str) -> FormerPath:
    return FormerPath(venue.paths.act(before).top, venue.paths.act(after).top)


def _as_owner(venue: Venue, errand: Callable[[], object]) -> object:
    return as_user.run_as(users.stand_in(venue.path), errand)
