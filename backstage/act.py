"""An Act: a Django application that runs as a vassal of its Venue's Emperor."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ActFailed, NotInTime, PortUnavailable
from .events import authors
from .events.authors import Deed
from .events.streams import Broadcast
from .facts import advice
from .facts.snapshots import Snapshot
from .facts.states import ANSWERING, State
from .layout import executed, retirement
from .layout.paths import ActPaths
from .logs import log_files
from .projects.env_file import EnvFile
from .projects.project import Project, run_by
from .status import draining, explanation, trial
from .status.evidence import LogMark, log_mark
from .status.survey import Survey
from .status.waiting import Waiter
from .system import files, processes, programs, trust, users
from .system.deadlines import Deadline, finite
from .uwsgi import (
    dry_run,
    launch,
    left_behind,
    log_reasons,
    ports,
    reloading,
    retiring,
    rewriting,
    tries,
    vassal_files,
)
from .uwsgi.resident import locked_act


class Act:
    """One Act of a Venue, running or not; get it from `new_act` or `venue['blog']`.

    Every property is read live from the vassal file, the Emperor and the port. Any number of
    objects, in any number of processes, may represent the same Act. Everything raises NotYours in
    a Venue of another user's, SystemRefused for what the operating system refuses, and ValueError
    for a wait that is negative, endless or no number.
    """

    def __init__(self, act_paths: ActPaths, survey: Survey, broadcast: Broadcast) -> None:
        self.paths = act_paths
        self._emperor = survey.emperor
        self._broadcast = broadcast
        self._waiter = Waiter(act_paths, survey)

    @property
    def name(self) -> str:
        """The name of its vassal file, without `.ini`."""
        return self.paths.name

    def __repr__(self) -> str:
        seen = self._waiter.look()
        words = [f"<Act {self.name!r} {seen.state}"]
        if seen.address:
            words.append(f"port {seen.address.port}")
        if seen.pid:
            words.append(f"pid {seen.pid}")
        return ", ".join(words) + ">"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Act) and other.paths == self.paths

    def __hash__(self) -> int:
        return hash(self.paths)

    def __enter__(self) -> Act:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> State:
        """The current state of the Act, as seen from outside."""
        return self._waiter.look().state

    @property
    def pid(self) -> int | None:
        """The pid of the vassal's master process, or None if there is none."""
        return self._waiter.glance().pid

    @property
    def wanted(self) -> bool:
        """Whether the vassal file exists, so that the Emperor keeps the Act running."""
        return vassal_files.is_there(self.paths.vassal)

    @property
    def url(self) -> str:
        """The Act's URL on this machine. Raises PortUnavailable as `get_uwsgi_port` does."""
        return f"http://localhost:{self.get_uwsgi_port()}/"

    def get_uwsgi_port(self) -> int:
        """The port in the Act's vassal file, even while the Act is stopped.

        After an edit that was refused or not taken, it is the port of the running vassal. Raises
        PortUnavailable if there is none, as for a worker or a Unix socket.
        """
        address = self._waiter.glance().address
        if address is None:
            raise PortUnavailable(f"the vassal file of Act {self.name!r} names no TCP port")
        return address.port

    @property
    def env(self) -> EnvFile:
        """The variables in the Act's .env, to read and to change."""
        return EnvFile(self.paths)

    @property
    def vassal_text(self) -> str:
        """The text of the vassal file; of its kept copy while the Act is stopped."""
        return rewriting.present(self.paths).text

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the Act's log."""
        return log_files.tail(self.paths.log, lines)

    def start(self, wait: float | None = 30.0) -> None:
        """Start the Act; returns when it answers well, or at once with `wait=None`.

        Starts the Emperor if necessary. A failed Act is retried at once; an Act that is still
        stopping starts again when it has ended; a drained one is drained no longer. Raises
        ActFailed with the reason, also if its health check is still not passed after a few seconds,
        NotInTime after `wait` seconds, PortUnavailable if another program has the port.
        """
        log, deadline = log_mark(self.paths), _deadline(wait)
        self.begin(wait)
        if deadline:
            self._waiter.await_health(deadline, log)

    def begin(self, wait: float | None = 30.0) -> None:
        """Like `start`, but returns when the Act answers at all, whatever its health check says."""
        log, deadline = log_mark(self.paths), _deadline(wait)
        begins = not self.wanted or self._waiter.glance().state not in ANSWERING
        ends_drain = Deed.MARK if os.path.lexists(self.paths.drain) else None
        with self._acting("starting", Deed.BEGIN if begins else ends_drain):
            if not self._waiter.listed():
                launch.prepare(self.paths)
            self._emperor.start()
            tries.forget(self.paths)
            self.paths.drain.unlink(missing_ok=True)
            self._want(deadline)
            self._emperor.forgive()
            self._emperor.wake()
        if deadline:
            self._waiter.await_running(deadline, log)

    def stop(self, wait: float | None = 30.0, *, drain: float = 0.0) -> None:
        """Stop the Act; returns when its port is closed and all its processes have ended.

        Requests in progress may finish. With `drain`, a running Act is drained for so many seconds
        before. With `wait=None` it does not wait for the end; raises NotInTime if the Act has not
        ended after `wait` seconds, and what `drain` raises: then it is not stopped.
        """
        finite(drain)
        if not drain or self.state not in ANSWERING:
            self._end(wait)
            return
        is_drained = self.paths.drain.exists()
        try:
            self.drain(30.0 if wait is None else wait)
            time.sleep(drain)
            self._end(wait)
        except BaseException:
            # Not by `undrain`: if the Act is locked, that error would hide this one.
            if not is_drained:
                self.paths.drain.unlink(missing_ok=True)
            raise

    def drain(self, wait: float | None = 30.0) -> None:
        """Have visitors sent elsewhere: the health path says 503, every request is still served.

        It lasts until `undrain`, a stop or a start, also over restarts. Returns when the health
        path says so, or at once with `wait=None`. Raises ActFailed, with nothing changed, if the
        Act does not run, if its health path is a page for visitors, or if it does not say so.
        """
        path = draining.refuse_unfit(self.paths)
        with self._acting("draining", Deed.MARK):
            if self._waiter.glance().state not in ANSWERING:
                raise ActFailed(self.name, f"cannot be drained: it is {self.state}")
            draining.begin(self.paths, path, _deadline(wait))

    def undrain(self) -> None:
        """Have visitors sent to the Act again; does nothing if it is not drained."""
        with self._acting("undraining", Deed.MARK):
            self.paths.drain.unlink(missing_ok=True)

    def restart(self, wait: float | None = 30.0, *, check: bool = True) -> None:
        """Load new code and settings on the same listening socket; starts a stopped Act.

        The new code of a running Act is tried first, in a process of its own: if it does not load
        or does not answer well, CheckFailed is raised, and the Act runs on untouched. `check=False`
        skips that.

        Requests in progress are finished; two workers or more are replaced one after the other,
        unless the vassal file or one that it includes has changed. If venue.yaml gives the Act
        another user or other limits, it is stopped and started instead. Returns when every worker
        is new and answers well, or with `wait=None` as soon as the new code has been tried. Raises
        as `start` does, and ActFailed if an edit of the vassal file cannot work: the Act then keeps
        running as before.
        """
        self._emperor.refuse_lost()
        executed.refuse_loose(self.paths.venue, self.paths)
        if check:
            self.try_out(wait)
        log, deadline = log_mark(self.paths), _deadline(wait)
        with self._acting("restarting", Deed.BEGIN):
            self._emperor.refuse_halted()
            if self.wanted:
                self._waiter.refuse_halted()
                self._refuse_faulty()
            # Once these are written, the next restart would not know that the Act has others.
            relaunch = launch.prepare(self.paths) and self._waiter.listed()
            self._emperor.start()
            tries.forget(self.paths)
            moment = processes.boot_clock()
            if relaunch:
                self._relaunch(deadline)
            elif self.wanted:
                self._reload()
            else:
                self._want(deadline)
            self._emperor.forgive()
            self._emperor.wake()
        if deadline:
            self._await_new(moment, deadline, log)

    def try_out(self, wait: float | None = 30.0) -> None:
        """Raise CheckFailed if the Act runs, and would not answer well with its code on disk.

        That is tried in a process of its own; nothing changes.
        """
        trial.try_out(self.paths, self._waiter.look(), wait)

    def check(self, text: str) -> None:
        """Raise EditRefused if the Act could not run with this text as its vassal file."""
        executed.refuse_loose(self.paths.venue, self.paths)
        with self._acting("checking"):
            rewriting.check(self.paths, text, self._emperor.stats())

    def rewrite(
        self, text: str, *, based_on: str, wait: float | None = 30.0, check: bool = True
    ) -> tuple[str, ...]:
        """Replace the text of the vassal file; returns the changes, such as `threads = 4 → 8`.

        `based_on` is the `vassal_text` that was edited. Returns when the Act runs with the new
        text, or at once with `wait=None`; a stopped Act stays stopped. Raises EditRefused if the
        new text cannot work or the file has changed meanwhile, and CheckFailed if a running Act's
        code fails when tried with it, which `check=False` skips: then nothing is written, and the
        Act keeps running as before. Otherwise raises as `restart` does.
        """
        if text == based_on:
            return ()
        if check:
            self.check(text)
            trial.try_out(self.paths, self._waiter.look(), wait, text)
        log = log_mark(self.paths)
        with self._acting("editing", Deed.BEGIN):
            moment = processes.boot_clock()
            changes = rewriting.rewrite(self.paths, text, based_on, self._emperor.stats())
            is_reloading = self.wanted and self._emperor.pid is not None
            if is_reloading:
                self._emperor.forgive()
                self._emperor.wake()
        if is_reloading and wait is not None:
            self._await_new(moment, Deadline(finite(wait)), log)
        return changes

    def wait(self, state: State | str, timeout: float = 30.0) -> None:
        """Return as soon as the Act is in this state.

        Raises NotInTime, with the last lines of the log, after `timeout` seconds.
        """
        goal, deadline = State(state), Deadline(finite(timeout))
        if self.state is goal:
            return
        with self._broadcast.listen() as events:
            seen = self.state
            while seen is not goal:
                event = events.next_within(deadline.remaining)
                if event is None:
                    raise self._waiter.late(goal)
                if event.act == self.name:
                    seen = event.after

    def snapshot(self) -> Snapshot:
        """Everything known about the Act at this moment."""
        return explanation.snapshot(self.paths, self._waiter.look())

    def retire(self) -> Path:
        """Stop the Act and move its files to a dated directory, which is returned.

        Nothing is deleted: project, database, vassal file and logs stay together under `retired/`,
        from where `unretire_act` brings them back. A retirement that was killed is completed by the
        next one.
        """
        with self._acting("retiring", Deed.END):
            self._emperor.refuse_halted()
            self._emperor.refuse_lost()
            begun = retirement.begin(self.paths, wanted=self.wanted)
            try:
                self._stop(Deadline(30.0))
                retiring.move_away(self.paths, begun)
            except BaseException:
                begun.cancel()
                raise
        return begun.directory

    def manage(self, *arguments: str) -> str:
        """Run a manage.py command as the Act runs; returns what it printed.

        Directory, Python and environment are those of its vassal file. Raises ActFailed, with the
        output, if the command fails.
        """
        project = self._project()
        done = programs.run(
            [project.python, project.manage, *arguments],
            cwd=project.directory,
            env=project.whole_environment,
            uid=users.stand_in(self.paths.venue.top, self.paths.top),
        )
        if done.returncode:
            command = " ".join(arguments)
            raise ActFailed(
                self.name,
                f"cannot run `manage.py {command}` (exit code {done.returncode})",
                log_reasons.reason_from(done.stdout),
                done.stdout.strip(),
            )
        return done.stdout

    def manage_here(self, *arguments: str) -> int:
        """Run a manage.py command in this terminal, where it can prompt; returns its exit code."""
        project = self._project()
        return programs.run_in_terminal(
            [project.python, project.manage, *arguments],
            cwd=project.directory,
            env=project.whole_environment,
            uid=users.stand_in(self.paths.venue.top, self.paths.top),
        )

    def _project(self) -> Project:
        executed.refuse_loose(self.paths.venue, self.paths)
        project = run_by(self.paths)
        if not project.manage.exists():
            raise ActFailed(self.name, f"has no manage.py in {project.directory}")
        return project

    @contextmanager
    def _acting(self, doing: str, deed: Deed | None = None) -> Iterator[None]:
        trust.refuse_foreign(self.paths.venue.top)
        with (
            files.telling_disk_trouble(f"{doing} Act {self.name!r}", self.paths.venue.top),
            locked_act(self.paths, f"{doing} {self.name}"),
        ):
            if deed:
                authors.note(self.paths, deed)
            try:
                yield
            except NotInTime:
                raise
            except BaseException:
                # It has not been done, so what comes next has another cause.
                authors.withdraw(self.paths)
                raise

    def _want(self, deadline: Deadline | None) -> None:
        """Put the vassal file in place, unless an operator or another process already has.

        The Emperor starts an Act whose last run is still ending as soon as that has ended; without
        a deadline, this does not wait for it.
        """
        executed.refuse_loose(self.paths.venue, self.paths)
        if deadline and not self.wanted and (leaving := self._waiter.members()):
            self._waiter.await_end(leaving, deadline)
        address = self._waiter.address()
        if address and not self._waiter.listed():
            left_behind.free_port(self.paths, address, self._emperor.pid)
            ports.refuse_taken(address.port, self.paths.venue, address.bound_host)
        self._put_back()

    def _put_back(self) -> None:
        if not self.wanted:
            if not self.paths.kept.exists():
                to_make = advice.make_act(self.paths.venue.top, self.name, "to make one")
                raise ActFailed(self.name, "has no vassal file to start from", advice=to_make)
            vassal_files.put_back(self.paths)

    def _relaunch(self, deadline: Deadline | None) -> None:
        """Have the Emperor end the Act and start it anew, even if this call is interrupted."""
        executed.refuse_loose(self.paths.venue, self.paths)
        members = self._waiter.members()
        try:
            self._stop(None)
        finally:
            self._put_back()
        if deadline:
            self._waiter.await_end(members, deadline, returning=True)

    def _await_new(self, moment: float, deadline: Deadline, log: LogMark) -> None:
        """Return when every worker began after `moment`, and they answer well."""
        self._waiter.await_renewal(moment, deadline, log)
        self._waiter.await_running(deadline, log)
        self._waiter.await_health(deadline, log)

    def _end(self, wait: float | None) -> None:
        with self._acting("stopping", Deed.END if self.wanted else None):
            self._emperor.refuse_halted()
            self._emperor.refuse_lost()
            self._stop(_deadline(wait))
            if address := self._waiter.address():
                ports.keep_clear(address.port, self.paths.venue)
            self.paths.drain.unlink(missing_ok=True)

    def _stop(self, deadline: Deadline | None) -> None:
        """Remove the vassal file, and wait for the Act to end if there is a deadline."""
        members = self._waiter.members()
        if self.wanted:
            tries.forget(self.paths)
        vassal_files.put_away(self.paths)
        self._waiter.await_notice()
        if deadline:
            self._waiter.await_end(members, deadline)

    def _reload(self) -> None:
        vassal = self._waiter.entry()
        in_turn = vassal and self._waiter.workers() > 1 and reloading.chain(self.paths, vassal)
        if not in_turn:
            reloading.reload(self.paths, vassal)

    def _refuse_faulty(self) -> None:
        """Refuse to reload a running Act with a file that cannot work."""
        used = vassal_files.kept(self.paths)
        if used is None or used == vassal_files.current(self.paths) or not self._waiter.listed():
            return
        if fault := dry_run.fault(self.paths, running=used):
            message = "cannot be restarted and keeps running as before"
            raise ActFailed(self.name, message, str(fault))
        vassal_files.keep(self.paths)


def _deadline(wait: float | None) -> Deadline | None:
    return None if wait is None else Deadline(finite(wait))
