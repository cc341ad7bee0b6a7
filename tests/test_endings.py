"""Law: a run that is told to end, by whichever signal, first ends all that its tests have begun."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from backstage.system.deadlines import Deadline, until

from .conftest import Spawn

CHECKOUT = Path(__file__).parents[1]
CONFTEST = """
from tests.endings import ENDING
def pytest_configure(config):
    ENDING.listen(config)
"""
# Each test has a process, begun by a fixture of the whole session, and waits.
TESTS = """
import os, pathlib, signal, subprocess, time
import pytest
@pytest.fixture(scope="session")
def begun():
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process.pid
        time.sleep({tidying})
        process.kill()
@pytest.mark.parametrize("number", range({count}))
def test_it_waits(begun, number):
    (pathlib.Path(__file__).parent / f"{{number}}.pid").write_text(f"{{begun}}\\n")
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "told", "tidying"),
    [
        (0, signal.SIGTERM, 0),
        (0, signal.SIGINT, 0),
        (2, signal.SIGTERM, 0),
        # Longer than xdist waits for its workers by itself.
        (2, signal.SIGINT, 12),
    ],
)
def test_nothing_is_left(
    tmp_path: Path, spawn: Spawn, workers: int, told: signal.Signals, tidying: int
) -> None:
    tests = max(workers, 1)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_waiting.py").write_text(TESTS.format(count=tests, tidying=tidying))
    (tmp_path / "pytest.ini").touch()
    words = ["-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, "-n", workers, "--dist", "load"]
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    run = spawn(sys.executable, "-m", "pytest", *words, tmp_path, cwd=CHECKOUT, env=environment)

    def begun() -> list[int]:
        return [int(path.read_text() or 0) for path in tmp_path.glob("*.pid")]

    assert until(lambda: len(begun()) == tests and all(begun()), Deadline(120.0))
    run.send_signal(told)
    assert run.wait(timeout=120) == pytest.ExitCode.INTERRUPTED
    assert not [pid for pid in begun() if psutil.pid_exists(pid)]
