"""Asking a Django project by a program of ours that runs in the project's own Python.

Those programs lie in `inside/`. Nothing here imports them, as what they import is the project's:
any Django, on any Python that it runs on.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system import programs, users
from ..uwsgi import log_reasons
from .project import Project

Answer = Mapping[str, Any]

_INSIDE = Path(__file__).parent / "inside"
# How long a project may take to answer, in seconds.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Silence:
    """A project's Python has not answered; `status` is its exit code, None where it ran too long.

    `output` is what it said instead. The project's secrets may be in it.
    """

    status: int | None
    output: str = ""

    @property
    def why(self) -> str:
        """What is wrong, in one line."""
        if self.status is None:
            return f"it is not loaded after {_PATIENCE:.0f} s"
        told = log_reasons.reason_from(self.output)
        return told or f"its Python ended with exit code {self.status}"


def word() -> str:
    """A word that nobody else knows: a line that begins with it is no other program's."""
    return secrets.token_hex(16)


def words(program: str, *arguments: str) -> list[str]:
    """What a Python is given to run a program from `inside/`.

    It is given the text, so that the modules it finds first are those of its working directory, and
    so that a user who cannot read this library can run it, too.
    """
    text = (_INSIDE / f"{program}.py").read_text(encoding="utf-8")
    return ["-c", text, *arguments]


class Question:
    """A program from `inside/` under way, run as the user that the project belongs to.

    It writes no bytecode. Whoever asks has to `end` it, answered or not.
    """

    def __init__(self, project: Project, program: str, word: str, *arguments: str) -> None:
        self.project = project
        self._word = word
        venue = project.act.venue.top
        self._process = programs.start(
            [project.python, "-B", *words(program, word, *arguments)],
            cwd=project.directory,
            env={**programs.service_environment(venue), **project.environment},
            uid=users.stand_in(venue, project.act.top),
        )

    def answer(self) -> Answer | Silence:
        """What it tells; waits for it."""
        try:
            output, _ = self._process.communicate(timeout=_PATIENCE)
        except programs.TookTooLong:
            return Silence(None)
        lines = [line for line in output.splitlines() if line.startswith(self._word)]
        if not lines:
            return Silence(self._process.returncode, output)
        told: Answer = json.loads(lines[-1].removeprefix(self._word))
        return told

    def end(self) -> None:
        """Leave no process of it."""
        with self._process:
            self._process.kill()


def answer_of(project: Project, program: str, *arguments: str) -> Answer | Silence:
    """What a project's Python answers to a program from `inside/`."""
    question = Question(project, program, word(), *arguments)
    try:
        return question.answer()
    finally:
        question.end()
