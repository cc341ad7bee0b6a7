"""What a trial of new code came to, from what its program reported and how it ended."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import CheckFailed
from ..facts.trials import Trial
from ..uwsgi import log_reasons

# How much of its output is shown, in lines and characters a line.
_TAIL = 40
_LONGEST = 1000


@dataclass(frozen=True)
class Report:
    """How a trial ended; the project that it ran may have written anything into it.

    Lines of `output` that begin with `word` are the program's. `paths` are the pages that it was to
    ask for. `status` is its exit status, negative for a signal, and None if it had to be ended
    after `patience` seconds. `starved` tells whether the kernel ended it for lack of memory.
    """

    act: str
    word: str
    paths: Collection[str]
    output: str
    status: int | None
    starved: bool
    patience: float

    def judge(self) -> Trial:
        """The outcome. Raises CheckFailed."""
        facts = list(self._facts())
        last = facts[-1] if facts else {}
        doing = [fact["doing"] for fact in facts if fact.get("doing") in self.paths]
        path = str(doing[-1]) if doing else ""
        if not last.get("done"):
            raise CheckFailed(self.act, self._unfinished(path), path=path, output=self._said)
        found = last.get("found")
        if not isinstance(found, dict):
            return Trial.PASSED
        if untold := found.get("untold"):
            return Trial.NEEDS_UWSGI if untold == "uwsgi" else Trial.NOT_WSGI
        status = found.get("status")
        raise CheckFailed(
            self.act,
            _clean([self._fault(path, found)]),
            path=path,
            status=status if isinstance(status, int) else None,
            output=self._said,
        )

    @property
    def _said(self) -> str:
        """The end of what the project printed."""
        lines = self.output.splitlines()
        return _clean(line for line in lines if not line.startswith(self.word))

    def _facts(self) -> Iterable[Mapping[str, Any]]:
        """What the program has reported, in order."""
        for line in self.output.splitlines():
            with suppress(ValueError):
                fact = json.loads(line[len(self.word) :]) if line.startswith(self.word) else None
                if isinstance(fact, dict):
                    yield fact

    def _fault(self, path: str, found: Mapping[str, Any]) -> str:
        """The fault as one line, for example: '/ answers 500: ValueError: … (views.py, line 3)'."""
        trace = str(found.get("traceback") or "")
        error = log_reasons.reason_from(_clean(trace.splitlines(), _LONGEST))
        if not path:
            return error or "it cannot be loaded"
        if "status" not in found:
            return f"{path} is not answered: {error}"
        told = f"{path} answers {found['status']}"
        if found.get("good"):
            return f"{told} without the text it should have"
        error = error or log_reasons.exception_in(self._said)
        return ": ".join(filter(None, (told, str(found.get("line") or ""), error)))

    def _unfinished(self, path: str) -> str:
        what = f"{path} is not answered" if path else "it does not load"
        if self.starved:
            return f"{what} with the memory that the Act may use"
        if self.status is None:
            return f"{what} within {self.patience:.0f} s"
        # The program reports a signal that ended the project as a shell does.
        if signalled := -self.status if self.status < 0 else max(0, self.status - 128):
            return f"{what}: its process was killed by signal {signalled}"
        told = f"{what}: its process ended by itself with exit code {self.status}"
        words = log_reasons.reason_from(self._said) or "".join(self._said.splitlines()[-1:])
        return f"{told}, saying: {words}" if words else told


def _clean(lines: Iterable[str], most: int = _TAIL) -> str:
    """The last lines of a text that a project wrote, without what could steer a terminal."""
    kept = [line for line in lines if line.strip()][-most:]
    return "\n".join(
        "".join(sign if sign.isprintable() else " " for sign in line[:_LONGEST]) for line in kept
    )
