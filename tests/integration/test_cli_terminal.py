"""The real `backstage` in a terminal: what it shows there, what it asks, and Ctrl-C."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.system import processes
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import call, slow_act, terminal
from .conftest import MakeVenue, fetch, processes_within

CTRL_C = "\x03"
CTRL_D = "\x04"
# Python notices a signal between its prompt and its reading only with the next key.
CTRL_C_AND_ENTER = f"{CTRL_C}\n"
# Of Select Graphic Rendition: those that choose a colour.
COLOUR = re.compile(r"\x1b\[[\d;]*\b(3[0-7]|9[0-7])[\d;]*m")


@pytest.fixture(scope="module")
def act(venue: Venue) -> Act:
    return new_act(venue, "terminal")


@pytest.mark.parametrize(
    ("told", "sign", "coloured", "escapes"),
    [
        ({}, "●", True, True),
        ({"NO_COLOR": "1"}, "●", False, True),
        ({"TERM": "dumb"}, "●", False, False),
        ({"LC_ALL": "C"}, "*", True, True),
        ({"PYTHONIOENCODING": "ascii"}, "*", True, True),
        ({"LC_ALL": "POSIX", "NO_COLOR": "1", "TERM": "dumb"}, "*", False, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("words", [["status"], ["start"]], ids=str)
def test_a_terminal_gets_what_it_can_show(
    act: Act, words: list[str], told: dict[str, str], sign: str, coloured: bool, escapes: bool
) -> None:
    with terminal(*words, act.name, cwd=act.paths.top, env=told) as shown:
        assert shown.end() == 0
        assert re.search(rf"^{re.escape(sign)} {act.name} +running", shown.shown, re.M)
        assert bool(COLOUR.search(shown.raw)) is coloured
        assert ("\x1b" in shown.raw) is escapes
        assert shown.raw.isascii() is (sign == "*")


def test_80_columns_are_enough(act: Act) -> None:
    """For an Act in order: a reason is not wrapped, so that it can be pasted."""
    for words in (["status", act.name], ["venue", "info"], ["start", act.name], ["env", act.name]):
        with terminal(*words, cwd=act.paths.venue.top) as shown:
            assert shown.end() == 0
            assert [line for line in shown.shown.splitlines() if len(line) > 80] == []
    with terminal("status", "--help", cwd=act.paths.venue.top) as shown:
        shown.end()
        help_text = Path(__file__).parents[1] / "cli" / "help" / "status.txt"
        assert shown.shown == help_text.read_text(encoding="utf-8")


def test_a_shell_of_django(act: Act) -> None:
    """Python's own prompt answers, survives Ctrl-C, and its exit code is the command's."""
    with terminal("manage", act.name, "shell", cwd=act.paths.venue.top) as shell:
        shell.await_text(r">>> $")
        shell.type("from django.conf import settings; settings.ROOT_URLCONF\n")
        shell.await_text(rf"'{act.name}\.urls'")
        shell.await_text(r">>> $")
        shell.type(CTRL_C_AND_ENTER)
        shell.await_text("KeyboardInterrupt")
        shell.await_text(r">>> $")
        shell.type("raise SystemExit(5)\n")
        assert shell.end() == 5


def test_a_question_of_manage_py(act: Act) -> None:
    with terminal("manage", act.name, "createsuperuser", cwd=act.paths.venue.top) as asked:
        asked.await_text("Username")
        asked.type("ada\n")
        asked.await_text("Email address")
        asked.type("\n")
        for _ in range(2):
            asked.await_text(r"Password.*:")
            asked.type("difference-engine\n")
        asked.await_text("Superuser created successfully")
        assert asked.end() == 0


@pytest.mark.slow
def test_retiring_asks(venue: Venue, fresh_name: str) -> None:
    new_act(venue, fresh_name)
    answers = {"n\n": "was not retired", CTRL_C_AND_ENTER: "Interrupted.$", CTRL_D: "Interrupted.$"}
    for answer, told in answers.items():
        with terminal("retire", fresh_name, cwd=venue.path) as asking:
            asking.await_text(rf"Stop {fresh_name} and move it to {venue.paths.retired}\? \[y/N\]")
            asking.type(answer)
            asking.await_text(told)
            assert asking.end() == 130
        assert venue[fresh_name].state is State.RUNNING
    with terminal("retire", fresh_name, cwd=venue.path) as asking:
        asking.await_text("y/N")
        asking.type("y\n")
        asking.await_text(rf"{fresh_name} was moved to {venue.paths.retired}/")
        assert asking.end() == 0
    assert fresh_name not in venue


@pytest.mark.slow
def test_ctrl_c_while_an_act_starts(venue: Venue, fresh_name: str, tmp_path: Path) -> None:
    """The command ends, the Act does not: it comes up as if nobody had waited."""
    act = slow_act(venue, fresh_name, tmp_path / "gate")
    with terminal("start", act.name, cwd=venue.path) as start:
        assert until(lambda: act.pid is not None, Deadline(PATIENCE))
        start.type(CTRL_C)
        start.await_text(rf"^Interrupted\. Still in progress: {act.name} is starting\.$")
        assert start.end() == 130
    assert act.state is State.STARTING
    (tmp_path / "gate").touch()
    act.wait("running")
    assert fetch(act)[0] == 200
    assert act.snapshot().restarts == 0
    assert call("start", act.name, cwd=venue.path).returncode == 0
    assert call("stop", act.name, cwd=venue.path).returncode == 0


@pytest.mark.slow
def test_ctrl_c_while_acts_restart(venue: Venue, fresh_name: str, tmp_path: Path) -> None:
    """They take turns: the first goes on, the one whose turn has not come is left as it was."""
    gate = tmp_path / "gate"
    gate.touch()
    slow = slow_act(venue, fresh_name, gate)
    slow.start()
    other = new_act(venue, f"{fresh_name}b")
    pid = other.pid
    gate.unlink()
    with terminal("restart", "--no-check", slow.name, other.name, cwd=venue.path) as restart:
        assert until(lambda: slow.state is State.RELOADING, Deadline(PATIENCE))
        restart.type(CTRL_C)
        restart.await_text(rf"^Interrupted\. Still in progress: {slow.name} is reloading\.$")
        assert restart.end() == 130
    gate.touch()
    slow.wait("running")
    assert (other.pid, other.snapshot().restarts) == (pid, 0)


@pytest.mark.slow
def test_ctrl_c_while_new_code_is_tried(venue: Venue, fresh_name: str, tmp_path: Path) -> None:
    """Nothing goes on: neither the trial nor the restart."""
    gate = tmp_path / "gate"
    gate.touch()
    slow = slow_act(venue, fresh_name, gate)
    slow.start()
    gate.unlink()
    crew = {process.pid for process in processes.family(slow.pid or 0)}
    before = {process.pid for process in processes_within(venue.paths.acts)}

    def trials() -> set[int]:
        return {process.pid for process in processes_within(venue.paths.acts)} - before

    with terminal("restart", slow.name, cwd=venue.path) as restart:
        assert until(lambda: bool(trials()), Deadline(PATIENCE))
        restart.type(CTRL_C)
        restart.await_text(r"^Interrupted")
        assert restart.end() == 130
    assert until(lambda: not trials(), Deadline(PATIENCE))
    assert {process.pid for process in processes.family(slow.pid or 0)} == crew


def test_ctrl_c_leaves_no_venue(stage: Path) -> None:
    with terminal("new-venue", "halfway", cwd=stage) as making:
        making.await_text(r"\[2/5\] Building the environment")
        making.type(CTRL_C)
        making.await_text(r"^Interrupted\.$")
        assert making.end() == 130
    assert not (stage / "halfway").exists()
    assert not processes_within(stage / "halfway")


@pytest.mark.slow
def test_ctrl_c_leaves_no_act(make_venue: MakeVenue) -> None:
    venue = make_venue()
    paths = venue.paths.act("halfway")
    with terminal("new-act", "halfway", cwd=venue.path) as making:
        assert until(paths.top.exists, Deadline(PATIENCE))
        making.type(CTRL_C)
        making.await_text(r"^Interrupted\.$")
        assert making.end() == 130
    left = [path for path in venue.path.rglob("*halfway*") if path.parent != venue.paths.run]
    assert left == []
    assert "halfway" not in venue
    assert call("new-act", "halfway", cwd=venue.path).returncode == 0


@pytest.mark.parametrize("words", [["logs", "-f"], ["status", "--watch"]], ids=str)
def test_ctrl_c_ends_what_goes_on(act: Act, words: list[str]) -> None:
    with terminal(*words, act.name, cwd=act.paths.venue.top) as going_on:
        going_on.await_text(r"\S")
        going_on.type(CTRL_C)
        assert going_on.end() == 130
        assert "Traceback" not in going_on.shown
        assert going_on.shown.endswith("Interrupted.\n")
