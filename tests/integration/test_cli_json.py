"""What every command prints with `--json`, on a real Venue: the fields that programs rely on."""

from __future__ import annotations

import json
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.cli.program import SECTIONS
from backstage.shortcuts import new_act
from backstage.venue import Venue
from tests.patience import PATIENCE

from ..conftest import Spawn
from .calling import BACKSTAGE, call, environment
from .serving import PROGRAM

ACT = "jsonact"
SNAPSHOT = (
    "name state since port pid workers threads busy requests latency memory cpu restarts "
    "attempts next_try reason refused untaken draining requests_per_second cpu_share seconds"
)
STATUS = f"venue emperor acts acts.{' acts.'.join(SNAPSHOT.split())}"
OUTCOME = "act state seconds url reason"
ADDRESS = "act state port url"
COMMANDS = [name for rows in SECTIONS.values() for name in rows]
# These are tried with an adopted project.
NEEDS_A_SOURCE = {"deploy", "rollback"}
# Each command with words that do no harm, and the fields that its results have had so far.
# A field may be added, but none may go: that would be another version of the format.
CALLS = {
    "new-venue shared {parent}": "venue emperor steps",
    f"new-act {ACT}": ADDRESS,
    f"start {ACT}": OUTCOME,
    f"restart {ACT}": OUTCOME,
    "venue info": (
        "venue emperor watcher watcher.state watcher.pid acts running ports ports.first "
        "ports.last memory python"
    ),
    f"status {ACT}": f"{STATUS} watcher watcher.state watcher.pid",
    "top": f"{STATUS} requests_per_second cpu_share memory load",
    f"logs {ACT} -n 2": "source at text",
    f"events {ACT} --timeout 0.1": "",
    f"doctor {ACT}": (
        "venue trouble warning note ok findings findings.severity findings.check "
        "findings.subject findings.what findings.remedy findings.command"
    ),
    "venues": "venues venues.venue venues.emperor venues.acts venues.running moved",
    f"manage {ACT} check": "act output",
    f"edit {ACT}": "act changed",
    f"env {ACT}": "act path variables variables.SECRET_KEY masked unread",
    f"env {ACT} set COLOUR=blue": "act path changed restarted",
    "systemd show --user": "path installed text",
    "nginx show": "sites",
    f"open {ACT}": "act url opened",
    f"url {ACT}": "act url",
    f"port {ACT}": "act port",
    "completion bash": "shell script",
    f"drain {ACT}": OUTCOME,
    f"undrain {ACT}": OUTCOME,
    "notify test": "targets targets.target targets.error",
    "upgrade": "venue done changes waits files library restarted passed_over emperor",
    f"stop {ACT}": OUTCOME,
    f"retire {ACT} --yes": "act retired",
    f"unretire {ACT} --no-start": ADDRESS,
    f"releases {ACT}": "act releases",
    f"rename {ACT} {ACT}s": "act former state port url left",
    "relocate --dry-run": (
        "venue made_at copy done changes files links ports python restarts left waits"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _act(venue: Venue) -> Iterator[None]:
    settings = venue.paths.settings
    text = settings.read_text()
    settings.write_text(f"{text}notify: [{{command: 'true'}}]\n")
    new_act(venue, ACT)
    yield
    settings.write_text(text)


def fields(document: object, within: str = "") -> set[str]:
    """The names of all fields of an object, those of objects in it behind a dot."""
    found: set[str] = set()
    if isinstance(document, list):
        return found.union(*(fields(each, within) for each in document))
    if isinstance(document, dict):
        for key, value in document.items():
            found |= {within + key, *fields(value, f"{within}{key}.")}
    return found


def test_no_command_is_left_out() -> None:
    assert {words.split()[0] for words in CALLS} | NEEDS_A_SOURCE == {*COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize(("words", "known"), CALLS.items(), ids=[*CALLS])
def test_results(venue: Venue, words: str, known: str) -> None:
    name, *rest = words.format(parent=venue.path.parent).split()
    if name == "nginx" and not PROGRAM:
        pytest.skip("nginx is not installed")
    done = call("--json", name, *rest, cwd=venue.path, env={"EDITOR": "true", "BROWSER": "true"})
    envelopes = [json.loads(line) for line in done.stdout.splitlines()]
    assert bool(envelopes) is bool(known)
    assert (done.returncode, done.stderr) == (0, "")
    for envelope in envelopes:
        result = envelope.pop("result")
        assert envelope == {"backstage": 1, "command": name, "ok": True}
        assert fields(result) >= set(known.split())


@pytest.mark.slow
def test_events_are_lines_as_they_happen(venue: Venue, fresh_name: str, spawn: Spawn) -> None:
    act = new_act(venue, fresh_name)
    events = spawn(BACKSTAGE, "events", act.name, "--json", cwd=venue.path, env=environment())
    assert events.stdout
    while not select.select([events.stdout], [], [], 1.0)[0]:
        act.restart()
    envelope = json.loads(events.stdout.readline())
    events.send_signal(signal.SIGINT)
    assert events.wait(PATIENCE) == 130
    assert fields(envelope.pop("result")) >= {"act", "before", "after", "at", "reason"}
    assert envelope == {"backstage": 1, "command": "events", "ok": True}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_errors(name: str, tmp_path: Path) -> None:
    """Without a Venue hardly a command can do anything."""
    named = (words for words in CALLS if words.split()[0] == name)
    words = next(named, f"{name} {ACT}")
    rest = words.format(parent=tmp_path / "nowhere").split()[1:]
    done = call("--json", name, *rest, cwd=tmp_path)
    assert done.stderr == ""
    envelope = json.loads(done.stdout)
    if name in {"venues", "completion"}:
        assert (done.returncode, envelope["ok"]) == (0, True)
        return
    error = envelope.pop("error")
    assert envelope == {"backstage": 1, "command": name, "ok": False}
    assert error.pop("message")
    assert (error, done.returncode) == ({"kind": "NotAVenue", "exit": 3}, 3)


@pytest.mark.slow
def test_an_act_that_does_not_start_is_a_result(venue: Venue, fresh_name: str) -> None:
    act = new_act(venue, fresh_name, start=False)
    (act.paths.top / fresh_name / "wsgi.py").write_text("import nonsense_that_is_not_there\n")
    done = call("start", fresh_name, "--json", cwd=venue.path)
    envelope = json.loads(done.stdout)
    assert (done.returncode, done.stderr, envelope["ok"]) == (1, "", False)
    assert envelope["result"]["state"] == "failing"
    assert "nonsense_that_is_not_there" in envelope["result"]["reason"]
    act.stop()


@pytest.mark.slow
def test_several_results_are_several_lines(venue: Venue, fresh_name: str) -> None:
    names = {fresh_name, f"{fresh_name}b"}
    for name in names:
        new_act(venue, name, start=False)
    done = call("start", *names, "--json", cwd=venue.path)
    results = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    assert {result["act"] for result in results} == names
