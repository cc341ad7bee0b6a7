"""Real programs: their environment, and how they are run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from backstage.errors import UnknownUser
from backstage.system import processes, programs
from backstage.system.deadlines import Deadline, until
from tests.conftest import Spawn
from tests.patience import PATIENCE


def eventually(condition: Callable[[], bool]) -> bool:
    return until(condition, Deadline(PATIENCE))


@pytest.fixture
def ending() -> Iterator[list[int]]:
    """Pids of detached processes; those added here are ended with the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# The environment of programs


def test_a_service_knows_nothing_of_the_shell_that_started_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the same from a terminal, cron or a unit, and above all has no secrets."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    kept = {
        "HOME": "/home/ann",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
        "TMPDIR": "/var/tmp",
        "https_proxy": "http://proxy:3128",
    }
    dropped = {
        "DJANGO_SETTINGS_MODULE": "other.settings",
        "UWSGI_RELOADS": "1",
        "UWSGI_EMPEROR_FD": "7",
        "PYTHONPATH": "/elsewhere",
        "PYTHONHOME": "/elsewhere",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SECRET_KEY": "x",
        "DATABASE_URL": "postgres://ann:secret@db/shop",
        "AWS_SECRET_ACCESS_KEY": "x",
        "LD_PRELOAD": "/tmp/evil.so",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "VIRTUAL_ENV": "/other",
        "XLC_ALL": "x",
    }
    for name, value in {**kept, **dropped, "PATH": "/opt/bin:/usr/bin"}.items():
        monkeypatch.setenv(name, value)
    assert programs.service_environment(Path("/usr")) == {
        **kept,
        "PATH": "/usr/bin:/opt/bin:/usr/bin",
        "VIRTUAL_ENV": "/usr",
    }


def test_a_service_finds_the_system_also_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    path = programs.service_environment(Path("/usr"))["PATH"].split(":")
    assert path[0] == "/usr/bin"
    assert {"/usr/bin", "/bin"} <= set(path)


def test_tools_keep_the_callers_settings_but_not_its_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example")
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "/elsewhere")
    environment = programs.tool_environment()
    assert environment["PIP_INDEX_URL"] == "https://index.example"
    assert environment["PATH"] == os.environ["PATH"]
    assert not [name for name, value in environment.items() if value == "/elsewhere"]


# Running them


def test_run_gives_both_streams_as_text(tmp_path: Path) -> None:
    """The output keeps its order, whatever its bytes; input is empty; the directory is as given."""
    script = r"printf 'one\n'; printf 'tw\377\n' >&2; cat; pwd; echo $A; exit 3"
    done = programs.run(["/bin/sh", "-c", script], cwd=tmp_path, env={"A": "b c"})
    assert done.stdout == f"one\ntw\N{REPLACEMENT CHARACTER}\n{tmp_path}\nb c\n"
    assert done.returncode == 3


def test_run_ends_what_takes_too_long(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    command = ["/bin/sh", "-c", f"echo $$ > '{note}'; exec sleep 600"]
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(command, timeout=0.5)
    assert not processes.alive(int(note.read_text()))


def test_what_takes_too_long_is_told_by_a_name_of_its_own() -> None:
    with pytest.raises(programs.TookTooLong):
        programs.run(["sleep", "600"], timeout=0.05)


def test_run_says_what_cannot_be_run() -> None:
    done = programs.run([Path("/nonexistent/program")])
    assert done.returncode
    assert "/nonexistent/program" in done.stdout


@pytest.mark.parametrize("verb", ["run(command)", "start(command, cwd=Path('/'), env={}).wait()"])
def test_a_helper_does_not_outlive_a_killed_caller(
    tmp_path: Path, spawn: Spawn, ending: list[int], verb: str
) -> None:
    note = tmp_path / "pid"
    script = (
        "from pathlib import Path; from backstage.system import processes, programs; "
        f"command = ['/bin/sh', '-c', 'echo $$ > {note}; exec sleep 600']; programs.{verb}"
    )
    caller = spawn(sys.executable, "-c", script)
    assert eventually(lambda: note.exists() and note.read_text().endswith("\n"))
    helper = int(note.read_text())
    ending.append(helper)
    assert processes.alive(helper)
    os.kill(caller.pid, signal.SIGKILL)
    assert eventually(lambda: not processes.alive(helper))


def test_start_runs_beside() -> None:
    script = "cat; echo out; echo err >&2; exit 4"
    work = programs.start(["/bin/sh", "-c", script], cwd=Path("/"), env={})
    output, _ = work.communicate(timeout=PATIENCE)
    assert (output, work.returncode) == ("out\nerr\n", 4)


def test_a_detached_program_is_on_its_own(tmp_path: Path, ending: list[int]) -> None:
    """It has its own session, is not a child of this process, and has the returned pid."""
    log = tmp_path / "two words.log"
    log.write_text("before\n")
    script = (
        "import os, sys; "
        "print(os.getpid(), os.getsid(0), os.getcwd(), repr(sys.stdin.read()), sys.argv[1:], "
        "sorted(set(os.environ) - {'LC_CTYPE', 'PWD'}), flush=True); "
        "print('error', file=sys.stderr, flush=True); import time; time.sleep(600)"
    )
    command = [sys.executable, "-c", script, "a b", "$x", "'"]
    pid = programs.detach(command, cwd=tmp_path, env={"ONLY": "this"}, log=log)
    ending.append(pid)
    assert eventually(lambda: log.read_text().endswith("error\n"))
    told = log.read_text().split("\n")
    assert told[0] == "before"
    assert told[1].startswith(f"{pid} {pid} {tmp_path} '' ['a b', '$x', \"'\"] ['ONLY'")
    assert psutil.Process(pid).ppid() != os.getpid()

    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not processes.alive(pid))
    assert pid not in [child.pid for child in psutil.Process().children(recursive=True)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
def test_a_program_cannot_run_as_a_uid_that_is_no_user() -> None:
    with pytest.raises(UnknownUser, match="54321"):
        programs.run(["true"], uid=54321)


def test_a_program_that_leads_ends_with_what_it_has_started(tmp_path: Path) -> None:
    """Its output is still held open by that, which has to end too."""
    script = f"sleep 1000 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(programs.TookTooLong):
        programs.run(["sh", "-c", script], timeout=1, leads=True)
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: not psutil.pid_exists(pid))
