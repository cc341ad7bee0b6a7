"""The real `backstage` on a real Venue, as scripts call it: with pipes, from anywhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import use_venue
from backstage.system.deadlines import Deadline
from backstage.venue import Venue
from tests.patience import PATIENCE

from .calling import BACKSTAGE, call, environment, slow_act
from .conftest import fetch

README = Path(__file__).parents[2] / "README.md"
COLUMNS = {
    "name": "ACT",
    "state": "STATE",
    "port": "PORT",
    "pid": "PID",
    "busy": "BUSY",
    "workers": "WORKERS",
    "requests": "REQ/S",
    "latency": "LATENCY",
    "cpu": "CPU",
    "memory": "MEMORY",
    "uptime": "UPTIME",
    "restarts": "RESTARTS",
}
BROKEN = "raise RuntimeError('out of \\x1b[31mpaint')\n"


@pytest.fixture(scope="module")
def house(stage: Path) -> Path:
    """A Venue with the Acts blog and shop, made by the command alone."""
    path = stage / "house"
    made = call("new-venue", "house", stage, cwd=stage)
    assert (made.returncode, made.stdout.splitlines()[-1]) == (
        0,
        f"Venue {path}: Emperor running, pid {use_venue(path).emperor.pid}",
    )
    assert re.search(r"^✓ Building the environment +\d+\.\d s$", made.stdout, re.M)
    assert made.stderr == f"Next: cd {path} && backstage new-act blog\n"
    for name in ("blog", "shop"):
        made = call("new-act", name, cwd=path)
        port = use_venue(path)[name].get_uwsgi_port()
        assert made.stdout == f"● {name}  running    http://localhost:{port}/\n"
        assert (made.returncode, made.stderr) == (0, "")
    return path


@pytest.fixture
def blog(house: Path) -> Act:
    """The Act blog, running, whatever a test before has done to it."""
    venue = use_venue(house)
    venue.start_all_acts()
    return venue["blog"]


@pytest.fixture
def broken(venue: Venue, fresh_name: str) -> Iterator[Act]:
    """An Act that cannot be loaded, in a Venue with others; it is stopped."""
    assert call("new-act", fresh_name, "--no-start", cwd=venue.path).returncode == 0
    act = venue[fresh_name]
    wsgi = act.paths.top / fresh_name / "wsgi.py"
    wsgi.write_text(BROKEN + wsgi.read_text())
    yield act
    act.stop()


def rows(table: str) -> list[list[str]]:
    """The cells below the head of a table."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()[1:]]


def test_the_same_again_is_no_mistake(house: Path, blog: Act) -> None:
    pid = blog.pid
    assert call("new-venue", house.name, house.parent, cwd=house).returncode == 0
    assert call("new-act", "blog", cwd=house).returncode == 0
    assert blog.pid == pid


def test_status(house: Path, blog: Act) -> None:
    shown = call("status", cwd=house)
    head, empty, titles, *lines = shown.stdout.splitlines()
    assert head == f"{house}   Emperor pid {use_venue(house).emperor.pid}   2 of 2 Acts running"
    assert empty == ""
    assert " ".join(titles.split()) == "ACT STATE PORT BUSY REQ/S MEMORY UPTIME RESTARTS"
    assert [line.split()[:4] for line in lines] == [
        ["●", act.name, "running", str(act.get_uwsgi_port())] for act in use_venue(house)
    ]
    assert (shown.returncode, shown.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_by_itself(house: Path, blog: Act, column: str) -> None:
    shown = call("status", "blog", "-o", column, cwd=house)
    head, line = shown.stdout.splitlines()[-2:]
    assert head.split() == [COLUMNS[column]]
    assert line.strip() not in {"", "-"}


def test_columns_in_the_order_that_is_asked_for(house: Path, blog: Act) -> None:
    shown = call("status", "-o", "port,pid,state", cwd=house).stdout
    assert shown.splitlines()[0].split() == ["PORT", "PID", "STATE"]
    told = use_venue(house).snapshot()
    assert rows(shown) == [[str(now.port), str(now.pid), str(now.state)] for now in told]


def test_a_column_that_there_is_not(house: Path) -> None:
    shown = call("status", "-o", "name,prot", cwd=house)
    assert shown.returncode == 2
    assert "no column 'prot'; choose from: name, state, port" in shown.stderr


def test_a_failing_act_is_an_exit_code_and_a_reason(venue: Venue, broken: Act) -> None:
    started = call("start", broken.name, cwd=venue.path)
    assert started.returncode == 1
    assert "RuntimeError: out of" in started.stdout
    looks = [call("status", broken.name, cwd=venue.path)]
    deadline = Deadline(PATIENCE)
    # The Emperor tries it again and again, and while it does it is starting.
    while looks[-1].returncode != 1 and not deadline.expired:
        looks.append(call("status", broken.name, cwd=venue.path))
    shown = looks[-1]
    assert shown.returncode == 1
    assert re.search(rf"^✗ {broken.name} +failing", shown.stdout, re.M)
    assert re.search(rf"^{broken.name}: RuntimeError: .*wsgi.py, line 1", shown.stdout, re.M)
    assert "\x1b" not in started.stdout + shown.stdout


@pytest.mark.slow
def test_several_acts_at_once(house: Path, blog: Act) -> None:
    stopped = call("stop", "blog", "shop", cwd=house)
    assert stopped.returncode == 0
    assert sorted(line.split()[:3] for line in stopped.stdout.splitlines()) == [
        ["○", "blog", "stopped"],
        ["○", "shop", "stopped"],
    ]
    started = call("start", "shop", "blog", cwd=house)
    assert started.returncode == 0
    assert {line.split()[-1] for line in started.stdout.splitlines()} == {
        act.url for act in use_venue(house)
    }
    assert fetch(blog)[0] == 200


@pytest.mark.slow
def test_all_acts(house: Path, blog: Act) -> None:
    before = {act.name: act.snapshot().restarts for act in use_venue(house)}
    assert call("restart", "--all", cwd=house).returncode == 0
    after = {act.name: act.snapshot().restarts for act in use_venue(house)}
    assert after == {name: restarts + 1 for name, restarts in before.items()}
    assert len(call("stop", "--all", cwd=house).stdout.splitlines()) == 2
    again = call("restart", "--all", cwd=house)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "There are no Acts to restart.\n"
    assert len(call("start", "--all", cwd=house).stdout.splitlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["--all", "blog"]])
@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_whom_a_verb_means_has_to_be_said(house: Path, verb: str, words: list[str]) -> None:
    done = call(verb, *words, cwd=house)
    assert (done.returncode, done.stdout) == (2, "")
    assert "use --all" in done.stderr.splitlines()[0]


def test_one_wrong_name_and_nothing_is_done(house: Path, blog: Act) -> None:
    done = call("stop", "blog", "shpo", cwd=house)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"backstage: no Act 'shpo' in {house}; did you mean 'shop'?\n"
    assert blog.state is State.RUNNING


@pytest.mark.slow
def test_not_waiting_and_not_waiting_long(venue: Venue, fresh_name: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    act = slow_act(venue, fresh_name, gate)
    at_once = call("start", act.name, "--wait", "0", cwd=venue.path)
    assert (at_once.returncode, at_once.stdout.split()[1]) == (0, act.name)
    late = call("start", act.name, "--wait", "0.2", cwd=venue.path)
    assert late.returncode == 7
    gate.touch()
    assert call("start", act.name, cwd=venue.path).returncode == 0
    assert call("stop", act.name, "--wait", "0", cwd=venue.path).returncode == 0
    act.wait("stopped")


@pytest.mark.slow
def test_the_worst_exit_code_counts(venue: Venue, broken: Act, fresh_name: str) -> None:
    done = call("start", broken.name, "--all", cwd=venue.path)
    assert done.returncode == 2
    call("new-act", f"{fresh_name}b", cwd=venue.path)
    done = call("start", broken.name, f"{fresh_name}b", cwd=venue.path)
    assert done.returncode == 1
    assert re.search(rf"^● {fresh_name}b +running", done.stdout, re.M)


@pytest.mark.slow
def test_url_and_port(house: Path, blog: Act) -> None:
    port = blog.get_uwsgi_port()
    assert call("url", "blog", cwd=house).stdout == f"http://localhost:{port}/\n"
    assert call("port", "blog", cwd=house).stdout == f"{port}\n"
    blog.stop()
    assert call("port", "blog", cwd=house).stdout == f"{port}\n"


@pytest.mark.slow
def test_an_act_without_a_port(house: Path, blog: Act) -> None:
    blog.stop()
    kept = blog.paths.kept
    text = kept.read_text()
    kept.write_text(text.replace("http-socket = 127.0.0.1:", "socket = /run/backstage-"))
    try:
        for name in ("url", "port", "open"):
            done = call(name, "blog", cwd=house)
            assert (done.returncode, done.stdout) == (5, "")
    finally:
        kept.write_text(text)


def test_open(house: Path, blog: Act, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/seen\n')
    browser.chmod(0o755)
    opened = call("open", "blog", cwd=house, env={"BROWSER": str(browser)})
    assert (opened.returncode, opened.stdout) == (0, f"{blog.url}\n")
    assert (tmp_path / "seen").read_text() == f"{blog.url}\n"
    failed = call("open", "blog", cwd=house, env={"BROWSER": "/bin/false", "PATH": "/nowhere"})
    assert failed.stdout == f"{blog.url}  (no browser found)\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check"], 0, "no issues"),
        (["nonsense"], 1, "Unknown command: 'nonsense'"),
        (["migrate", "--help"], 0, "Updates database schema"),
        (["migrate", "--json"], 2, "unrecognized arguments: --json"),
        (["shell", "-c", "import sys; print('out'); sys.exit(42)"], 42, "out"),
        (["shell", "-c", "import os; os.kill(os.getpid(), 15)"], 143, ""),
    ],
)
def test_manage(house: Path, words: list[str], code: int, said: str) -> None:
    """All behind the Act's name is manage.py's, and so is the exit code."""
    done = call("manage", "blog", *words, cwd=house)
    assert done.returncode == code
    assert said in done.stdout + done.stderr


@pytest.mark.slow
def test_manage_reads_what_it_is_given(house: Path) -> None:
    done = call("manage", "blog", "shell", cwd=house, typed="print('sum', 40 + 2)\n")
    assert "sum 42" in done.stdout


@pytest.mark.slow
def test_retire(house: Path, fresh_name: str) -> None:
    call("new-act", fresh_name, cwd=house)
    done = call("retire", fresh_name, "--yes", cwd=house)
    assert done.returncode == 0
    first, back = done.stdout.splitlines()
    goal = Path(first.removeprefix(f"{fresh_name} was moved to "))
    assert back == f"to bring it back, type: backstage unretire {fresh_name}"
    assert (goal / fresh_name / "manage.py").exists()
    assert call("port", fresh_name, cwd=house).returncode == 3


@pytest.mark.slow
def test_the_venue_itself(house: Path, blog: Act) -> None:
    stopped = call("venue", "stop", cwd=house)
    assert stopped.returncode == 0
    assert "Emperor  not running\nWatcher  stopped\nActs     0 of 2 running\n" in stopped.stdout
    listed = call("venues", cwd=house.parent).stdout
    assert re.search(rf"^○ {house} +stopped +0 of 2 Acts running$", listed, re.M)
    assert "no Emperor (start one: backstage venue start)" in call("status", cwd=house).stdout
    assert call("venue", "start", cwd=house).returncode == 0
    blog.wait("running")
    use_venue(house)["shop"].wait("running")
    info = call("venue", "info", cwd=house)
    assert f"Venue    {house}\nEmperor  running, pid " in info.stdout
    assert "Acts     2 of 2 running\n" in info.stdout
    assert f"Python   {sys.version_info[0]}.{sys.version_info[1]}\n" in info.stdout
    listed = call("venues", cwd=house.parent).stdout
    assert re.search(rf"^● {house} +running +2 of 2 Acts running$", listed, re.M)


@pytest.mark.parametrize("where", ["acts/blog/blog", "vassals", "bin", "."])
def test_the_venue_is_found_from_within(house: Path, blog: Act, where: str) -> None:
    assert call("port", "blog", cwd=house / where).stdout == f"{blog.get_uwsgi_port()}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "behind"),
    [(["--venue", "house"], []), ([], ["--venue", "house"]), ([], ["--venue=../{}/house"])],
)
def test_the_venue_is_named(house: Path, blog: Act, before: list[str], behind: list[str]) -> None:
    behind = [word.format(house.parent.name) for word in behind]
    found = call(*before, "port", "blog", *behind, cwd=house.parent)
    assert found.stdout == f"{blog.get_uwsgi_port()}\n"


@pytest.mark.slow
def test_the_variable_names_the_venue(house: Path, venue: Venue, blog: Act) -> None:
    """It wins over the current directory, and `--venue` over it."""
    told = {"BACKSTAGE_VENUE": str(house)}
    assert call("port", "blog", cwd=Path("/"), env=told).returncode == 0
    assert call("port", "blog", cwd=venue.path, env=told).returncode == 0
    other = call("--venue", venue.path, "port", "blog", cwd=house, env=told)
    assert (other.returncode, other.stderr.partition(";")[0]) == (
        3,
        f"backstage: no Act 'blog' in {venue.path}",
    )


@pytest.mark.slow
def test_outside_of_any_venue(stage: Path, tmp_path: Path) -> None:
    for place in (["status"], ["--venue", "nowhere", "start", "--all"], ["--venue", ".", "doctor"]):
        done = call(*place, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (3, "")
        first, hint = done.stderr.splitlines()
        assert first.startswith(f"backstage: {tmp_path}")
        assert hint == "see: backstage venues, or name a Venue with --venue PATH"


def test_what_was_meant(house: Path) -> None:
    done = call("statsu", cwd=house)
    assert (done.returncode, done.stdout) == (2, "")
    first = "backstage: no command 'statsu'; did you mean: backstage status"
    assert done.stderr.splitlines()[0] == first
    done = call("port", "blgo", cwd=house)
    assert done.returncode == 3
    assert done.stderr.endswith("did you mean 'blog'?\n")
    assert call("xyzzy", cwd=house).stderr.splitlines()[0].endswith("see: backstage --help")


def test_no_command_shows_what_there_is(tmp_path: Path) -> None:
    done = call(cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == call("--help", cwd=tmp_path).stdout


def test_the_command_as_a_module(tmp_path: Path) -> None:
    module = [sys.executable, "-m", "backstage.cli", "--version"]
    done = subprocess.run(module, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == call("--version", cwd=tmp_path).stdout


def test_debugging_shows_the_traceback_and_changes_nothing_else(tmp_path: Path) -> None:
    done = call("--debug", "status", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith(call("status", cwd=tmp_path).stderr)


CALLS = [
    ["status"],
    ["restart", "blog"],
    ["start", "--all"],
    ["venue", "info"],
    ["venues"],
    ["doctor", "blog"],
    ["logs", "-n", "3"],
    ["start", "nobody"],
    ["env", "blog"],
    ["top"],
]


@pytest.mark.slow
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_no_escape_sequence_without_a_terminal(house: Path, blog: Act, words: list[str]) -> None:
    done = call(*words, cwd=house, env={"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"})
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_ascii_is_enough(house: Path, blog: Act, words: list[str]) -> None:
    done = call(*words, cwd=house, env={"LC_ALL": "C"})
    assert (done.stdout + done.stderr).isascii()
    assert "Error" not in done.stderr
    assert "?" not in done.stdout, "a sign that has no other"


def test_ascii_by_the_encoding_alone(house: Path, blog: Act) -> None:
    done = call("status", cwd=house, env={"PYTHONIOENCODING": "ascii"})
    assert re.search(r"^\* blog +running", done.stdout, re.M)
    assert done.stdout.isascii()


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["true", "head -1"])
@pytest.mark.parametrize("words", ["logs -n 500", "start --all", "doctor blog", "--help"])
def test_a_closed_pipe_ends_it_quietly(house: Path, blog: Act, words: str, reader: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{BACKSTAGE} {words} | {reader}"],
        cwd=house, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stderr == ""


def test_what_others_have_written_is_not_obeyed(house: Path, blog: Act) -> None:
    with blog.paths.log.open("a") as log:
        log.write("\x1b[2J\x1b]0;owned\x07 bell\n")
    # More than one line: the watcher may just ask the Act for its health.
    done = call("logs", "blog", "-n", "9", cwd=house)
    assert "\\x1b[2J\\x1b]0;owned\\x07 bell" in done.stdout.splitlines()
    assert not {"\x1b", "\x07"}.intersection(done.stdout)


@pytest.mark.slow
def test_nothing_is_left_of_what_could_not_be_made(house: Path, tmp_path: Path) -> None:
    held = use_venue(house)["blog"].get_uwsgi_port()
    for words, code in (
        (["new-act", "class"], 4),
        (["new-act", "wiki", "--port", str(held)], 5),
        (["new-act", "wiki", "--port", "70000"], 2),
        (["new-venue", "a/b", tmp_path], 3),
        (["new-venue", "a'b", tmp_path], 4),
        (["new-venue", "w", tmp_path / "nowhere"], 3),
        (["new-venue", "w", tmp_path, "--python", "2.7"], 6),
        (["new-venue", "w", tmp_path, "--requirements", tmp_path / "nowhere"], 2),
    ):
        done = call(*words, cwd=house)
        assert (done.returncode, done.stdout.count("running")) == (code, 0), done.stderr
        assert done.stderr.startswith("backstage: ")
    assert os.listdir(tmp_path) == []
    assert sorted(os.listdir(house / "acts")) == ["blog", "shop"]


@pytest.mark.slow
def test_the_transcript_of_the_readme(stage: Path) -> None:
    """Typed and compared, but for numbers and how wide they make a column."""
    [told] = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    commands = [line.removeprefix("$ ") for line in told.splitlines() if line.startswith("$ ")]
    top = stage / "readme"
    top.mkdir()
    script = "\n".join(f"echo {shlex.quote(f'$ {each}')}\n{each}" for each in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=top, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert plain(done.stdout) == plain(told.replace("/srv", str(top)))


def plain(text: str) -> list[str]:
    without = re.sub(r"\d+([./]\d+)?( (ms|kB|MB)|[hms])?( \d+s)?", "N", text)
    return [re.sub(r"\s+", " ", line) for line in without.splitlines()]
