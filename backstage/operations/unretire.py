"""Bringing back a retired Act: all or nothing, and repairable after being killed."""

from __future__ import annotations

from contextlib import ExitStack

from ..act import Act
from ..errors import ActFailed
from ..facts.command_line import join
from ..layout import registry
from ..layout.names import check_act_name
from ..layout.paths import ActPaths
from ..layout.retirement import Retirement, retirements
from ..system.files import contents, telling_disk_trouble
from ..uwsgi import ports, retiring
from ..uwsgi.ini import VassalFile
from ..uwsgi.renamed_vassal import renamed
from ..uwsgi.resident import locked_act
from ..venue import Venue


def unretire(venue: Venue, name: str, *, start: bool, new_name: str = "") -> Act:
    """Bring back the Act, or finish a call that was killed; start it if it was to run."""
    found = _found(venue, name)
    new_name = found.name if found.returning else new_name or found.act
    check_act_name(new_name)
    paths = venue.paths.act(new_name)
    paths.check_socket_room()
    with (
        telling_disk_trouble(f"cannot bring back the Act {found.act!r}"),
        registry.building(paths.top),
        locked_act(paths, f"bringing back {new_name}"),
        registry.choosing_ports(),
    ):
        venue.emperor.refuse_lost()
        returning = found if found.returning else _begun(venue, paths, found)
        with ExitStack() as undo:
            undo.callback(retiring.undo_return, paths, returning)
            retiring.move_back(paths, returning)
            undo.pop_all()
    act = venue.act(new_name)
    if start and found.wanted:
        act.start()
    return act


def _found(venue: Venue, name: str) -> Retirement:
    """The newest retirement of this Act, or the one in the directory of this name."""
    known = [each for each in retirements(venue.paths) if not each.was_killed]
    for each in reversed(known):
        if name in {each.act, each.directory.name}:
            return each
    there = ", ".join(each.directory.name for each in known) or "nothing"
    raise ActFailed(name, f"is not in {venue.paths.retired}; there is {there}")


def _begun(venue: Venue, act_paths: ActPaths, found: Retirement) -> Retirement:
    if act_paths.name in venue:
        why = "cannot be brought back, as there is another one; to give it another name, type: "
        words = ["backstage", "unretire", found.directory.name, "--as", f"{act_paths.name}2"]
        raise ActFailed(act_paths.name, f"{why}{join(words)}")
    for path in (act_paths.top, *retiring.logs_of(act_paths)):
        if path.exists() and (path == act_paths.top or found.logs.exists()):
            raise ActFailed(found.act, f"cannot be brought back, as {path} exists; move it away")
    text = contents(found.vassal).decode(errors="surrogateescape")
    if act_paths.name != found.act:
        text = renamed(act_paths.venue.act(found.act), act_paths, text)
    free = ports.with_free_port(act_paths, VassalFile(act_paths.name, text))
    return found.begin_return(free, act_paths.name)
