"""The hook that git runs before a commit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
CONFIGURATION = ".pre-commit-config.yaml"
MAKEFILE = "lint:\n\t@echo linted as make does\n\t@exit {code}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with our hook and two files, whose lint is a stand-in for ours."""
    git = ["git", "-C", tmp_path]
    shutil.copy2(CHECKOUT / CONFIGURATION, tmp_path)
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    return tmp_path


@pytest.mark.parametrize(("code", "verdict"), [(0, "Passed"), (1, "Failed")])
def test_a_commit_is_linted_by_make_lint_alone(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, code: int, verdict: str
) -> None:
    """Once for all files, with no other definition of lint than that of the Makefile."""
    (repository / "Makefile").write_text(MAKEFILE.format(code=code))
    home = str(tmp_path_factory.mktemp("home"))
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose", "--color=never"],
        cwd=repository, capture_output=True, text=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": home},
    )  # fmt: skip
    assert bool(done.returncode) == bool(code), done.stdout + done.stderr
    assert done.stdout.count("linted as make does") == 1
    assert "a.py" not in done.stdout
    [told] = [line for line in done.stdout.splitlines() if line.startswith("make lint")]
    assert told.endswith(verdict)
