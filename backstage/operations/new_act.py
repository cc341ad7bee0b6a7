"""Creating Acts: all or nothing, and repairable after being killed."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from ..act import Act
from ..errors import ActFailed, PortUnavailable
from ..facts.advice import Advice
from ..facts.command_line import join
from ..layout import executed, registry
from ..layout.names import check_act_name, check_not_importable
from ..layout.paths import ActPaths
from ..logs import log_files
from ..projects import scaffold
from ..projects.project import package_of
from ..system import umask
from ..system.files import contents, remove_tree, telling_disk_trouble, write_atomically
from ..uwsgi import launch, ports, vassal_files
from ..uwsgi.resident import locked_act
from ..venue import Venue

# A file in the project that a call is making; `kept/NAME.preparing` says which file, by its inode.
_MADE_HERE = ".backstage-preparing"
# There are no ports from this one.
_PORTS = 65536
# How much is kept of the log of an Act that could not be made.
_KEPT_LINES = 1000


def create(venue: Venue, name: str, *, template: str | Path, port: int | None, start: bool) -> Act:
    """Create the Act, or finish a half-built one, or open an existing one."""
    _refuse_types(venue, port)
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
            _refuse_other_port(act, port)
            if start:
                act.start()
            return act
        check_not_importable(name, venue.paths.site_packages)
        _refuse_file(paths)
        paths.failed_log.unlink(missing_ok=True)
        with ExitStack() as undo:
            undo.callback(_unmake_act, venue, paths, keep_project=_is_adopted(paths))
            try:
                act = _build_act(venue, paths, template=template, port=port, start=start)
            except ActFailed as error:
                error.log = _keep_log(paths, error.log_tail)
                raise
            undo.pop_all()
    return act


def _refuse_types(venue: object, port: object) -> None:
    if not isinstance(venue, Venue):
        raise TypeError(f"a Venue comes first, as from use_venue(path), not {venue!r}")
    if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
        raise TypeError(f"a port is an int, not {port!r}")
    if port is not None and not 0 < port < _PORTS:
        raise ValueError(f"a port is between 1 and {_PORTS - 1}, not {port}")


def _refuse_other_port(act: Act, port: int | None) -> None:
    """Refuse to give an Act that exists another port: its vassal file is its operator's."""
    address = act.snapshot().port
    if port in {None, address}:
        return
    has = f"port {address}" if address else "no TCP port"
    edit = ["backstage", "--venue", str(act.paths.venue.top), "edit", act.name]
    raise PortUnavailable(
        f"Act {act.name!r} exists and has {has}",
        port,
        advice=Advice(
            f"to give it port {port}",
            "act.rewrite(new_text, based_on=act.vassal_text)",
            join(edit),
        ),
    )


def _refuse_file(act_paths: ActPaths) -> None:
    if os.path.lexists(act_paths.top) and not act_paths.top.is_dir():
        away = join(["mv", str(act_paths.top), f"{act_paths.top}.away"])
        what = f"there is a file where its project should be; to move it away, type: {away}"
        raise ActFailed(act_paths.name, "cannot be created", what)


def _keep_log(act_paths: ActPaths, tail: str) -> Path | None:
    """Keep what the Act has logged when everything else of it is removed."""
    logged = log_files.tail(act_paths.log, _KEPT_LINES)
    text = logged if tail in logged else f"{logged}\n{tail}".lstrip("\n")
    if not text:
        return None
    write_atomically(act_paths.failed_log, f"{text}\n", mode=0o600)
    return act_paths.failed_log


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
    if port:
        # A killed call may have claimed another one.
        act_paths.kept.unlink(missing_ok=True)
    if not act_paths.kept.exists():
        ports.claim(act_paths, port)
        _name_package(act_paths)
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


def _name_package(act_paths: ActPaths) -> None:
    """Write into the vassal file which package to run, if it is not the one of the Act's name."""
    package = package_of(act_paths)
    if package in {"", act_paths.name}:
        return
    text = contents(act_paths.kept).decode()
    line = f"module = {package}.wsgi:application"
    vassal_files.write(act_paths.kept, f"{text.rstrip()}\n{line}\n")


def _mark(act_paths: ActPaths) -> None:
    """Mark the new project as one that may be removed until it is complete."""
    write_atomically(act_paths.unfinished / _MADE_HERE, "")
    made = (act_paths.unfinished / _MADE_HERE).stat().st_ino
    text = f"This Act is not complete; repeat new_act or `backstage new-act`.\n{made}\n"
    write_atomically(act_paths.preparing, text)


def _is_adopted(act_paths: ActPaths) -> bool:
    """Whether the user put a project there, not an empty directory; it is then kept unchanged.

    It may have come in the place of one that a killed call had made.
    """
    if not act_paths.top.exists() or not any(act_paths.top.iterdir()):
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
    with locked_act(act_paths, f"removing {act_paths.name}"):
        # Whoever waits for it notices that it is gone, and makes a new one.
        act_paths.lock.unlink(missing_ok=True)
