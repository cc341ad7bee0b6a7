"""From nothing: a Venue against virtualenv and pip, up to the first page."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from .answers import first_200
from .measuring import Limit, Row, Timings, repeat
from .servers import bare_uwsgi
from .stage import Stage, stop_venue

NEW_VENUE = "import sys; from backstage.shortcuts import new_venue; new_venue(*sys.argv[1:3])"
_PAGE = """
import sys
from backstage.shortcuts import new_venue, new_act
new_act(new_venue(*sys.argv[1:3]), sys.argv[3], port=int(sys.argv[4]))
"""


def measure_venues(stage: Stage, pairs: int) -> list[Row]:
    """A complete Venue, its Emperor watching, against an environment made by hand."""

    def measure(number: int) -> Timings:
        by_hand = seconds(stage, ["sh", "-ec", _filled(stage.top / f"by-hand-{number}")])
        venue = f"venue-{number}"
        ours = seconds(stage, [sys.executable, "-c", NEW_VENUE, venue, stage.top])
        stop_venue(stage.top / venue)
        return {"by hand": by_hand, "new_venue": ours}

    measured = repeat("new_venue", pairs, measure)
    what = "`new_venue`, complete, against `virtualenv` + `pip install django uwsgi`"
    return [Row(what, measured["new_venue"], measured["by hand"], Limit(times=0.17))]


def measure_pages(stage: Stage, pairs: int) -> list[Row]:
    """The first page of a new project in a new environment, on both sides."""

    def measure(number: int) -> Timings:
        return {"by hand": _page_by_hand(stage, number), **_page_of_ours(stage, number)}

    measured = repeat("first page", pairs, measure)
    by_hand = "the same with virtualenv, pip, django-admin and a bare uwsgi"
    return [
        Row(
            f"`new_venue`, `new_act`, first 200, against {by_hand}",
            measured["first 200"],
            measured["by hand"],
            Limit(times=0.22),
        ),
        Row(
            "… until `new_act` returns, with migrations and static files",
            measured["returned"],
            measured["by hand"],
        ),
    ]


def _filled(environment: Path) -> str:
    """Shell commands that make an environment with Django and uWSGI."""
    place = shlex.quote(str(environment))
    python = shlex.quote(sys.executable)
    return f"{python} -m virtualenv {place}; {place}/bin/pip install django uwsgi"


def _page_by_hand(stage: Stage, number: int) -> float:
    environment = stage.top / f"site-by-hand-{number}"
    project, name, port = environment / "project", "byhand", stage.free_port()
    commands = [
        _filled(environment),
        shlex.join(["mkdir", str(project)]),
        shlex.join([str(environment / "bin" / "django-admin"), "startproject", name, str(project)]),
        # exec replaces the shell, so that ending the process ends uWSGI.
        f"exec {shlex.join(map(str, bare_uwsgi(environment, project, name, port)))}",
    ]
    stage.settle()
    began = time.monotonic()
    server = stage.start(["sh", "-ec", "; ".join(commands)])
    answered = first_200(port, server)
    stage.kill(server)
    return answered - began


def _page_of_ours(stage: Stage, number: int) -> Timings:
    venue, port = f"site-{number}", stage.free_port()
    stage.settle()
    began = time.monotonic()
    process = stage.python("-c", _PAGE, venue, stage.top, "first", str(port))
    answered = first_200(port, process)
    stage.finish(process)
    returned = time.monotonic()
    stop_venue(stage.top / venue)
    return {"first 200": answered - began, "returned": returned - began}


def seconds(stage: Stage, command: list[str | Path]) -> float:
    """How long a program takes, from its start to its end."""
    stage.settle()
    began = time.monotonic()
    stage.finish(stage.start(command))
    return time.monotonic() - began
