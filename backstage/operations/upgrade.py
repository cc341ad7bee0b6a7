"""Upgrading a Venue to this version of the library: all or nothing, and repairable after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import (
    BackstageError,
    Busy,
    CannotWrite,
    EmperorFailed,
    NotAllowed,
    UpgradeFailed,
)
from ..facts.renewals import Cause, Fate, Renewal, Replacement, Upgrade
from ..facts.watching import Watching
from ..layout import shipped_files, shipped_record
from ..layout.shipped_record import Record
from ..system import as_user, processes, users
from ..system.deadlines import Deadline, until
from ..system.files import make_private, telling_disk_trouble
from ..system.locks import locked
from ..systemd import client
from ..uwsgi import resident
from ..venue import Venue
from ..virtualenvs import private_copy, versions
from . import upgrade_journal, upgrade_plan, venue_files
from .outside import Outside
from .upgrade_journal import Journal
from .upgrade_plan import Work

_COMMAND = "backstage upgrade"
# What an Emperor takes to stop and start, and an Act to load, in seconds on an idle processor.
_RESTART, _LOAD = 1.5, 0.6
# How long the new watcher may take to start on a busy machine, in seconds.
_WATCHER = 60.0
# The Venues that threads of this process upgrade.
_under_way: set[Path] = set()


def plan(venue: Venue, *, restart_emperor: bool = False) -> Upgrade:
    """What `upgrade` would do; changes nothing. Raises NotAllowed."""
    _refuse(venue)
    told = _as_owner(venue, partial(_look, venue, os.getpid()))
    return _completed(venue, told, Outside.of(venue), restart_emperor=restart_emperor)


def upgrade(venue: Venue, *, restart_emperor: bool = False) -> Upgrade:
    """Carry it out. Raises UpgradeFailed, Busy, NotAllowed."""
    _refuse(venue)
    if restart_emperor:
        _refuse_restart(venue)
    outside = Outside.of(venue)
    with _alone(venue):
        told = _as_owner(venue, partial(_begin, venue, _me()))
        restart_emperor |= told["again"]
        planned = _completed(venue, told, outside, restart_emperor=restart_emperor)
        with _all_or_nothing(venue) as undo:
            outside.renew(undo)
            _carry_out(venue, planned)
    return replace(planned, done=True)


def _carry_out(venue: Venue, planned: Upgrade) -> None:
    """Have the Acts, the watcher and the Emperor use the new files, then record them."""
    _as_owner(venue, partial(_restart_acts, venue, planned.restarted))
    if planned.replaced or not planned.emperor:
        _as_owner(venue, partial(_prepare_emperor, venue))
    if planned.replaced:
        _as_owner(venue, partial(_note, venue, emperor=True))
        _replace_emperor(venue)
        _as_owner(venue, partial(_start_acts, venue))
    elif planned.library:
        _as_owner(venue, partial(_replace_watcher, venue))
    _as_owner(venue, partial(_commit, venue, is_whole=not _holds_back(planned)))


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
        command = f"sudo -u {users.name_of(owner)} {_COMMAND} --venue {venue.path}"
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


def _look(venue: Venue, me: int) -> dict[str, Any]:
    """What there is to do, for another process."""
    with telling_disk_trouble(f"cannot examine {venue.path}"):
        return _packed(venue, upgrade_plan.examine(venue), _killed(venue, me))


def _packed(venue: Venue, work: Work, again: Journal | None = None) -> dict[str, Any]:
    names = [name for name in (again.restarted if again else ()) if venue.act(name).wanted]
    return {
        "files": [asdict(each) for each in work.files],
        "library": work.library,
        "restarted": [*dict.fromkeys([*work.restarted, *names])],
        "passed_over": work.passed_over,
        "causes": work.causes,
        "runs": venue.emperor.pid is not None or bool(again and again.emperor),
        "again": bool(again and again.emperor),
        "ran": len(work.ran),
    }


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


def _begin(venue: Venue, me: tuple[int, float]) -> dict[str, Any]:
    """Write the journal, then the files that need no new Emperor.

    What a killed upgrade has changed is undone first; the Acts that it has restarted, and the
    Emperor, restart once more.
    """
    paths = venue.paths
    with telling_disk_trouble(f"cannot upgrade {paths.top}"):
        make_private(paths.own)
        with locked(paths.own / "upgrade.lock", f"upgrading {paths.top}"):
            if killed := _killed(venue, me[0]):
                upgrade_journal.put_back(paths, killed)
            work = upgrade_plan.examine(venue)
            journal = _journal(venue, work, me, killed)
            upgrade_journal.write(paths, journal)
        try:
            for name in work.texts:
                upgrade_journal.apply(paths, name, journal.files[name])
            if work.library:
                private_copy.add(paths)
        except BaseException:
            upgrade_journal.put_back(paths, journal)
            if killed:
                upgrade_journal.write(paths, killed)
            else:
                upgrade_journal.remove(paths)
            raise
    return _packed(venue, work, killed)


def _killed(venue: Venue, me: int) -> Journal | None:
    """The journal of an upgrade that was killed. Raises Busy if another process upgrades."""
    journal = upgrade_journal.read(venue.paths)
    if journal and journal.is_of_another(me):
        raise Busy(f"another process (pid {journal.pid}) upgrades {venue.path}")
    return journal


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


def _journal(venue: Venue, work: Work, me: tuple[int, float], killed: Journal | None) -> Journal:
    paths = venue.paths
    texts = {**work.texts, **work.later}
    return Journal(
        pid=me[0],
        began=me[1],
        files={name: upgrade_journal.change(paths, name, text) for name, text in texts.items()},
        copy=private_copy.in_use(paths),
        has_residents=paths.residents.is_dir(),
        ran=killed.ran if killed and killed.emperor else work.ran,
        restarted=killed.restarted if killed else (),
        emperor=killed.emperor if killed else False,
    )


def _note(venue: Venue, **facts: Any) -> None:
    """Write more into the journal."""
    present = upgrade_journal.read(venue.paths)
    assert present
    upgrade_journal.write(venue.paths, replace(present, **facts))


def _restart_acts(venue: Venue, names: tuple[str, ...]) -> None:
    """One after the other; each is tried with the new files first."""
    for name in names:
        act = venue.act(name)
        if act.wanted:
            act.check(act.vassal_text)
            journal = upgrade_journal.read(venue.paths)
            assert journal
            _note(venue, restarted=(*journal.restarted, name))
            act.restart()


def _prepare_emperor(venue: Venue) -> None:
    """Write what only a new Emperor reads."""
    paths = venue.paths
    journal = upgrade_journal.read(paths)
    assert journal
    with telling_disk_trouble(f"cannot upgrade {paths.top}"):
        if change := journal.files.get(venue_files.EMPEROR_INI):
            upgrade_journal.apply(paths, venue_files.EMPEROR_INI, change)
        if _supports_watcher(venue):
            paths.residents.mkdir(mode=0o700, exist_ok=True)
            if not private_copy.is_current(paths):
                private_copy.add(paths)
            resident.arrange(paths, wanted=venue.settings.watcher)


def _supports_watcher(venue: Venue) -> bool:
    names = venue_files.EMPEROR_INI, venue_files.LAUNCH
    return resident.is_supported(*(upgrade_journal.text_of(venue.path / n) or "" for n in names))


def _replace_emperor(venue: Venue) -> None:
    """Restart the Emperor, by systemd if a unit runs it."""
    service = client.service_of(venue.path)
    if service and service.at_work:
        service.tell("restart")
    else:
        _as_owner(venue, partial(_restart_emperor, venue))


def _restart_emperor(venue: Venue) -> None:
    venue.stop()
    venue.start()


def _start_acts(venue: Venue) -> None:
    """Return when the Acts that ran well do so again, and the watcher runs if one is wanted."""
    journal = upgrade_journal.read(venue.paths)
    assert journal
    for name in journal.ran:
        if venue.act(name).wanted:
            venue.act(name).start()
    if _supports_watcher(venue) and venue.settings.watcher:
        _await_watcher(venue)


def _replace_watcher(venue: Venue) -> None:
    """Have the watcher run the new copy; one that did not run before need not."""
    before = venue.watcher
    if before.state is Watching.RUNNING:
        resident.replace(venue.paths)
        _await_watcher(venue, before.pid)


def _await_watcher(venue: Venue, before: int | None = None) -> None:
    def runs() -> bool:
        now = venue.watcher
        return now.state is Watching.RUNNING and now.pid != before

    if not until(runs, Deadline(_WATCHER), pause=0.05):
        raise EmperorFailed(f"the new watcher does not run; see {venue.paths.watcher_log}")


def _commit(venue: Venue, *, is_whole: bool) -> None:
    """Record what was written, then forget how to undo it."""
    paths = venue.paths
    with telling_disk_trouble(f"cannot upgrade {paths.top}"):
        texts = {
            name: _remembered(venue, name, new) for name, new in venue_files.texts(paths).items()
        }
        shipped = shipped_files.digest() if is_whole else ""
        shipped_record.write(paths, Record(shipped_files.version(), shipped, texts))
        upgrade_journal.remove(paths)
        private_copy.remove_unused(paths)


def _remembered(venue: Venue, name: str, new: str) -> list[str]:
    """The text that a file was made from, and the new one."""
    known = upgrade_plan.known_texts(venue.paths, name)
    present = upgrade_journal.text_of(venue.path / name) or ""
    base = present if present in known else upgrade_plan.nearest(known, present)
    before = [base] if base else known[-1:]
    return [*dict.fromkeys([*before, new])]


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
    _as_owner(venue, partial(_put_files_back, venue))


def _put_files_back(venue: Venue) -> None:
    journal = upgrade_journal.read(venue.paths)
    with telling_disk_trouble(f"cannot put back the files of {venue.path}"):
        if journal:
            upgrade_journal.put_back(venue.paths, journal)


def _replace_emperor_back(venue: Venue) -> None:
    if _as_owner(venue, partial(_has_replaced, venue)):
        _replace_emperor(venue)


def _has_replaced(venue: Venue) -> bool:
    journal = upgrade_journal.read(venue.paths)
    return journal is not None and journal.emperor


def _restart_back(venue: Venue) -> None:
    _as_owner(venue, partial(_restart_acts_back, venue))


def _restart_acts_back(venue: Venue) -> None:
    journal = upgrade_journal.read(venue.paths)
    if journal is None:
        return
    failed = []
    for name in journal.ran if journal.emperor else journal.restarted:
        act = venue.act(name)
        try:
            if act.wanted:
                act.start() if journal.emperor else act.restart(check=False)
        except BackstageError as error:
            failed.append(str(error))
    if journal.has_residents:
        resident.replace(venue.paths)
    if failed:
        raise BackstageError("\n".join(failed))


def _forget(venue: Venue) -> None:
    _as_owner(venue, partial(upgrade_journal.remove, venue.paths))
