"""`backstage top` in a terminal of its own: keys go in, and the screen is looked at."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import ActFailed
from backstage.shortcuts import new_act, new_venue
from backstage.venue import Venue
from tests.patience import PATIENCE

from .conftest import fetch

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "backstage.cli")
ROWS, COLUMNS = 24, 100
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_HOME = "\x1b[H"
_ENTERS, _LEAVES = "\x1b[?1049h", "\x1b[?1049l"
_HIDES, _SHOWS = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A terminal of ROWS and COLUMNS with a program in it, and somebody in front of it."""

    def __init__(self, *command: str | Path) -> None:
        self._hand, end = pty.openpty()
        self._end = end
        termios.tcsetwinsize(end, (ROWS, COLUMNS))
        self.before = termios.tcgetattr(end)
        self.written = ""
        # Its own terminal, so that Ctrl-C is a signal to it.
        words = ("setsid", "--ctty", *command)
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(words, stdin=end, stdout=end, stderr=end, env=environment)

    def type(self, keys: str) -> None:
        os.write(self._hand, keys.encode())

    @property
    def settings(self) -> list[object]:
        return termios.tcgetattr(self._end)

    def read(self, seconds: float) -> None:
        """Take what the program writes, waiting so long for the first of it."""
        while select.select([self._hand], [], [], seconds)[0]:
            self.written += os.read(self._hand, 65_536).decode(errors="replace")
            seconds = 0

    @property
    def frame(self) -> str:
        """The last screen that is complete, with its styles: each is written from the top."""
        frames = self.written.split(_HOME)[1:]
        whole = [frame for frame in frames if frame.count("\n") == ROWS - 1]
        return whole[-1] if whole else ""

    @property
    def screen(self) -> str:
        return _STYLE.sub("", self.frame)

    @property
    def marked(self) -> str:
        """The Act in the row that is marked."""
        row = re.search(r"\x1b\[7m\S+ (\w+)", self.frame)
        return row[1] if row else ""

    def row(self, act: Act) -> str:
        """The row of an Act, without its sign."""
        row = re.search(rf"^\S ({act.name} .*)$", self.screen, re.M)
        return row[1] if row else ""

    def cell(self, act: Act, title: str) -> str:
        titles = re.search(r"^  (ACT.*)$", self.screen, re.M)
        words = titles[1].split() if titles else []
        return re.split(r" {2,}", self.row(act))[words.index(title)] if title in words else ""

    def sees(self, what: Callable[[], object]) -> None:
        """Look at the screen until `what` is to be seen."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, f"not to be seen:\n{self.screen or self.written}"
            self.read(0.2)

    def shows(self, text: str) -> None:
        self.sees(lambda: text in self.screen)

    def ends(self) -> int:
        """The exit code, once everything is read that it has written."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"does not end:\n{self.written}"
            self.read(0.1)
        self.read(0)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._hand)
        os.close(self._end)


@pytest.fixture(scope="module")
def venue(stage: Path) -> Venue:
    return new_venue("top", stage)


@pytest.fixture(scope="module")
def acts(venue: Venue) -> tuple[Act, Act]:
    return new_act(venue, "matinee"), new_act(venue, "soiree")


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*command: str | Path) -> Terminal:
        opened.append(Terminal(*command))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.fixture
def top(open_terminal: Callable[..., Terminal], venue: Venue, acts: tuple[Act, Act]) -> Terminal:
    """It runs, sorted by name, and both Acts run too."""
    for act in acts:
        act.start()
    terminal = open_terminal(*COMMAND, "top", "--venue", venue.path)
    terminal.shows("2 of 2 Acts running")
    terminal.type("a")
    terminal.shows("ACT▲")
    return terminal


def test_it_shows_every_act_and_selects(top: Terminal, acts: tuple[Act, Act]) -> None:
    for act in acts:
        assert top.cell(act, "STATE") == "running"
        assert top.cell(act, "PORT") == str(act.get_uwsgi_port())
    assert top.marked == "matinee"
    for key, name in [("j", "soiree"), ("\x1b[A", "matinee"), ("\x1b[B", "soiree")]:
        top.type(key)
        top.sees(lambda name=name: top.marked == name)
    top.type("a")
    top.shows("ACT▼")
    assert top.marked == "soiree", "the selected one stays selected"


def test_it_restarts_what_is_selected_and_nothing_else(
    top: Terminal, acts: tuple[Act, Act]
) -> None:
    matinee, soiree = acts
    restarts = [act.snapshot().restarts for act in acts]
    top.type("jR")
    top.shows("soiree is running, after ")
    assert soiree.snapshot().restarts > restarts[1]
    assert matinee.snapshot().restarts == restarts[0]


def test_it_stops_only_who_is_sure_and_starts_again(top: Terminal, acts: tuple[Act, Act]) -> None:
    matinee, soiree = acts
    top.type("S")
    top.shows("Stop matinee?")
    top.type("n")
    top.sees(lambda: "Stop matinee?" not in top.screen)
    top.type("S")
    top.shows("Stop matinee?")
    top.type("y")
    top.shows("matinee is stopped, after ")
    assert not matinee.wanted
    assert soiree.wanted
    top.sees(lambda: "stopped" in top.row(matinee) and "S start" in top.screen)
    top.type("S")
    top.shows("matinee is running, after ")
    assert matinee.wanted


def test_it_shows_what_others_do(top: Terminal, acts: tuple[Act, Act]) -> None:
    acts[1].stop()
    top.sees(lambda: "stopped" in top.row(acts[1]))
    top.shows("1 of 2 Acts running")
    acts[1].start()
    top.sees(lambda: "running" in top.row(acts[1]))


def test_it_does_not_wait_for_the_next_second_to_show_a_change(
    open_terminal: Callable[..., Terminal], venue: Venue, acts: tuple[Act, Act]
) -> None:
    acts[1].start()
    code = (
        "from backstage.cli import program\n"
        "from backstage.cli.terminal import viewer\n"
        "viewer._BEAT = 3600\n"
        "program.main()\n"
    )
    top = open_terminal(sys.executable, "-c", code, "top", "--venue", venue.path)
    top.sees(lambda: "running" in top.row(acts[1]))
    acts[1].stop()
    top.sees(lambda: "stopped" in top.row(acts[1]))


def test_it_measures_who_is_asked(top: Terminal, acts: tuple[Act, Act]) -> None:
    def is_asked() -> bool:
        fetch(acts[1], "healthz")
        return top.cell(acts[0], "REQ/S") == "0" and float(top.cell(acts[1], "REQ/S")) > 0

    top.sees(is_asked)


def test_it_can_be_used_and_left_while_an_act_restarts(
    top: Terminal, acts: tuple[Act, Act], tmp_path: Path
) -> None:
    settings, gate = acts[1].paths.top / "soiree" / "settings.py", tmp_path / "gate"
    good = settings.read_text()
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
    settings.write_text(f"{wait}{good}")
    top.type("jR")
    top.sees(lambda: top.marked == "soiree" and "restarting soiree" in top.screen)
    top.type("k")
    top.sees(lambda: top.marked == "matinee" and "restarting soiree" in top.screen)
    top.type("q")
    assert top.ends() == 0
    assert "Still in progress" not in top.written, "its new code was being tried"
    gate.touch()
    settings.write_text(good)
    acts[1].wait("running", 30)


def test_it_shows_the_log_as_it_grows(top: Terminal, acts: tuple[Act, Act]) -> None:
    top.type("\r")
    top.shows(f"matinee  {acts[0].paths.log}"[:COLUMNS])
    fetch(acts[0], "healthz?first")
    top.shows("healthz?first")
    fetch(acts[0], "healthz?second")
    top.shows("healthz?second")
    for key in ("\x1b", "q"):
        top.type(key)
        top.shows("ACT▲")
        top.type("l")
        top.shows("healthz?second")


def test_it_says_why_the_selected_fails(top: Terminal, acts: tuple[Act, Act]) -> None:
    settings = acts[1].paths.top / "soiree" / "settings.py"
    good = settings.read_text()
    settings.write_text(f"import no_such_module\n{good}")
    top.type("jR")
    top.shows("Act 'soiree' is not restarted")
    with pytest.raises(ActFailed):
        acts[1].restart(check=False)
    top.shows("soiree: ModuleNotFoundError: No module named 'no_such_module'")
    top.shows("1 failing")
    top.sees(lambda: "restarting" not in top.screen)
    settings.write_text(good)
    top.type("R")
    top.shows("soiree is running, after ")


def test_the_window_may_change(top: Terminal) -> None:
    termios.tcsetwinsize(top._end, (ROWS, 60))
    os.killpg(top.process.pid, signal.SIGWINCH)
    top.sees(lambda: top.screen and "RESTARTS" not in top.screen)
    assert all(len(line.rstrip("\r")) <= 60 for line in top.screen.split("\n"))


def given_back(terminal: Terminal) -> bool:
    """Whether the terminal is as it was before, and so is what it shows."""
    written, entered = terminal.written, terminal.written.rfind(_ENTERS)
    assert entered >= 0
    return (
        terminal.settings == terminal.before
        and written.rfind(_LEAVES) > entered
        and written.rfind(_SHOWS) > written.rfind(_HIDES)
    )


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda top: top.type("q"), 0),
        (lambda top: top.type("\x03"), 130),
        (lambda top: top.process.terminate(), 143),
    ],
    ids=["q", "Ctrl-C", "SIGTERM"],
)
def test_it_leaves_the_terminal_as_it_was(
    top: Terminal, leave: Callable[[Terminal], None], code: int
) -> None:
    assert not given_back(top)
    leave(top)
    assert top.ends() == code
    assert given_back(top)


def test_it_leaves_the_terminal_as_it_was_after_a_crash(
    open_terminal: Callable[..., Terminal], venue: Venue, acts: tuple[Act, Act]
) -> None:
    crash = (
        "import itertools; from backstage.cli import program\n"
        "from backstage.cli.terminal import meter\n"
        "look, count = meter.Meter.look, itertools.count()\n"
        "def looks(self):\n"
        "    if next(count) > 3: raise RuntimeError('not foreseen')\n"
        "    return look(self)\n"
        "meter.Meter.look = looks\n"
        "program.main()\n"
    )
    terminal = open_terminal(sys.executable, "-c", crash, "top", "--venue", venue.path)
    assert terminal.ends() == 10
    assert "matinee" in terminal.screen
    assert given_back(terminal)
    assert "RuntimeError: not foreseen" in terminal.written.rpartition(_LEAVES)[2]


def test_it_can_be_suspended(
    open_terminal: Callable[..., Terminal], venue: Venue, acts: tuple[Act, Act]
) -> None:
    """Ctrl-Z and fg, in a shell: only there it can be suspended."""
    shell = open_terminal("sh", "-i")
    shell.type(f"{' '.join(COMMAND)} top --venue {venue.path}\n")
    shell.shows("Acts running")
    shell.type("\x1a")
    shell.sees(lambda: "Stopped" in shell.written.rpartition(_LEAVES)[2])
    shell.written = ""
    shell.type("echo $((40 + 2)); stty\n")
    shell.sees(lambda: "42\r\n" in shell.written)
    assert "-icanon" not in shell.written
    assert "-echo " not in shell.written
    shell.written = ""
    shell.type("fg\n")
    shell.shows("Acts running")
    shell.type("q")
    shell.sees(lambda: _LEAVES in shell.written and shell.written.rpartition(_LEAVES)[2])
    shell.type("exit $((40 + 2))\n")
    assert shell.ends() == 42


@contextmanager
def asked(act: Act) -> Iterator[None]:
    """Somebody asks the Act all the time."""
    ask = (
        "import sys, time, urllib.request\n"
        "while True:\n"
        "    urllib.request.urlopen(sys.argv[1]).close()\n"
        "    time.sleep(0.05)\n"
    )
    with subprocess.Popen([sys.executable, "-c", ask, f"{act.url}healthz"]) as process:
        try:
            yield
        finally:
            process.kill()


def test_where_nobody_looks_on_it_measures_for_a_second(
    venue: Venue, acts: tuple[Act, Act]
) -> None:
    for act in acts:
        act.start()

    def run(*words: str) -> str:
        command = [*COMMAND, "top", "--venue", str(venue.path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    for _ in range(20):
        fetch(acts[0], "healthz")
    with asked(acts[1]):
        envelope = json.loads(run("--json"))
        told = run()
    assert envelope["ok"]
    result = envelope["result"]
    rates = [act["requests_per_second"] for act in result["acts"]]
    # The watcher may have asked it for its health.
    assert rates[0] < 5 < rates[1], "what it answered before does not count"
    assert result["requests_per_second"] == rates[1]
    assert [act["name"] for act in result["acts"]] == ["matinee", "soiree"]
    assert result["memory"] == sum(act["memory"] for act in result["acts"])
    assert "\x1b" not in told
    head, sums, *_ = told.splitlines()
    assert head == f"{venue.path}   2 of 2 Acts running   Emperor pid {venue.emperor.pid}"
    assert " requests/s   CPU " in sums
    assert "WORKERS" in told
