"""An Act against the floor: the same project served by one bare uwsgi process."""

from __future__ import annotations

import time
from pathlib import Path

from backstage.layout.paths import VenuePaths
from backstage.uwsgi.emperor import Emperor

from .answers import first_200
from .births import seen_birth, watch_births
from .calls import Call, finished_call, start_call
from .environments import NEW_VENUE
from .measuring import Limit, Row, Timings, repeat
from .servers import floor
from .stage import Stage

# uWSGI's master checks about once a second; rounds begin at different points of that interval.
_IDLE = 1.0
_BEAT = 0.37


def measure_new_acts(stage: Stage, pairs: int) -> list[Row]:
    """`new_act` against serving and against migrating the project that it made."""
    venue = _new_venue(stage, "new-acts")

    def measure(number: int) -> Timings:
        name = f"act{number}"
        ours = _new_act(stage, venue, name)
        _call(stage, venue, name, "stop")
        project = venue / "acts" / name
        served = floor(stage, venue, project, name)
        migrated = _migration(stage, venue, project)
        return {**ours, "floor": served, "migrate": migrated}

    measured = repeat("new_act", pairs, measure)
    slower = [max(pair) for pair in zip(measured["floor"], measured["migrate"], strict=True)]
    return [
        Row(
            "`new_act` to the first 200, against the floor",
            measured["first 200"],
            measured["floor"],
            Limit(times=1.5),
        ),
        Row(
            "`new_act` until it returns, migrations and static files included, "
            "against the slower of the floor and `manage.py migrate`",
            measured["returned"],
            slower,
            Limit(times=1.2),
        ),
    ]


def measure_verbs(stage: Stage, pairs: int) -> list[Row]:
    """`start`, `restart` and `stop` of one Act, repeatedly."""
    venue, name = _new_venue(stage, "verbs"), "act"
    port = stage.free_port()
    finished_call(stage, start_call(stage, venue, name, "new_act", str(port)))
    _call(stage, venue, name, "stop")

    def measure(number: int) -> Timings:
        served = floor(stage, venue, venue / "acts" / name, name)
        started = _start(stage, venue, name, port)
        unchecked = _call_when_idle(stage, venue, name, "unchecked", number)
        restarted = _call_when_idle(stage, venue, name, "restart", number)
        stopped = _call_when_idle(stage, venue, name, "stop", number)
        restarts = {"unchecked": unchecked, "restart": restarted}
        return {"floor": served, **started, **restarts, "stop": stopped}

    measured = repeat("start, restart, stop", pairs, measure)
    served = measured["floor"]
    return [
        Row(
            "`act.start()` to the first 200, against the floor",
            measured["first 200"],
            served,
            Limit(times=1.15),
        ),
        Row("… until it returns", measured["returned"], served),
        Row("… until the vassal's process exists", measured["process"], limit=Limit(plus=0.010)),
        Row(
            "`act.stop()` of an idle Act, verified, beside the floor",
            measured["stop"],
            served,
            Limit(plus=0.250),
        ),
        Row(
            "`act.restart(check=False)`, against the floor",
            measured["unchecked"],
            served,
            Limit(times=1.15, plus=0.200),
        ),
        Row(
            "`act.restart()`, which tries the new code first, against one without a trial",
            measured["restart"],
            measured["unchecked"],
            Limit(times=2.2),
        ),
    ]


def _new_venue(stage: Stage, name: str) -> Path:
    stage.finish(stage.python("-c", NEW_VENUE, name, stage.top))
    return stage.top / name


def _new_act(stage: Stage, venue: Path, name: str) -> Timings:
    port = stage.free_port()
    stage.settle()
    calling = start_call(stage, venue, name, "new_act", str(port))
    answered = first_200(port, calling)
    call = finished_call(stage, calling)
    return {"first 200": answered - call.called, "returned": call.seconds}


def _migration(stage: Stage, venue: Path, project: Path) -> float:
    """Seconds that `manage.py migrate` takes for a database that does not exist yet."""
    database = f"DATABASE_URL=sqlite:///{project / 'fresh.sqlite3'}"
    manage: list[str | Path] = [venue / "bin" / "python", project / "manage.py"]
    stage.settle()
    began = time.monotonic()
    stage.finish(stage.start(["env", database, *manage, "migrate", "--noinput"]))
    return time.monotonic() - began


def _start(stage: Stage, venue: Path, name: str, port: int) -> Timings:
    emperor = Emperor(VenuePaths(venue)).pid
    assert emperor is not None
    stage.settle()
    watcher = watch_births(stage, emperor)
    calling = start_call(stage, venue, name, "start")
    answered = first_200(port, calling)
    call = finished_call(stage, calling)
    return {
        "process": seen_birth(stage, watcher) - call.called,
        "first 200": answered - call.called,
        "returned": call.seconds,
    }


def _call_when_idle(stage: Stage, venue: Path, name: str, verb: str, number: int) -> float:
    time.sleep(_IDLE + number * _BEAT % 1)
    return _call(stage, venue, name, verb).seconds


def _call(stage: Stage, venue: Path, name: str, verb: str) -> Call:
    return finished_call(stage, start_call(stage, venue, name, verb))
