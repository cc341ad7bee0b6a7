"""Adopting a project as an Act: it is fetched, examined, built and started from its source.

A failing adoption leaves project.yaml, .env and the log there, to be mended; the next call goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..act import Act
from ..errors import ActFailed, SettingsError
from ..facts.command_line import join
from ..layout import executed, registry
from ..layout.names import check_act_name
from ..projects import dotenv, project_file
from ..projects.dotenv import DotEnv
from ..projects.project_file import ProjectFile
from ..sources.source import Source
from ..system import umask
from ..system.files import contents, telling_disk_trouble, write_atomically
from ..uwsgi import launch, ports
from ..venue import Venue
from .deploy import Deployed, Tell, deploy


def adopt(
    venue: Venue,
    name: str,
    known: ProjectFile,
    *,
    variables: Mapping[str, str],
    files: Mapping[str, Path],
    port: int | None,
    start: bool,
    tell: Tell | None = None,
) -> tuple[Act, Deployed]:
    """Make an Act of what `known.source` names; `variables` are written into its .env.

    `files` are put into each release, by their place there; the Act keeps copies of them. Raises as
    `deploy` does, PortUnavailable, NameNotAllowed, and what `act.start` raises.
    """
    check_act_name(name)
    executed.refuse_loose(venue.paths)
    paths = venue.paths.act(name)
    paths.check_socket_room()
    act = venue.act(name)
    with (
        telling_disk_trouble(f"cannot adopt {known.source} as {name}"),
        registry.building(paths.top),
        umask.closed(),
        ExitStack() as undo,
    ):
        if name in venue:
            again = ["backstage", "deploy", name]
            raise ActFailed(name, f"exists; to deploy it again, type: {join(again)}")
        if paths.top.exists() and any(paths.top.iterdir()) and not paths.project_file.exists():
            raise ActFailed(name, f"cannot be adopted, as {paths.top} has another project")
        _write(act, known, variables, files)
        ports.claim(paths, port)
        # Without a vassal file it is no Act yet.
        undo.callback(paths.kept.unlink, missing_ok=True)
        launch.prepare(paths)
        done = deploy(act, tell=tell)
        undo.pop_all()
    if start:
        act.start()
    return act, done


def _write(
    act: Act, known: ProjectFile, variables: Mapping[str, str], files: Mapping[str, Path]
) -> None:
    """Write what is known of it; what an earlier call knew stays, but for what is said anew."""
    paths = act.paths
    paths.top.mkdir(mode=0o755, parents=True, exist_ok=True)
    source = Source.of(known.source, known.ref)
    kept = {place: str(_copied(act, place, file)) for place, file in files.items()}
    new = replace(known, source=str(source), ref=source.ref, files=kept)
    if paths.project_file.exists():
        keys = ("source", "ref", "manage", "settings", "files")
        told = {key: value for key in keys if (value := new.value(key))}
        text = project_file.changed(paths.project_file, told)
    else:
        text = new.text()
    write_atomically(paths.project_file, text)
    for key, value in variables.items():
        if fault := dotenv.fault(key, value):
            raise SettingsError(paths.env_file, None, fault)
    before = contents(paths.env_file).decode() if paths.env_file.exists() else ""
    write_atomically(paths.env_file, DotEnv(before).changed(variables).text, mode=0o600)


def _copied(act: Act, place: str, file: Path) -> Path:
    goal = act.paths.files / place
    if not goal.resolve().is_relative_to(act.paths.files.resolve()):
        raise ActFailed(act.name, f"cannot have a file at {place}, which is outside of its code")
    goal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(goal, contents(file), mode=0o600)
    return goal
