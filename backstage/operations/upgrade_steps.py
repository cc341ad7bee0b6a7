"""The steps of an upgrade that touch the Venue's own files and Acts; root runs them as its owner.

What they return can be told as JSON.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ..errors import BackstageError, Busy, EmperorFailed
from ..facts.watching import Watching
from ..layout import made, shipped_files, shipped_record
from ..layout.shipped_record import Record
from ..system.deadlines import Deadline, until
from ..system.files import make_private, telling_disk_trouble
from ..system.locks import locked
from ..uwsgi import resident
from ..venue import Venue
from ..virtualenvs import private_copy
from . import upgrade_journal, upgrade_plan, venue_files
from .upgrade_journal import Journal
from .upgrade_plan import Work

# How long the new watcher may take to start on a busy machine, in seconds.
_WATCHER = 60.0


def look(venue: Venue, me: int) -> dict[str, Any]:
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


def begin(venue: Venue, me: tuple[int, float]) -> dict[str, Any]:
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


def note(venue: Venue, **facts: Any) -> None:
    """Write more into the journal."""
    present = upgrade_journal.read(venue.paths)
    assert present
    upgrade_journal.write(venue.paths, replace(present, **facts))


def restart_acts(venue: Venue, names: tuple[str, ...]) -> None:
    """One after the other; each is tried with the new files first."""
    for name in names:
        act = venue.act(name)
        if act.wanted:
            act.check(act.vassal_text)
            journal = upgrade_journal.read(venue.paths)
            assert journal
            note(venue, restarted=(*journal.restarted, name))
            act.restart()


def prepare_emperor(venue: Venue) -> None:
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


def restart_emperor(venue: Venue) -> None:
    venue.stop()
    venue.start()


def start_acts(venue: Venue) -> None:
    """Return when the Acts that ran well do so again, and the watcher runs if one is wanted."""
    journal = upgrade_journal.read(venue.paths)
    assert journal
    for name in journal.ran:
        if venue.act(name).wanted:
            venue.act(name).start()
    if _supports_watcher(venue) and venue.settings.watcher:
        _await_watcher(venue)


def replace_watcher(venue: Venue) -> None:
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


def commit(venue: Venue, *, is_whole: bool) -> None:
    """Record what was written, then forget how to undo it."""
    paths = venue.paths
    with telling_disk_trouble(f"cannot upgrade {paths.top}"):
        texts = {
            name: _remembered(venue, name, new) for name, new in venue_files.texts(paths).items()
        }
        shipped = shipped_files.digest() if is_whole else ""
        shipped_record.write(paths, Record(shipped_files.version(), shipped, texts))
        if not paths.made.exists():
            made.write(paths, made.here(paths))
        upgrade_journal.remove(paths)
        private_copy.remove_unused(paths)


def _remembered(venue: Venue, name: str, new: str) -> list[str]:
    """The text that a file was made from, and the new one."""
    known = upgrade_plan.known_texts(venue.paths, name)
    present = upgrade_journal.text_of(venue.path / name) or ""
    base = present if present in known else upgrade_plan.nearest(known, present)
    before = [base] if base else known[-1:]
    return [*dict.fromkeys([*before, new])]


def put_files_back(venue: Venue) -> None:
    journal = upgrade_journal.read(venue.paths)
    with telling_disk_trouble(f"cannot put back the files of {venue.path}"):
        if journal:
            upgrade_journal.put_back(venue.paths, journal)


def has_replaced(venue: Venue) -> bool:
    journal = upgrade_journal.read(venue.paths)
    return journal is not None and journal.emperor


def restart_acts_back(venue: Venue) -> None:
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
