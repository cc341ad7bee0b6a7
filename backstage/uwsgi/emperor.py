"""The uWSGI Emperor of a Venue: find, start, wake and stop it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import EmperorFailed, NotAllowed
from ..facts.sightings import Halt
from ..layout import executed
from ..layout.paths import VenuePaths
from ..logs import log_files
from ..system import processes, programs, trust
from ..system.deadlines import Deadline, finite, until
from ..system.files import contents, lock_holder
from ..system.locks import locked
from ..system.refusals import telling
from ..systemd import client
from . import lost_parts, orphans, resident, stats

# A log longer than this, in bytes, is rotated when the Emperor starts.
_LOG_MAX = 10_000_000
_START_PATIENCE = 15.0
_KILL_PATIENCE = 5.0
# While an Emperor shuts down, its loop is woken at this interval, in seconds.
_TENDING = 0.01
# While systemd starts an Emperor, it is polled at this interval, in seconds.
_ASKING = 0.05


class Emperor:
    """The Emperor of the Venue at `paths`, whoever started it."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths

    def __repr__(self) -> str:
        pid = self.pid
        return f"<Emperor of {self._paths.top} {f'pid {pid}' if pid else 'not running'}>"

    @property
    def pid(self) -> int | None:
        """The pid of the running Emperor: the kernel names the process that holds its lock.

        So neither a stale pid file nor a reused pid can mislead. Raises NotYours in another user's
        Venue, and SystemRefused.
        """
        with telling("finding the Emperor", self._paths.top):
            return lock_holder(self._paths.emperor_lock)

    def stats(self) -> stats.EmperorStats | None:
        """The Emperor's report on its vassals; asking for it also makes it scan `vassals/`.

        None if no Emperor runs, or if a signal has suspended it.
        """
        if self.halt:
            return None
        return stats.read_emperor(self._paths.emperor_stats)

    @property
    def halt(self) -> Halt | None:
        """The Emperor's process, if a signal has halted it."""
        pid = self.pid
        facts = processes.facts(pid) if pid else None
        return Halt("the Emperor", (pid,)) if pid and facts and facts.halted else None

    def refuse_halted(self) -> None:
        """Raise EmperorFailed if a signal has halted the Emperor: it does nothing for its Acts."""
        if halt := self.halt:
            raise EmperorFailed(str(halt))

    def refuse_unreachable(self) -> None:
        """Raise EmperorFailed if the Emperor is no process of this host, or container."""
        if self.pid is not None and self.pid <= 0:
            raise EmperorFailed(
                f"the Emperor of {self._paths.top} runs in another container or on another host; "
                "stop it there"
            )

    def refuse_lost(self) -> None:
        """Raise PartLost if something is lost without which it can start or stop no Act."""
        lost_parts.refuse(self._paths, self.pid)

    def wake(self) -> None:
        """Make the Emperor scan `vassals/` now; returns as soon as it has been told."""
        self.stats()

    def forgive(self) -> None:
        """Make the Emperor forget which vassals failed, so that it retries them now."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGURG)

    def start(self) -> None:
        """Start the Emperor unless it is running; returns when it watches `vassals/`.

        If a unit runs it, systemd starts it. Raises EmperorFailed, UnsafeDirectory, SystemRefused,
        and NotAllowed if this user may not start that unit or the Venue is another's.
        """
        with telling("starting the Emperor", self._paths.top):
            self._start()

    def _start(self) -> None:
        self.refuse_halted()
        self.refuse_lost()
        lost_parts.make_log_directory(self._paths)
        if self.pid and self.stats():
            return
        if service := client.service_of(self._paths.top):
            self._have_started(service)
            return
        # This process would start it as its own user, whoever owns the Venue.
        trust.refuse_shared(self._paths.top, os.geteuid())
        executed.refuse_loose(self._paths)
        with self._locked("starting"):
            if self.pid is None:
                orphans.refuse_at(self._paths.top)
                self._sweep()
                self._launch()
            elif not until(lambda: self.stats() is not None, Deadline(_START_PATIENCE)):
                raise EmperorFailed(f"the Emperor (pid {self.pid}) does not answer", self._tail())

    def stop(self, wait: float) -> None:
        """Stop the Emperor and every vassal; returns when no process is left.

        Requests in progress may finish. Processes that remain after `wait` seconds, or after the
        unit's own timeout, are killed. Raises EmperorFailed if a process survives that,
        SystemRefused, and NotAllowed if this user may not stop the unit or the Venue is another's.
        """
        if service := client.service_of(self._paths.top):
            if service.at_work:
                service.tell("stop")
            if self.pid is None:
                return
        self.end(wait)

    def end(self, wait: float) -> None:
        """Like `stop`, for an Emperor that no unit has started."""
        trust.refuse_foreign(self._paths.top)
        with self._locked("stopping"):
            pid = self.pid
            if pid is not None:
                self.refuse_unreachable()
                resident.end_halted(self._paths)
                everybody, families = processes.family(pid), processes.families(pid)
                _tell_to_end(pid)
                until(lambda: self._gone(pid, families), Deadline(finite(wait)), pause=_TENDING)
                left = processes.kill_remaining(everybody, Deadline(_KILL_PATIENCE))
                if left or self.pid is not None:
                    raise EmperorFailed(f"the Emperor (pid {pid}) cannot be stopped", self._tail())
            self._sweep()

    def _have_started(self, service: client.Service) -> None:
        service.forgive()
        service.tell("start", "--no-block")
        until(
            lambda: self.stats() is not None or not service.at_work,
            Deadline(_START_PATIENCE),
            pause=_ASKING,
        )
        if self.stats() is None:
            said = f"see: {service.command('status')}\n{self._tail()}"
            raise EmperorFailed(f"systemd did not start the Emperor of {self._paths.top}", said)

    @contextmanager
    def _locked(self, doing: str) -> Iterator[None]:
        with telling(f"{doing} the Emperor", self._paths.top):
            self._paths.run.mkdir(mode=0o700, exist_ok=True)
            with locked(self._paths.run / "emperor.lock", f"{doing} the Emperor"):
                yield

    def _gone(self, pid: int, families: list[list[processes.Process]]) -> bool:
        if not processes.alive(pid):
            return True
        families[:] = [processes.completed(family) for family in families]
        for family in families:
            processes.wake_lone_master(family)
        with suppress(ProcessLookupError):
            # Only interrupts the Emperor's sleep between two scans of its vassals.
            os.kill(pid, signal.SIGWINCH)
        return False

    def _launch(self) -> None:
        self._paths.emperor_lock.touch(mode=0o600)
        self._set_log_aside()
        log_files.make_private(self._paths.emperor_log)
        offset = log_files.size(self._paths.emperor_log)
        pid = programs.detach(
            [uwsgi_of(self._paths), "--ini", self._paths.emperor_ini],
            cwd=self._paths.top,
            env=programs.service_environment(self._paths.top),
            log=self._paths.emperor_log,
        )
        patience = Deadline(_START_PATIENCE)
        until(lambda: self.stats() is not None or not processes.alive(pid), patience, pause=0.002)
        if self.pid is None or self.stats() is None:
            said = log_files.tail(self._paths.emperor_log, 15, since=offset)
            raise EmperorFailed(f"the Emperor of {self._paths.top} did not start", said)

    def _set_log_aside(self) -> None:
        log = self._paths.emperor_log
        # Whoever writes into a pipe waits for somebody to read.
        is_other = os.path.lexists(log) and not log.is_file()
        if is_other or log_files.size(log) > _LOG_MAX:
            log.replace(log.with_suffix(".log.1"))

    def _sweep(self) -> None:
        """End the processes that a killed Emperor left behind; they would hold the Acts' ports."""
        session = self._last_session()
        if session is None:
            return
        left = processes.of_venue(session, self._paths.top)
        until(lambda: not processes.running(left), Deadline(0.5 if left else 0.0))
        if processes.kill_remaining(left, Deadline(_KILL_PATIENCE)):
            pids = ", ".join(str(process.pid) for process in processes.running(left))
            raise EmperorFailed(f"processes of an earlier Emperor cannot be stopped: pid {pids}")

    def _last_session(self) -> int | None:
        try:
            return int(contents(self._paths.emperor_pid))
        except (OSError, ValueError):
            return None

    def _tail(self) -> str:
        return log_files.tail(self._paths.emperor_log, 15)


def _tell_to_end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        # One that is halted can only end if it goes on.
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        # It has just ended by itself.
        return
    except PermissionError as error:
        raise NotAllowed(
            f"the Emperor (pid {pid}) runs as another user; to stop it, type: sudo kill {pid}"
        ) from error


def uwsgi_of(venue_paths: VenuePaths) -> Path:
    """The uWSGI program of the Venue, for its Emperor and vassals."""
    shim = venue_paths.top / "bin" / "uwsgi-shim"
    return shim if shim.exists() else venue_paths.top / "bin" / "uwsgi"
