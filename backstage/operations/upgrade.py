"""Upgrading a Venue to this version of the library: all or nothing, and repairable after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import (
    BackstageError,
    Busy,
    CannotWrite,
    NotAllowed,
    UpgradeFailed,
)
from ..facts.renewals import Cause, Fate, Renewal, Replacement, Upgrade
from ..layout import shipped_files, shipped_record
from ..system import as_user, processes, users
from ..systemd import client
from ..venue import Venue
from ..virtualenvs import versions
from . import upgrade_journal, upgrade_steps, venue_files
from .outside import Outside

_COMMAND = "backstage upgrade"
# What an Emperor takes to stop and start, and an Act to load, in seconds on an idle processor.
_RESTART, _LOAD = 1.5, 0.6
# The Venues that threads of this process upgrade.
_under_way: set[Path] = set()


def plan(venue: Venue, *, restart_emperor: bool = False) -> Upgrade:
    """What `upgrade` would do; changes nothing. Raises NotAllowed."""
    _refuse(venue)
    told = _as_owner(venue, partial(upgrade_steps.look, venue, os.getpid()))
    return _completed(venue, told, Outside.of(venue), restart_emperor=restart_emperor)


def upgrade(venue: Venue, *, restart_emperor: bool = False) -> Upgrade:
    """Carry it out. Raises UpgradeFailed, Busy, NotAllowed."""
    _refuse(venue)
    if restart_emperor:
        _refuse_restart(venue)
    outside = Outside.of(venue)
    with _alone(venue):
        told = _as_owner(venue, partial(upgrade_steps.begin, venue, _me()))
        restart_emperor |= told["again"]
        planned = _completed(venue, told, outside, restart_emperor=restart_emperor)
        with _all_or_nothing(venue) as undo:
            outside.renew(undo)
            _carry_out(venue, planned)
    return replace(planned, done=True)


def _carry_out(venue: Venue, planned: Upgrade) -> None:
    """Have the Acts, the watcher and the Emperor use the new files, then record them."""
    _as_owner(venue, partial(upgrade_steps.restart_acts, venue, planned.restarted))
    if planned.replaced or not planned.emperor:
        _as_owner(venue, partial(upgrade_steps.prepare_emperor, venue))
    if planned.replaced:
        _as_owner(venue, partial(upgrade_steps.note, venue, emperor=True))
        _replace_emperor(venue)
        _as_owner(venue, partial(upgrade_steps.start_acts, venue))
    elif planned.library:
        _as_owner(venue, partial(upgrade_steps.replace_watcher, venue))
    _as_owner(venue, partial(upgrade_steps.commit, venue, is_whole=not _holds_back(planned)))


def _me() -> tuple[int, float]:
    facts = processes.facts(os.getpid())
    assert facts
    return os.getpid(), facts.began


def _as_owner(venue: Venue, task: Callable[[], object]) -> Any:
    """Run what touches the Venue's files as its owner."""
    return as_user.run_as(users.stand_in(venue.path), task)


def _refuse(venue: Venue) -> None:
    owner, me = venue.path.stat().st_uid, os.geteuid()
    if owner != me and not users.am_root():
        words = ("upgrade", "--venue", str(venue.path))
        command = users.owner_command(users.name_of(owner), *words)
        raise NotAllowed(f"{venue.path} belongs to {users.name_of(owner)}; type: {command}")
    made_by = _as_owner(venue, lambda: shipped_record.read(venue.paths).version)
    mine = shipped_files.version()
    if made_by and mine and versions.is_older(mine, made_by):
        raise NotAllowed(
            f"{venue.path} was upgraded by Backstage {made_by}, and this is {mine}, which is "
            f"older; install {made_by} or newer where this command is, then repeat it"
        )


def _refuse_restart(venue: Venue) -> None:
    service = client.service_of(venue.path)
    if service and not service.own and not users.am_root():
        command = users.root_command("--venue", str(venue.path), "upgrade", "--restart-emperor")
        raise NotAllowed(f"only root can restart {service.name}; type: {command}")


def _completed(
    venue: Venue, told: Mapping[str, Any], outside: Outside, *, restart_emperor: bool
) -> Upgrade:
    """The upgrade of which a process of the owner has told."""
    causes = tuple(map(Cause, told["causes"]))
    emperor = Replacement(causes, _away(told["ran"])) if causes and told["runs"] else None
    files = [Renewal(**{**each, "fate": Fate(each["fate"])}) for each in told["files"]]
    if emperor and not restart_emperor:
        files = [_waiting(each) for each in files]
    return Upgrade(
        venue=venue.path,
        files=(*files, *outside.files),
        library=told["library"],
        restarted=tuple(told["restarted"]),
        passed_over=tuple(told["passed_over"]),
        emperor=emperor,
        replaced=emperor is not None and restart_emperor,
    )


def _away(acts: int) -> float:
    """For how long the Acts are away while the Emperor is replaced, in seconds, as measured."""
    processors = os.cpu_count() or 1
    busy = max(1.0, os.getloadavg()[0] / processors)
    return _RESTART + _LOAD * busy * acts / processors


def _holds_back(planned: Upgrade) -> bool:
    """Whether something of the Venue's own waits."""
    own = any(each.fate is Fate.WAITS for each in planned.files if not each.file.startswith("/"))
    return own or (planned.emperor is not None and not planned.replaced)


def _waiting(renewal: Renewal) -> Renewal:
    """The Emperor's own file waits until the Emperor is replaced."""
    if renewal.file != venue_files.EMPEROR_INI or renewal.fate not in {Fate.RENEWED, Fate.ADDED}:
        return renewal
    command = f"{_COMMAND} --restart-emperor"
    return Renewal(renewal.file, Fate.WAITS, command=command)


@contextmanager
def _alone(venue: Venue) -> Iterator[None]:
    """No other thread of this process upgrades the Venue meanwhile. Raises Busy."""
    if venue.path in _under_way:
        raise Busy(f"another thread upgrades {venue.path}")
    _under_way.add(venue.path)
    try:
        yield
    finally:
        _under_way.discard(venue.path)


def _replace_emperor(venue: Venue) -> None:
    """Restart the Emperor, by systemd if a unit runs it."""
    service = client.service_of(venue.path)
    if service and service.at_work:
        service.tell("restart")
    else:
        _as_owner(venue, partial(upgrade_steps.restart_emperor, venue))


@contextmanager
def _all_or_nothing(venue: Venue) -> Iterator[ExitStack]:
    """Undo everything if the body fails. Raises UpgradeFailed."""
    left: list[str] = []
    try:
        with ExitStack() as undo:
            undo.callback(_undo, venue, left)
            yield undo
            undo.pop_all()
    except OSError as error:
        cause = CannotWrite(f"cannot upgrade {venue.path}", error)
        raise UpgradeFailed(venue.path, cause, tuple(left)) from error
    except BackstageError as error:
        raise UpgradeFailed(venue.path, error, tuple(left)) from error


def _undo(venue: Venue, left: list[str]) -> None:
    """Put all files back, then have the Acts, the watcher and the Emperor use them again."""
    try:
        _put_back(venue)
    except BackstageError as error:
        left += [str(error), f"then type: {_COMMAND}, which first undoes what is left"]
        return
    for step in (_replace_emperor_back, _restart_back, _forget):
        try:
            step(venue)
        except BackstageError as error:
            left.append(str(error))


def _put_back(venue: Venue) -> None:
    _as_owner(venue, partial(upgrade_steps.put_files_back, venue))


def _replace_emperor_back(venue: Venue) -> None:
    if _as_owner(venue, partial(upgrade_steps.has_replaced, venue)):
        _replace_emperor(venue)


def _restart_back(venue: Venue) -> None:
    _as_owner(venue, partial(upgrade_steps.restart_acts_back, venue))


def _forget(venue: Venue) -> None:
    _as_owner(venue, partial(upgrade_journal.remove, venue.paths))
