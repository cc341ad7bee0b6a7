"""The programs that run in a project's own Python: that may be an old one, with any Django."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from backstage.projects import ask

PROGRAMS = sorted((Path(ask.__file__).parent / "inside").glob("*.py"))
# The oldest Python that a project may run on; Django 4.2 needs one that is older still.
OLDEST = (3, 9)


def test_there_are_some() -> None:
    assert len(PROGRAMS) > 2


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_old_python_can_read_it(program: Path) -> None:
    ast.parse(program.read_text(), feature_version=OLDEST)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_it_imports_only_what_every_django_project_has(program: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(program.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "nothing of ours is there"
            found.add((node.module or "").partition(".")[0])
    assert found <= {*sys.stdlib_module_names, "django"}
