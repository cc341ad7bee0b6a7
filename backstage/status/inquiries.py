"""Asking an Act for its health, and recording what it said."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace

from ..errors import BackstageError, UnknownUser, UnsafeDirectory
from ..facts.health import Generation, HealthCheck, HealthRecord
from ..layout.paths import ActPaths
from ..layout.settings import Settings
from ..logs import log_files
from ..projects.env_file import EnvFile
from ..system import processes
from ..system.deadlines import Deadline, until
from ..uwsgi import log_reasons, questions
from ..uwsgi.health_check import check_of
from ..uwsgi.questions import Answer, Question
from . import health_records
from .wording import one_line

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.IGNORECASE)
_ACCEPTED = frozenset({"localhost", "*"})
# More lines than a traceback has.
_LINES = 400
_FIRST_ERROR = 500


class Inquiry:
    """One question to the processes of a generation; `noted` is the Act's last record. Close it."""

    def __init__(
        self,
        act_paths: ActPaths,
        question: Question,
        generation: Generation,
        noted: HealthRecord | None,
    ) -> None:
        self._paths = act_paths
        self._question = question
        self._generation = generation
        self._before = noted if noted and noted.generation.lasts(generation) else None
        self._logged = log_files.size(act_paths.log)

    def record(self, wait: float, *, for_log: float = 0.0) -> HealthRecord | None:
        """What it said, written down; None if there is no answer yet after `wait` seconds.

        The master may write an exception into the log later than the worker answers: `for_log` is
        how many seconds to wait for it.
        """
        answer = self._question.answer(wait)
        if answer is None:
            return None
        before = self._before
        # Others may have asked it meanwhile.
        noted = health_records.read(self._paths, self._generation)
        record = HealthRecord(
            generation=self._generation,
            at=processes.boot_clock(),
            since=before.since if before and before.ok is answer.ok else time.time(),
            ok=answer.ok,
            why=self._why(answer, for_log),
            asked=(noted.asked if noted else 0) + (answer.status is not None),
        )
        health_records.write(self._paths, record, noted)
        return record

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is more of an answer."""
        return self._question.fileno()

    def close(self) -> None:
        self._question.close()

    def _why(self, answer: Answer, for_log: float) -> str:
        if answer.ok:
            return ""
        if answer.status and answer.status >= _FIRST_ERROR:
            until(lambda: bool(self._logged_reason()), Deadline(for_log))
        said = filter(None, (answer.what, answer.words, self._logged_reason()))
        why, before = one_line(": ".join(said)), self._before
        # The same trouble need not be logged each time.
        is_known = before is not None and before.why.startswith(f"{why}: ")
        return before.why if before and is_known else why

    def _logged_reason(self) -> str:
        """The exception in the Act's log since it was asked, with its file inside the project."""
        log = log_files.tail(self._paths.log, _LINES, since=self._logged)
        return log_reasons.exception_in(log).replace(f"{self._paths.top}/", "")


def question_for(act_paths: ActPaths, settings: Settings | None = None) -> HealthCheck:
    """The health check of an Act, for a host name that it accepts.

    `settings` saves reading venue.yaml for each of many Acts.
    """
    check = check_of(act_paths, settings)
    return replace(check, host=_host(act_paths, check)) if check.path else check


def inquire(
    act_paths: ActPaths, check: HealthCheck, generation: Generation, noted: HealthRecord | None
) -> Inquiry | None:
    """Ask an Act; None if it is not to be asked, or nowhere."""
    if not check:
        return None
    try:
        question = questions.ask(act_paths, check)
    except (OSError, UnknownUser, UnsafeDirectory):
        # No more files can be opened, or the command cannot be started, or others can change it.
        return None
    return Inquiry(act_paths, question, generation, noted) if question else None


def _host(act_paths: ActPaths, check: HealthCheck) -> str:
    """A name that Django accepts: each other one would be an error in the Act's log."""
    allowed = ""
    with suppress(BackstageError, OSError):
        allowed = EnvFile(act_paths).get("ALLOWED_HOSTS", "")
    names = [name.strip() for name in allowed.split(",")]
    usable = [name for name in names if _HOST.fullmatch(name)]
    if check.host not in _ACCEPTED or not usable or _ACCEPTED.intersection(names):
        return check.host
    return usable[0]
