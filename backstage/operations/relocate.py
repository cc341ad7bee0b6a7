"""Making a Venue that was moved or copied work where it is: all or nothing, also after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import BackstageError, NotAllowed
from ..facts.relocations import Relocation
from ..layout.former_path import FormerPath
from ..system import as_user, processes, users
from ..system.files import telling_disk_trouble
from ..systemd import client
from ..systemd.client import Service
from ..uwsgi.emperor import Emperor
from ..venue import Venue
from . import relocated_outside, relocation_steps
from .relocated_outside import Outside

_PATIENCE = 30.0


@dataclass(frozen=True)
class _Origin:
    """What `relocation_steps.origin` tells of a Venue, with its unit if it has one."""

    made_at: Path
    former: str
    is_copy: bool
    python: str
    pid: int | None
    killed: bool
    ran: bool
    service: Service | None

    @property
    def is_served(self) -> bool:
        """Whether it is the unit that runs the Emperor."""
        if self.service is None or not self.service.at_work:
            return False
        main = self.service.show("MainPID").get("MainPID")
        return main == str(self.pid) or not self.made_at.exists()

    @property
    def runs(self) -> bool:
        """Whether an Emperor runs, or is to be started again, by its unit or in the end."""
        return self.pid is not None or self.ran or self.is_served


def plan(path: str | Path) -> Relocation:
    """What `relocate` would do; changes nothing. Raises as it does."""
    venue = _venue(path)
    origin = _origin(venue)
    outside = Outside.of(venue, _former(venue, origin))
    if origin.made_at == venue.path:
        return _outside_only(venue, origin, outside, done=False)
    told = _as_owner(venue, partial(relocation_steps.look, venue.paths, origin.is_copy))
    return _relocation(venue, origin, told, outside, runs=origin.runs, done=False)


def relocate(path: str | Path) -> Relocation:
    """Carry it out.

    Raises NotAVenue, NameNotAllowed, NotAllowed, Busy, CannotWrite, PortUnavailable, SiteRefused,
    ServiceFailed, EnvironmentFailed: then the files are as before; and what `venue.start` raises
    once all is done.
    """
    venue = _venue(path)
    origin = _origin(venue)
    outside = Outside.of(venue, _former(venue, origin))
    if origin.made_at == venue.path:
        return _finished(venue, origin, outside)
    _refuse_service(venue, origin)
    runs = origin.runs
    _stop(venue, origin)
    _as_owner(venue, partial(relocation_steps.replace_python, venue.paths))
    told = _as_owner(venue, partial(relocation_steps.begin, venue.paths, _me(), origin.is_copy))
    with _undoing(venue) as undo:
        outside.renew(undo)
        waits = bool(outside.waits)
        _as_owner(venue, partial(relocation_steps.commit, venue.paths, origin.is_copy, waits))
    done = _relocation(venue, origin, told, outside, runs=runs, done=True)
    _start(venue, was_running=done.restarts)
    return done


def _venue(path: str | Path) -> Venue:
    """The Venue, moved or not. Raises NotAVenue, NotAllowed."""
    venue = Venue.at(path)
    owner = venue.path.stat().st_uid
    if owner != os.geteuid() and not users.am_root():
        command = users.root_command("--venue", str(venue.path), "relocate")
        raise NotAllowed(f"{venue.path} belongs to {users.name_of(owner)}; type: {command}")
    return venue


def _origin(venue: Venue) -> _Origin:
    with telling_disk_trouble(f"cannot examine {venue.path}"):
        told = _as_owner(venue, partial(relocation_steps.origin, venue.paths))
        told["python"] = _as_owner(venue, partial(relocation_steps.other_python, venue.paths))
    made_at = Path(told.pop("path"))
    service = None if told["is_copy"] else relocated_outside.service_of(venue, made_at)
    return _Origin(made_at=made_at, service=service, **told)


def _former(venue: Venue, origin: _Origin) -> FormerPath | None:
    """The path that units and sites are looked for by; a copy has none."""
    before = origin.former or str(origin.made_at)
    if origin.is_copy or before == str(venue.path) or (Path(before) / "venue.yaml").exists():
        return None
    return FormerPath(Path(before), venue.path)


def _finished(venue: Venue, origin: _Origin, outside: Outside) -> Relocation:
    """Do what a call that was killed, or had not the rights, has left to do."""
    if origin.python:
        _refuse_service(venue, origin)
        _stop(venue, origin)
        _as_owner(venue, partial(relocation_steps.replace_python, venue.paths))
    with ExitStack() as undo:
        outside.renew(undo)
        undo.pop_all()
    if origin.former and not outside.waits:
        _as_owner(venue, partial(relocation_steps.settle, venue.paths))
    if origin.killed or origin.python:
        _start(venue, was_running=_restarts(origin))
    return _outside_only(venue, origin, outside, done=True)


def _refuse_service(venue: Venue, origin: _Origin) -> None:
    service = origin.service
    if service and not service.own and not users.am_root() and origin.is_served:
        command = users.root_command("--venue", str(venue.path), "relocate")
        raise NotAllowed(f"only root can stop {service.name}, which runs it; type: {command}")


def _stop(venue: Venue, origin: _Origin) -> None:
    """Stop the Emperor that runs in this directory, which still acts on its former path."""
    if not origin.runs:
        return
    if origin.pid is not None:
        Emperor(venue.paths).refuse_unreachable()
    _as_owner(venue, partial(relocation_steps.note_stop, venue.paths, _me()))
    if origin.service and origin.is_served:
        origin.service.tell("stop")
    if origin.pid is None:
        return
    # What stands at the former path must not lose its sockets, which a stopping Act removes.
    if origin.made_at != venue.path and origin.made_at.exists():
        _as_owner(venue, partial(_kill, origin.pid))
    else:
        _as_owner(venue, partial(Emperor(venue.paths).end, _PATIENCE))


def _kill(pid: int) -> None:
    if left := processes.kill_family(pid):
        told = ", ".join(processes.describe(each.pid) for each in left)
        raise BackstageError(f"cannot be ended: {told}")


def _start(venue: Venue, *, was_running: bool) -> None:
    """Start the Emperor again if one ran; then all is done."""
    if was_running:
        if client.service_of(venue.path):
            venue.start()
        else:
            _as_owner(venue, venue.start)
    _as_owner(venue, partial(relocation_steps.forget, venue.paths))


@contextmanager
def _undoing(venue: Venue) -> Iterator[ExitStack]:
    """Undo everything if the body fails."""
    with ExitStack() as undo:
        undo.callback(_as_owner, venue, partial(relocation_steps.undo, venue.paths))
        yield undo
        undo.pop_all()


def _relocation(
    venue: Venue,
    origin: _Origin,
    told: Mapping[str, Any],
    outside: Outside,
    *,
    runs: bool,
    done: bool,
) -> Relocation:
    return Relocation(
        venue=venue.path,
        made_at=origin.made_at,
        is_copy=origin.is_copy,
        files=(*told["files"], *outside.files),
        links=tuple(told["links"]),
        ports=dict(told["ports"]),
        restarts=runs,
        waits=outside.waits,
        left=tuple(told["left"]),
        python=origin.python,
        done=done,
    )


def _outside_only(venue: Venue, origin: _Origin, outside: Outside, *, done: bool) -> Relocation:
    return Relocation(
        venue=venue.path,
        made_at=origin.made_at,
        files=outside.files,
        restarts=_restarts(origin),
        waits=outside.waits,
        python=origin.python,
        done=done,
    )


def _restarts(origin: _Origin) -> bool:
    """Whether the Emperor of a Venue that is where it was made is started again."""
    return origin.runs if origin.python else origin.killed and origin.ran


def _me() -> tuple[int, float]:
    facts = processes.facts(os.getpid())
    assert facts
    return os.getpid(), facts.began


def _as_owner(venue: Venue, task: Callable[[], object]) -> Any:
    """Run what touches the Venue's files as its owner."""
    return as_user.run_as(users.stand_in(venue.path), task)
