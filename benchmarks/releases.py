"""The environment of a release against `uv pip sync`, both from a warm cache."""

from __future__ import annotations

import sys
from pathlib import Path

from uv import find_uv_bin

from .environments import seconds
from .measuring import Limit, Row, Timings, repeat
from .stage import Stage

# With all that these need, 40 packages.
_PROJECT = """
[project]
name = "measured"
version = "1"
requires-python = ">=3.11"
dependencies = ["wagtail~=7.0", "whitenoise", "redis", "django-environ", "gunicorn"]
"""
_BUILD = """
import sys
from pathlib import Path
from backstage.virtualenvs import declared, interpreters, release_environment
top, tree, *former = map(Path, sys.argv[1:])
release_environment.build(
    top, tree, declared.find(tree), interpreters.current(), former=next(iter(former), None)
)
"""


def measure_release_environments(stage: Stage, pairs: int) -> list[Row]:
    """A first release, and one that changes no package, against uv alone."""
    tree = stage.top / "measured"
    tree.mkdir()
    (tree / "pyproject.toml").write_text(_PROJECT)
    uv: str = find_uv_bin()
    listed = tree / "listed.txt"
    _do(stage, [uv, "lock", "--project", tree])
    export: list[str | Path] = [
        uv,
        "export",
        "--frozen",
        "--no-emit-project",
        "--quiet",
        "--project",
        tree,
    ]
    _do(stage, [*export, "--output-file", listed])
    number_of = sum("==" in line for line in listed.read_text().splitlines())

    def measure(number: int) -> Timings:
        compiled, bare = stage.top / f"compiled-{number}", stage.top / f"bare-{number}"
        for top in (compiled, bare):
            _do(stage, [uv, "venv", "--quiet", "--python", sys.executable, top])
        first, following = (stage.top / f"{name}-{number}" / "env" for name in ("first", "next"))
        return {
            "compiled": seconds(stage, [*_sync(compiled), listed, "--compile-bytecode"]),
            "first": _built(stage, first, tree),
            "bare": seconds(stage, [*_sync(bare), listed]),
            "next": _built(stage, following, tree, first),
        }

    measured = repeat("release environment", pairs, measure)
    what = f"environment of a release, {number_of} packages"
    by_uv = "`uv pip sync --compile-bytecode`"
    return [
        Row(f"{what}, against {by_uv}", measured["first"], measured["compiled"], Limit(times=1.3)),
        Row(
            "… of the next one with the same packages, against `uv pip sync` without bytecode",
            measured["next"],
            measured["bare"],
            Limit(times=1.3),
        ),
    ]


def _sync(top: Path) -> list[str | Path]:
    return [find_uv_bin(), "pip", "sync", "--quiet", "--python", top / "bin" / "python"]


def _built(stage: Stage, top: Path, *places: Path) -> float:
    top.parent.mkdir()
    return seconds(stage, [sys.executable, "-c", _BUILD, top, *places])


def _do(stage: Stage, command: list[str | Path]) -> None:
    stage.finish(stage.start(command))
