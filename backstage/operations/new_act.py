"""Making new Acts: all or nothing, and repairable when killed in the middle."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ..act import Act
from ..layout import registry
from ..layout.names import check_act_name, check_not_importable
from ..layout.paths import ActPaths
from ..projects import scaffold
from ..system.files import remove_tree, telling_disk_trouble, write_atomically
from ..uwsgi import launch, ports
from ..venue import Venue


def create(venue: Venue, name: str, *, template: str | Path, port: int | None, start: bool) -> Act:
    """Make the Act, or finish one half made, or open the complete one."""
    check_act_name(name)
    paths = venue.paths.act(name)
    paths.check_socket_room()
    with telling_disk_trouble(f"cannot make the Act {name!r}"), registry.building(paths.top):
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
        # What a killed call left may be running already.
        venue.act(act_paths.name).stop()
        remove_tree(act_paths.unfinished)
        remove_tree(act_paths.top)
        scaffold.write(act_paths, template)
        write_atomically(act_paths.preparing, "This Act is not complete: call new_act again.\n")
        act_paths.unfinished.rename(act_paths.top)
    if not act_paths.kept.exists():
        ports.claim(act_paths, port)
    act = venue.act(act_paths.name)
    launch.prepare(act_paths)
    with scaffold.preparing(act_paths, skip=adopted):
        if start:
            act.start()
    act_paths.preparing.unlink(missing_ok=True)
    return act


def _is_adopted(act_paths: ActPaths) -> bool:
    """Whether somebody put a project there before us, which is then theirs."""
    return act_paths.top.exists() and not act_paths.preparing.exists()


def _unmake_act(venue: Venue, act_paths: ActPaths, *, keep_project: bool) -> None:
    venue.act(act_paths.name).stop()
    if not keep_project:
        remove_tree(act_paths.top)
    leftovers = (
        act_paths.own_run,
        act_paths.own_log,
        act_paths.log,
        act_paths.launch,
        act_paths.preparing,
    )
    for path in (act_paths.unfinished, act_paths.kept, act_paths.vassal, *leftovers):
        remove_tree(path)
