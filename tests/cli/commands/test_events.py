"""`backstage events`: what it prints while vassal files come and go, without an Emperor."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue

import pytest

from backstage.cli.commands import events
from backstage.cli.program import run
from backstage.cli.terminal.screen import Screen
from backstage.events import lines
from backstage.events.event import Event
from backstage.facts.states import State
from backstage.layout.paths import VenuePaths
from backstage.operations.new_venue import configure
from backstage.system.deadlines import Deadline, until
from tests.conftest import Spawn
from tests.patience import PATIENCE

NOW = time.time()
COMMAND = [sys.executable, "-m", "backstage.cli", "events"]


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    """A Venue with two stopped Acts."""
    paths = VenuePaths(tmp_path.resolve())
    configure(paths)
    for name in ("blog", "api"):
        paths.act(name).kept.write_text("[uwsgi]\n")
    return paths


class Listener:
    """Runs the command and reads its output as it appears."""

    def __init__(self, paths: VenuePaths, spawn: Spawn, *words: str) -> None:
        self._paths = paths
        self._lines: SimpleQueue[str] = SimpleQueue()
        self.process = spawn(
            *COMMAND,
            *("--venue", paths.top, *words),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def next(self, act: str) -> str:
        """The next line about an Act."""
        while act not in (line := self._lines.get(timeout=PATIENCE)):
            pass
        return line

    def hears(self, *names: str) -> str:
        """Start and stop Acts until the command prints something."""

        def stir() -> bool:
            for name in names:
                vassal = self._paths.act(name).vassal
                if vassal.exists():
                    vassal.unlink()
                else:
                    vassal.write_text("[uwsgi]\n")
            return not self._lines.empty()

        assert until(stir, Deadline(PATIENCE), pause=0.2)
        return self._lines.get()

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and the error output."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr
        said = self.process.stderr.read()
        self._thread.join(PATIENCE)
        return self.process.wait(PATIENCE), said

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)


def test_events_come_as_they_happen_until_ctrl_c(paths: VenuePaths, spawn: Spawn) -> None:
    listener = Listener(paths, spawn)
    listener.hears("api")
    paths.act("blog").vassal.write_text("[uwsgi]\n")
    line = listener.next("blog")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} blog: stopped → waiting( \(.*\))?\n", line)
    paths.act("blog").vassal.unlink()
    assert "blog: waiting → stopped" in listener.next("blog")
    assert listener.end() == (130, "\nInterrupted.\n")


def test_programs_get_an_envelope_for_each_event(paths: VenuePaths, spawn: Spawn) -> None:
    listener = Listener(paths, spawn, "--json")
    listener.hears("api")
    began = time.time()
    paths.act("blog").vassal.write_text("[uwsgi]\n")
    envelope = json.loads(listener.next("blog"))
    result = envelope.pop("result")
    assert envelope == {"backstage": 1, "command": "events", "ok": True}
    assert began <= result.pop("at") <= time.time()
    assert isinstance(result.pop("reason"), str)
    assert result == {
        **{"act": "blog", "before": "stopped", "after": "waiting"},
        **{"pid": None, "unwatched_since": None, "by": ""},
    }


def test_acts_that_were_not_named_are_not_told_of(paths: VenuePaths, spawn: Spawn) -> None:
    listener = Listener(paths, spawn, "blog")
    for _ in range(5):
        assert "blog: " in listener.hears("api", "blog")
    assert listener.end()[0] == 130


def write(paths: VenuePaths, *noted: Event) -> None:
    with paths.events.open("ab") as file:
        file.writelines(lines.line_of(event) + b"\n" for event in noted)


def test_the_past_is_told_and_then_it_ends(
    paths: VenuePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the date if it was not today, the Acts that were named, and nothing earlier."""
    now = time.time()
    write(
        paths,
        Event("blog", State.RUNNING, State.FAILING, now - 3 * 86_400, "too long ago"),
        Event("blog", State.FAILING, State.RUNNING, now - 86_400, "\x1b[2J"),
        Event("api", State.STOPPED, State.RUNNING, now - 60, ""),
        Event("blog", State.RUNNING, State.RELOADING, now, "touched", pid=7),
    )
    assert run(["events", "--venue", str(paths.top), "--since", "2d", "blog"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    day = datetime.fromtimestamp(now - 86_400).strftime("%Y-%m-%d %H:%M:%S")
    assert first.startswith(day)
    assert first.endswith(" blog: failing → running (\\x1b[2J)")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} blog: running → reloading \(touched\)", second)
    assert run(["events", "--venue", str(paths.top), "--since", "1h", "--json"]) == 0
    told = [json.loads(line)["result"] for line in capsys.readouterr().out.splitlines()]
    assert [(each["act"], each["pid"]) for each in told] == [("api", None), ("blog", 7)]


def test_the_past_of_an_act_that_is_no_more(
    paths: VenuePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told; only a name that is in no event either is a mistake."""
    write(paths, Event("gone", State.RUNNING, State.STOPPING, time.time(), "removed"))
    assert run(["events", "--venue", str(paths.top), "--since", "1d", "gone", "blog"]) == 0
    assert "gone: running → stopping (removed)" in capsys.readouterr().out
    assert run(["events", "--venue", str(paths.top), "--since", "1d", "blgo"]) == 3
    assert "no Act 'blgo'" in capsys.readouterr().err


def test_after_the_past_it_goes_on_if_asked_to(paths: VenuePaths, spawn: Spawn) -> None:
    write(paths, Event("blog", State.RUNNING, State.STOPPED, time.time() - 60, "before"))
    listener = Listener(paths, spawn, "--since", "1h", "-f")
    assert "blog: running → stopped (before)" in listener.next("blog")
    listener.hears("api")
    assert listener.end()[0] == 130


def test_a_time_that_is_none(paths: VenuePaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "--venue", str(paths.top), "--since", "soon"]) == 2
    assert "'soon' is not a time" in capsys.readouterr().err


def test_it_ends_when_nothing_happens(
    paths: VenuePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", "--venue", str(paths.top), "--timeout", "0.1"]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_act_that_is_not_there(paths: VenuePaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "--venue", str(paths.top), "blgo"]) == 3
    assert "no Act 'blgo'" in capsys.readouterr().err


class Painted(Screen):
    """A stream that claims to be a colour terminal."""

    is_terminal = True  # type: ignore[assignment]


def painted(event: Event) -> str:
    screen = Painted(io.StringIO())
    events.shown(event)(screen)
    assert isinstance(screen.out, io.StringIO)
    return screen.out.getvalue()


def test_states_have_their_colours_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    told = painted(Event("blog", State.RUNNING, State.FAILING, NOW, "x " * 500))
    assert told.count("\n") == 1
    assert "\x1b[32mrunning\x1b[0m" in told
    assert "\x1b[1;31mfailing\x1b[0m" in told


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("blog", State.RUNNING, State.STOPPED, NOW, ""), "blog: running → stopped"),
        (Event("blog", State.RUNNING, State.RUNNING, NOW, "edit"), "blog: running (edit)"),
        (
            Event("blog", State.RUNNING, State.FAILING, NOW, "\x1b[2J" + "x" * 500),
            "blog: running → failing (\\x1b[2J" + "x" * 500 + ")",
        ),
    ],
)
def test_how_events_are_said(event: Event, line: str) -> None:
    """It stays on one line, however long, and cannot control the terminal."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    events.shown(event)(Screen(out))
    out.seek(0)
    assert out.read().split(" ", 1)[1] == f"{line}\n"
