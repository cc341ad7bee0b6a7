"""Creating Acts: all or nothing, and repairable after being killed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ..act import Act
from ..layout import executed, registry
from ..layout.names import check_act_name, check_not_importable
from ..layout.paths import ActPaths
from ..projects import scaffold
from ..system import umask
from ..system.files import contents, remove_tree, telling_disk_trouble, write_atomically
from ..uwsgi import launch, ports
from ..venue import Venue

# A file in the project that a call is making; `kept/NAME.preparing` says which file, by its inode.
_MADE_HERE = ".backstage-preparing"


def create(venue: Venue, name: str, *, template: str | Path, port: int | None, start: bool) -> Act:
    """Create the Act, or finish a half-built one, or open an existing one."""
    check_act_name(name)
    executed.refuse_loose(venue.paths)
    paths = venue.paths.act(name)
    paths.check_socket_room()
    with (
        telling_disk_trouble(f"cannot create the Act {name!r}"),
        registry.building(paths.top),
        umask.closed(),
    ):
        if name in venue and not paths.preparing.exists():
            act = venue[name]
            if start:
                act.start()
            return act
        check_not_importable(name, venue.paths.site_packages)
        with ExitStack() as undo:
            undo.callback(_unmake_act, venue, paths, keep_project=_is_adopted(paths))
            act = _build_act(venue, paths, template=template, port=port, start=start)
            undo.pop_all()
    return act


def _build_act(
    venue: Venue, act_paths: ActPaths, *, template: str | Path, port: int | None, start: bool
) -> Act:
    adopted = _is_adopted(act_paths)
    if not adopted:
        # A killed call may have left it running.
        venue.act(act_paths.name).stop()
        remove_tree(act_paths.unfinished)
        remove_tree(act_paths.top)
        scaffold.write(act_paths, template)
        _mark(act_paths)
        act_paths.unfinished.rename(act_paths.top)
    if not act_paths.kept.exists():
        ports.claim(act_paths, port)
    act = venue.act(act_paths.name)
    launch.prepare(act_paths)
    with scaffold.preparing(act_paths, skip=adopted):
        if start:
            act.begin()
    if start:
        # Its database is migrated only now.
        act.start()
    if not adopted:
        (act_paths.top / _MADE_HERE).unlink(missing_ok=True)
    act_paths.preparing.unlink(missing_ok=True)
    return act


def _mark(act_paths: ActPaths) -> None:
    """Mark the new project as one that may be removed until it is complete."""
    write_atomically(act_paths.unfinished / _MADE_HERE, "")
    made = (act_paths.unfinished / _MADE_HERE).stat().st_ino
    text = f"This Act is not complete; repeat new_act or `backstage new-act`.\n{made}\n"
    write_atomically(act_paths.preparing, text)


def _is_adopted(act_paths: ActPaths) -> bool:
    """Whether the user put a project there; it is then kept unchanged.

    It may have come in the place of one that a killed call had made.
    """
    if not act_paths.top.exists():
        return False
    try:
        made = contents(act_paths.preparing).decode().split()[-1]
        return str((act_paths.top / _MADE_HERE).lstat().st_ino) != made
    except (FileNotFoundError, IndexError):
        return True


def _unmake_act(venue: Venue, act_paths: ActPaths, *, keep_project: bool) -> None:
    venue.act(act_paths.name).stop()
    if not keep_project:
        remove_tree(act_paths.top)
    leftovers = (
        *act_paths.recorded,
        act_paths.own_run,
        act_paths.own_log,
        act_paths.log,
        act_paths.launch,
        act_paths.preparing,
    )
    for path in (act_paths.unfinished, act_paths.kept, act_paths.vassal, *leftovers):
        remove_tree(path)
