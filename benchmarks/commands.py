"""The duration of commands, compared with those of other process managers."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from .light import light_acts
from .managers import MANAGERS, Command, Missing
from .measuring import Finding, Limit, Line, Rounds, Row, Timings, repeat
from .stage import Stage

_COUNT = 100
# Our command, their command, and the name of that manager.
_BESIDE = (
    ("status", "supervisorctl status", "supervisor"),
    ("status", "pm2 list", "pm2"),
    ("status --json", "pm2 jlist", "pm2"),
    ("restart", "supervisorctl restart", "supervisor"),
    ("restart", "pm2 restart", "pm2"),
)


def measure_commands(stage: Stage, pairs: int) -> list[Line]:
    """The help, the status of a hundred and the restart of one, with all managers running."""
    missing: dict[str, str] = {}
    with light_acts(stage, "commands", _COUNT) as acts, ExitStack() as closing:
        names = [act.name for act in acts]
        commands = _ours(acts[0].venue, names[0])
        for name, run in MANAGERS.items():
            try:
                commands |= closing.enter_context(run(stage, names))
            except Missing as error:
                missing[name] = f"{name} {error}"
        stage.settle()

        def measure(number: int) -> Timings:
            return {name: _seconds(stage, command) for name, command in commands.items()}

        measured = repeat("commands", pairs, measure)
    return [
        Row("`backstage --help`", measured["--help"], measured["pass"], Limit(plus=0.120)),
        Row(
            f"`backstage status` of {_COUNT} Acts, against `python -c pass`",
            measured["status"],
            measured["pass"],
            Limit(times=1, plus=0.250),
        ),
        *(
            _beside(measured, ours, theirs, missing.get(manager))
            for ours, theirs, manager in _BESIDE
        ),
    ]


def _ours(venue: Path, act: str) -> dict[str, Command]:
    backstage = Path(sys.executable).with_name("backstage")
    return {
        "pass": [sys.executable, "-c", "pass"],
        "--help": [backstage, "--help"],
        "status": [backstage, "status", "--venue", venue],
        "status --json": [backstage, "status", "--json", "--venue", venue],
        "restart": [backstage, "restart", act, "--venue", venue],
    }


def _beside(measured: Rounds, ours: str, theirs: str, missing: str | None) -> Line:
    what = (
        f"`backstage {ours}` beside `{theirs}`, {'one' if 'restart' in ours else 'all'} of {_COUNT}"
    )
    if missing:
        return Finding(what, f"left out: {missing}")
    return Row(what, measured[ours], measured[theirs])


def _seconds(stage: Stage, command: Command) -> float:
    began = time.monotonic()
    stage.finish(stage.start(command))
    return time.monotonic() - began
