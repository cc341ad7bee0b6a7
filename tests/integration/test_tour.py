"""The tour in the docs, typed into a real terminal; `make tour` writes down what it prints."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backstage.layout.host_ports import SHARED
from backstage.operations.new_venue import PORTS
from backstage.system.deadlines import Deadline, until
from tests.own_ports import own_ports
from tests.patience import PATIENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux here"),
]

TOUR = Path(__file__).parents[2] / "docs" / "tutorial" / "tour.md"
RENEW = "BACKSTAGE_RENEW"
# Keys that the tour shows by a line of their own, and what tmux calls them.
KEYS = {"^C": "C-c", "q": "q"}
# The port that an operator chooses there; a test takes one of its own.
CHOSEN = "8123"
# Commands that may be given again: an Act that fails is tried again and again, so that one look may
# find it starting; and on a busy machine, a touch may come before the reader of events is there.
LOOKS = (
    "(sleep 1; touch ",
    "backstage status",
    "backstage top",
    "backstage doctor",
    "backstage logs",
    "backstage venues",
    # The watcher may still be starting then.
    "backstage venue start",
)
PROMPT = "$"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


@dataclass
class Step:
    """A command of the tour, the key that ends it, and what it prints."""

    command: str
    key: str
    printed: list[str]

    def __str__(self) -> str:
        return "\n".join([f"$ {self.command}", *self.printed, *([self.key] if self.key else [])])


def steps(block: str) -> list[Step]:
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], "", []))
        elif line in KEYS:
            found[-1].key = line
        else:
            found[-1].printed.append(line)
    return found


class Terminal:
    """A tmux with one window, and a shell in it that knows nothing of its user."""

    def __init__(self, top: Path) -> None:
        self._socket = top / "tmux"
        self._top = top
        home = top / "home"
        home.mkdir()
        environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PS1": f"{PROMPT} ",
            # Where drafts of edits stay that were refused.
            "TMPDIR": str(home),
            "DJANGO_SUPERUSER_PASSWORD": "difference engine",
        }
        if RENEW not in os.environ:
            environment.update({name: os.environ[name] for name in (PORTS, SHARED)})
        words = [f"{key}={value}" for key, value in environment.items()]
        shell = shlex.join(["env", "-i", *words, "bash", "--norc", "--noprofile"])
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "-c", str(top), shell
        )
        self._tmux("set-option", "-g", "history-limit", "5000")
        assert until(self.is_idle, Deadline(PATIENCE))

    def close(self) -> None:
        self._tmux("kill-server")

    def is_idle(self) -> bool:
        return self._captured()[-1:] == [PROMPT]

    def lines(self) -> list[str]:
        """What is on the screen and above it, without empty lines at the end."""
        return self._captured("-S", "-")

    def _captured(self, *options: str) -> list[str]:
        seen = self._tmux("capture-pane", "-p", "-J", *options).rstrip()
        return [line.rstrip() for line in seen.splitlines()]

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        # Until the shell has echoed it, the old prompt looks like the one after it.
        assert until(lambda: not self.is_idle(), Deadline(PATIENCE))
        self.press("Enter")

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def clear(self) -> None:
        """Empty the screen, as for a fresh look."""
        self.press("C-l")
        assert until(lambda: self._captured() == [PROMPT], Deadline(PATIENCE))
        self._tmux("clear-history")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def terminal(stage: Path) -> Iterator[Terminal]:
    top = stage / "tour"
    top.mkdir()
    terminal = Terminal(top)
    yield terminal
    terminal.close()


def play(terminal: Terminal, stage: Path, step: Step, port: str = CHOSEN) -> Step:
    """The step with what it prints, up to the prompt or, where a key ends it, up to that."""
    terminal.clear()
    terminal.type(step.command.replace(CHOSEN, port))
    shown = quiet(terminal, step) if step.key else []
    if step.key:
        terminal.press(KEYS[step.key])
    assert until(terminal.is_idle, Deadline(PATIENCE)), terminal.lines()
    lines = shown or printed(terminal)
    told = re.sub("\n\n+", "\n\n", "\n".join(lines).replace(f"{stage}/tour", "/srv"))
    return replace(step, printed=told.splitlines())


def printed(terminal: Terminal) -> list[str]:
    lines = [line for line in terminal.lines() if line != PROMPT]
    # The command itself, which tmux tells as one line however long it is.
    return lines[1:] if lines and lines[0].startswith(PROMPT) else lines


def quiet(terminal: Terminal, step: Step) -> list[str]:
    """What is shown by a command that goes on, once as much is shown as the tour has."""
    if RENEW in os.environ:
        time.sleep(3)
    least = max(1, len(step.printed))
    until(lambda: len(printed(terminal)) >= least, Deadline(PATIENCE if step.printed else 5.0))
    return printed(terminal)


def plain(step: Step) -> list[str]:
    """A step without what differs each time: numbers, where a line ends, and which Act is first."""
    text = re.sub(r"(?<=backstage-blog-)\w+", "N", "\n".join(step.printed))
    text = re.sub(r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} (?=[ \d]\d )", "", text)
    # It may be running as soon as the Emperor is.
    text = re.sub(r"(?m)^Watcher  (starting|running, pid \d+)$", "Watcher", text)
    text = re.sub(r"\d+([.:,-]\d+)*( ?(ms|kB|MB|GB|B|[dhms])\b)?", "N", text)
    words = (word for word in text.split() if word != "N")
    return [step.command, *sorted(words)]


def test_the_tour(terminal: Terminal, stage: Path) -> None:
    text = TOUR.read_text()
    told = [step for block in _BLOCK.findall(text) for step in steps(block)]
    if RENEW in os.environ:
        TOUR.write_text(renewed(text, [play(terminal, stage, step) for step in told]))
        return
    port = str(own_ports().take())
    for step in told:
        deadline = Deadline(PATIENCE if step.command.startswith(LOOKS) else 0.0)
        found = play(terminal, stage, step, port)
        while plain(found) != plain(step) and not deadline.expired:
            found = play(terminal, stage, step, port)
        assert plain(found) == plain(step)


def renewed(text: str, seen: list[Step]) -> str:
    """The tour with what was printed this time."""
    rest = iter(seen)

    def fill(block: re.Match[str]) -> str:
        played = [next(rest) for _ in steps(block[1])]
        return "```console\n" + "".join(f"{step}\n" for step in played) + "```"

    return _BLOCK.sub(fill, text)
