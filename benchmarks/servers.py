"""The floor: a project served by one bare uwsgi process, without an Emperor or a master."""

from __future__ import annotations

import time
from pathlib import Path

from .answers import first_200
from .stage import Stage


def bare_uwsgi(environment: Path, project: Path, name: str, port: int) -> list[str | Path]:
    """The command that serves the Django project `name` in the directory `project`."""
    return [
        *(environment / "bin" / "uwsgi", "--need-app"),
        *("--http-socket", f"127.0.0.1:{port}"),
        *("--chdir", project, "--virtualenv", environment),
        *("--module", f"{name}.wsgi:application"),
    ]


def floor(stage: Stage, environment: Path, project: Path, name: str) -> float:
    """Seconds from the start of a bare uwsgi to its first 200."""
    port = stage.free_port()
    command = bare_uwsgi(environment, project, name, port)
    stage.settle()
    began = time.monotonic()
    server = stage.start(command)
    answered = first_200(port, server)
    stage.kill(server)
    return answered - began
