"""Queries a Django project with a program that runs in the project's own Python.

Those programs are in `inside/`. Nothing here imports them, because their imports belong to the
project: any Django, on any Python that it supports.
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
    """A project's Python has not answered; `status` is its exit code, or None after a timeout.

    `output` is its output, which may contain the project's secrets.
    """

    status: int | None
    output: str = ""

    @property
    def why(self) -> str:
        """The reason, in one line."""
        if self.status is None:
            return f"it did not load within {_PATIENCE:.0f} s"
        told = log_reasons.reason_from(self.output)
        return told or f"its Python ended with exit code {self.status}"


def word() -> str:
    """A secret word that marks the answer, so that no other output is taken for it."""
    return secrets.token_hex(16)


def words(program: str, *arguments: str) -> list[str]:
    """The arguments with which a Python runs a program from `inside/`.

    They contain the program's text, so that Python searches its working directory first for
    modules, and a user who cannot read this library can run it too.
    """
    text = (_INSIDE / f"{program}.py").read_text(encoding="utf-8")
    return ["-c", text, *arguments]


class Question:
    """A running program from `inside/`, run as the owner of the project.

    It writes no bytecode. The caller must `end` it, answered or not.
    """

    def __init__(self, project: Project, program: str, word: str, *arguments: str) -> None:
        self.project = project
        self._word = word
        venue = project.act.venue.top
        self._process = programs.start(
            [project.python, "-B", *words(program, word, *arguments)],
            cwd=project.directory,
            env=project.whole_environment,
            uid=users.stand_in(venue, project.act.top),
        )

    def answer(self) -> Answer | Silence:
        """The answer; waits for it."""
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
        """Kill its process."""
        with self._process:
            self._process.kill()


def answer_of(project: Project, program: str, *arguments: str) -> Answer | Silence:
    """Run a program from `inside/` in a project's Python and return its answer."""
    question = Question(project, program, word(), *arguments)
    try:
        return question.answer()
    finally:
        question.end()
