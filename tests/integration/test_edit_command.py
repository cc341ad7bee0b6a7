"""`backstage edit`, with a real Act, and with small programs or a person as the editor."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.uwsgi import vassal_files
from backstage.venue import Venue

from .calling import Terminal, call, terminal
from .conftest import fetch

pytestmark = pytest.mark.slow

GOOD = "sed -i 's/^threads = 4/threads = 6/'"
BAD = "sed -i 's/^threads = 4/threds = 6/'"


@pytest.fixture(scope="module")
def edited(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "edited")
    yield act
    act.retire()


@pytest.fixture
def act(edited: Act) -> Iterator[Act]:
    """The Act, running with four threads; afterwards its vassal file is as it was."""
    edited.start()
    text = edited.vassal_text
    yield edited
    edited.stop()
    edited.paths.kept.write_text(text)


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    """Where the copies that are edited lie."""
    (tmp_path / "drafts").mkdir()
    return tmp_path / "drafts"


def edit(act: Act, drafts: Path, editor: str, *words: str) -> CompletedProcess[str]:
    told = {"EDITOR": editor, "VISUAL": "", "TMPDIR": str(drafts)}
    return call("edit", act.name, *words, cwd=act.paths.venue.top, env=told)


def crew(act: Act) -> tuple[int | None, set[int]]:
    return act.pid, {child.pid for child in psutil.Process(act.pid).children()}


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_good_edit_is_shown_and_runs(act: Act, drafts: Path) -> None:
    done = edit(act, drafts, GOOD)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["--- vassals/edited.ini", "+++ vassals/edited.ini (edited)"]
    assert {"-threads = 4", "+threads = 6"} <= set(lines)
    assert lines[-1].split() == ["●", "edited", "running", act.url]
    fetch(act, "healthz")
    assert act.snapshot().threads == 6
    assert not list(drafts.iterdir())


def test_programs_get_the_same_in_one_object(act: Act, drafts: Path) -> None:
    done = edit(act, drafts, GOOD, "--json")
    envelope = json.loads(done.stdout)
    assert envelope["ok"]
    diff = envelope["result"].pop("diff")
    assert "-threads = 4\n+threads = 6\n" in diff
    assert envelope["result"] == {
        **{"act": "edited", "changed": True, "changes": ["threads = 4 → 6"]},
        **{"state": "running", "url": act.url, "reason": ""},
    }
    unchanged = json.loads(edit(act, drafts, "echo editing", "--json").stdout)
    assert unchanged["result"] == {"act": "edited", "changed": False}
    refused = json.loads(edit(act, drafts, "sed -i s/threads/threds/", "--json").stdout)
    assert refused["error"]["kind"] == "EditRefused"


def test_what_is_edited_is_a_private_copy(act: Act, drafts: Path, tmp_path: Path) -> None:
    look = script(tmp_path / "look", f'stat -c "%a %n" "$1" >{tmp_path}/seen')
    done = edit(act, drafts, look)
    assert done.stdout == "edited: nothing has changed\n"
    mode, _, path = (tmp_path / "seen").read_text().strip().partition(" ")
    assert mode == "600"
    assert Path(path).name == "edited.ini"
    assert Path(path).is_relative_to(drafts)
    assert not list(drafts.iterdir())


@pytest.mark.parametrize("editor", ["true", "touch", "rm"])
def test_an_edit_that_changes_nothing_restarts_nothing(act: Act, drafts: Path, editor: str) -> None:
    before = crew(act)
    done = edit(act, drafts, editor)
    assert (done.returncode, done.stdout) == (0, "edited: nothing has changed\n")
    assert crew(act) == before
    assert not list(drafts.iterdir())


def test_a_bad_edit_is_told_and_kept_and_changes_nothing(act: Act, drafts: Path) -> None:
    before, version = crew(act), vassal_files.version(act.paths)
    done = edit(act, drafts, BAD)
    assert (done.returncode, done.stdout) == (4, "")
    line = act.vassal_text.splitlines().index("threads = 4") + 1
    fault = f"line {line}: unknown option 'threds'; did you mean 'threads'?"
    assert f"backstage: {act.paths.vassal}, {fault}\n" in done.stderr
    kept = re.search(r"Your text is kept in (.*)", done.stderr)
    assert kept
    assert "threds = 6\n" in Path(kept[1]).read_text()
    assert stat.S_IMODE(Path(kept[1]).parent.stat().st_mode) == 0o700
    assert (crew(act), vassal_files.version(act.paths)) == (before, version)


def test_an_editor_that_fails_changes_nothing(act: Act, drafts: Path, tmp_path: Path) -> None:
    before = act.vassal_text
    done = edit(act, drafts, "false")
    told = "the editor false exited with code 1; Act 'edited' is unchanged"
    assert (done.returncode, done.stderr) == (1, f"backstage: {told}\n")
    assert not list(drafts.iterdir())
    done = edit(act, drafts, script(tmp_path / "crash", f'{GOOD} "$1"; exit 3'))
    assert "exited with code 3" in done.stderr
    assert "Your text is kept in" in done.stderr
    assert act.vassal_text == before


def test_what_somebody_else_has_written_meanwhile_stays(
    act: Act, drafts: Path, tmp_path: Path
) -> None:
    other = f"{GOOD} '{act.paths.vassal}'; echo '# mine' >>\"$1\""
    done = edit(act, drafts, script(tmp_path / "both", other))
    assert done.returncode == 4
    assert "was changed in the meantime" in done.stderr
    assert "Your text is kept in" in done.stderr
    assert "threads = 6" in act.vassal_text
    assert "# mine" not in act.vassal_text


def test_a_stopped_act_stays_stopped(act: Act, drafts: Path) -> None:
    act.stop()
    done = edit(act, drafts, GOOD)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].split() == ["○", "edited", "stopped"]
    assert act.state is State.STOPPED
    assert "threads = 6" in act.vassal_text


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("no-such-editor -w", "editor 'no-such-editor' was not found; choose one, for example: ED"),
        ("vi 'oops", 'cannot parse the editor "vi \'oops": No closing quotation'),
    ],
)
def test_an_editor_that_is_not_there_is_told(
    act: Act, drafts: Path, editor: str, told: str
) -> None:
    done = edit(act, drafts, editor)
    assert done.returncode == 1
    assert told in done.stderr
    assert not list(drafts.iterdir())


def test_a_usual_editor_is_taken_where_none_is_named(
    act: Act, drafts: Path, tmp_path: Path
) -> None:
    script(tmp_path / "editor", f'{GOOD} "$1"')
    told = {"EDITOR": "", "VISUAL": "", "TMPDIR": str(drafts)}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = call("edit", "edited", cwd=act.paths.venue.top, env={**told, **path})
    assert "+threads = 6\n" in done.stdout


def test_an_act_that_is_not_there_is_told(act: Act) -> None:
    done = call("edit", "editde", cwd=act.paths.venue.top)
    assert done.returncode == 3
    assert "did you mean 'edited'?" in done.stderr


# With a person


def person(act: Act, drafts: Path, tmp_path: Path) -> dict[str, str]:
    """An editor that carries out what is typed: sed's commands, a line each time it is opened."""
    editor = script(tmp_path / "ask", 'printf "editor> "; read -r what; sed -i "$what" "$1"')
    return {"VISUAL": editor, "EDITOR": "false", "TMPDIR": str(drafts)}


def types(shown: Terminal, command: str) -> None:
    shown.await_text("editor> ")
    shown.type(f"{command}\n")


def test_a_fault_can_be_mended_in_a_terminal(act: Act, drafts: Path, tmp_path: Path) -> None:
    before = crew(act)
    env = person(act, drafts, tmp_path)
    with terminal("edit", "edited", cwd=act.paths.venue.top, env=env) as shown:
        types(shown, "s/^threads = 4/threds = 6/")
        shown.await_text(r"^ +\d+ \| threds = 6\n")
        shown.await_text(r"line \d+: unknown option 'threds'; did you mean 'threads'\?")
        shown.await_text(r"Edit again\? \[Y/n\]: ")
        assert crew(act) == before
        shown.type("\n")
        types(shown, "s/threds/threads/")
        shown.await_text(r"\+threads = 6\n")
        shown.await_text(r"● edited  running    http://localhost:\d+/")
        assert shown.end() == 0
    assert "threads = 6" in act.vassal_text
    assert not list(drafts.iterdir())


def test_the_difference_has_colours_in_a_terminal(act: Act, drafts: Path, tmp_path: Path) -> None:
    env = person(act, drafts, tmp_path)
    for wants, colour in ((env, True), ({**env, "NO_COLOR": "1"}, False)):
        with terminal("edit", "edited", cwd=act.paths.venue.top, env=wants) as shown:
            types(shown, "s/^processes.*/&  /;/^processes/a harakiri = 30")
            assert shown.end() == 0
        assert ("\x1b[32m+harakiri = 30\x1b[0m" in shown.raw) == colour
        assert "+harakiri = 30\n" in shown.shown


def test_giving_up_keeps_the_text(act: Act, drafts: Path, tmp_path: Path) -> None:
    before = act.vassal_text
    env = person(act, drafts, tmp_path)
    for answer, code in (("n\n", 4), ("\x04", 130)):
        with terminal("edit", "edited", cwd=act.paths.venue.top, env=env) as shown:
            types(shown, "s/^threads = 4/threds = 6/")
            shown.await_text(r"Edit again\? \[Y/n\]: ")
            shown.type(answer)
            path = shown.await_text(r"Your text is kept in .*").split()[-1]
            assert shown.end() == code
        assert "threds = 6" in Path(path).read_text()
    assert act.vassal_text == before


def test_what_fails_as_it_runs_can_be_put_back(act: Act, drafts: Path, tmp_path: Path) -> None:
    before = act.vassal_text
    act.paths.top.joinpath("broken.py").write_text("import nowhere_to_be_found\n")
    env = person(act, drafts, tmp_path)
    with terminal("edit", "edited", cwd=act.paths.venue.top, env=env) as shown:
        types(shown, "$a module = broken:application")
        shown.await_text("Your text is kept in ")
        shown.await_text("its new code fails: .*No module named 'nowhere_to_be_found'")
        assert shown.end() == 9
    assert act.vassal_text == before
    assert act.state is State.RUNNING
    with terminal("edit", "edited", "--no-check", cwd=act.paths.venue.top, env=env) as shown:
        types(shown, "$a module = broken:application")
        shown.await_text("No module named 'nowhere_to_be_found'")
        shown.await_text(r"Restore the previous text\? \[y/N\]: ")
        shown.type("y\n")
        shown.await_text("● edited  running")
        assert shown.end() == 0
    assert act.vassal_text == before
