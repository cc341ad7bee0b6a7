"""Programs that may do anything: bounded in time and output, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest

from backstage.system import processes
from backstage.system.apart import Ending, run_apart
from backstage.system.deadlines import Deadline, until


def run(
    code: str, *, given: Callable[[int], bytes] = lambda _: b"", patience: float = 60.0
) -> Ending:
    command = [sys.executable, "-c", code]
    return run_apart(command, given, env=dict(os.environ), uid=None, gains=False, patience=patience)


def test_it_gets_its_input_and_gives_its_output() -> None:
    ended = run("print(input()[::-1])\nraise SystemExit(3)", given=lambda pid: f"{pid}\n".encode())
    assert ended.status == 3
    assert ended.output.strip()[::-1].isdecimal()


def test_it_leads_a_session_and_begins_nowhere() -> None:
    assert run("import os; print(os.getsid(0) == os.getpid(), os.getcwd())").output == "True /\n"


def test_only_the_end_of_a_long_output_is_kept() -> None:
    output = run("for n in range(200_000): print(n)").output
    assert len(output) <= 64 * 1024
    assert output.endswith("\n199999\n")


@pytest.mark.parametrize("how", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_it_ends_in_time_whether_it_wants_or_not(how: str) -> None:
    seen: list[int] = []
    code = f"import signal, time; {how}\nprint('up', flush=True)\ntime.sleep(1000)"
    ended = run(code, given=lambda pid: bytes(seen.append(pid) or b""), patience=1.0)
    assert ended.status is None
    assert not processes.alive(seen[0])


def test_who_keeps_its_output_open_does_not_keep_its_caller() -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
    ended = run(code)
    assert ended.status == 0
    pid = int(ended.output)
    os.kill(pid, 9)
    assert until(partial(_is_gone, pid), Deadline(30.0))


def test_one_that_ends_before_it_reads_is_no_error() -> None:
    assert run("raise SystemExit(4)", given=lambda _: b"x" * 10_000_000).status == 4


def _is_gone(pid: int) -> bool:
    return not processes.alive(pid)


# The child keeps the output open for a moment longer, so that only its end shows that it is over.
_LAST_WORDS = """
import os, time
me = os.getpid()
if os.fork() == 0:
    while os.getppid() == me:
        time.sleep(0.01)
    time.sleep(1)
    os._exit(0)
time.sleep(0.3)
os.write(1, b"last words")
os._exit(0)
"""


def test_what_it_writes_just_before_its_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it writes and ends between a look at its output and a look at itself."""
    real = subprocess.Popen.poll

    def poll_late(process: subprocess.Popen[bytes]) -> int | None:
        process.wait()
        return real(process)

    monkeypatch.setattr(subprocess.Popen, "poll", poll_late)
    assert run(_LAST_WORDS) == Ending("last words", 0)
