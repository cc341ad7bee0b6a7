"""A Venue shared with a group, by real users: what its members can do, and whatever they try."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.system.deadlines import Deadline, until
from tests.integration.machine import Machine
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

HOME = Path("/srv/together")
VENUE = HOME / "V"
SOCKET = VENUE / "shared" / "socket"
# In bytes of PSS, as in test_watcher.py.
MOST_MEMORY = 30_000_000
# Of the answering processes of one user.
MOST_OF_ONE = 6
REFUSED = (
    *("env blog", "env blog set A=1", "manage blog check", "edit blog", "retire blog --yes"),
    *("new-act more", "open blog", "doctor", "upgrade", "nginx check", "systemd show"),
    *("venue info", "venue start", "venue stop", "notify test"),
)
# What a member tries; each must fail.
ATTACK = """
import json, os, pathlib, signal, socket, sys
venue, watcher = pathlib.Path(sys.argv[1]), int(sys.argv[2])

def attempt(what):
    try:
        return f"done: {what()!r}"[:200]
    except Exception as error:
        return type(error).__name__

def connect(path):
    with socket.socket(socket.AF_UNIX) as plug:
        plug.connect(str(path))

tried = {
    "read its secrets": lambda: (venue / "acts/blog/.env").read_text(),
    "read its log": lambda: (venue / "log/blog.log").read_text(),
    "read its history": lambda: (venue / "log/events.jsonl").read_text(),
    "write its code": lambda: (venue / "acts/blog/blog/urls.py").write_text(""),
    "start an Act": lambda: (venue / "vassals/evil.ini").write_text("[uwsgi]"),
    "edit an Act": lambda: (venue / "vassals/blog.ini").write_text("[uwsgi]"),
    "share more": lambda: (venue / "venue.yaml").write_text("group: users"),
    "change the programs": lambda: (venue / "bin/evil").write_text("id"),
    "sign for another": lambda: (venue / "run/blog.author").write_text("{}"),
    "list the directory": lambda: os.listdir(venue / "shared"),
    "put a socket beside": lambda: socket.socket(socket.AF_UNIX).bind(str(venue / "shared/other")),
    "take the socket away": lambda: os.unlink(venue / "shared/socket"),
    "link the socket away": lambda: os.rename(venue / "shared/socket", "/tmp/socket"),
    "take the directory": lambda: os.rename(venue / "shared", venue / "gone"),
    "open it to all": lambda: os.chmod(venue / "shared/socket", 0o777),
    "talk to the Emperor": lambda: connect(venue / "run/emperor.stats"),
    "talk to the master": lambda: connect(venue / "run/blog.stats"),
    "run the library": lambda: os.listdir(venue / ".backstage"),
    "kill the watcher": lambda: os.kill(watcher, signal.SIGKILL),
    "read its memory": lambda: open(f"/proc/{watcher}/mem", "rb"),
    "read its environment": lambda: open(f"/proc/{watcher}/environ", "rb").read(),
}
print(json.dumps({name: attempt(what) for name, what in tried.items()}))
"""
# What a member sends; each must be answered with one error, or be cut off.
SENT = """
import array, json, os, socket, sys
venue = sys.argv[1]

def ask(*lines, descriptors=(), venue=venue, **request):
    with socket.socket(socket.AF_UNIX) as plug:
        plug.settimeout(60)
        plug.connect(f"{sys.argv[1]}/shared/socket")
        told = {"version": 1, "venue": venue, **request}
        sent = b"".join(lines) or json.dumps(told).encode() + b"\\n"
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            plug.sendmsg([sent], ancillary if descriptors else [])
            return json.loads(plug.makefile("rb").readline() or b'{"error": "cut off"}')
        except ConnectionError:
            return {"error": "cut off"}

answers = {
    "nothing known": ask(ask="shell"),
    "more than is known": ask(ask="overview", command="id"),
    "another verb": ask(ask="each", verb="retire", names=["blog"]),
    "a path for a name": ask(ask="each", verb="start", names=["../blog"]),
    "the log at a path": ask(ask="logs", names=["../../../etc/passwd"]),
    "the log of the watcher": ask(ask="logs", names=["events.jsonl"]),
    "an hour": ask(ask="each", verb="restart", names=["blog"], wait=3600),
    "another Venue": ask(venue="/srv/other", ask="overview"),
    "garbage": ask(os.urandom(1000) + b"\\n"),
    "depth": ask(b"[" * 60000 + b"\\n"),
    "a megabyte": ask(b"x" * 1000000 + b"\\n"),
    "descriptors": ask(ask="shell", descriptors=[0, 1, 2] * 60),
}
print(json.dumps(answers))
"""
# Connects again and again until its input ends, asks nothing, and keeps what it gets first.
FLOOD = """
import select, socket, sys
kept = []
while not select.select([sys.stdin], [], [], 0)[0]:
    plug = socket.socket(socket.AF_UNIX)
    plug.settimeout(1)
    try:
        plug.connect(f"{sys.argv[1]}/shared/socket")
        kept.append(plug)
    except OSError:
        pass
    if len(kept) > 200:
        kept.pop().close()
print(len(kept))
"""
# Serves what it is not asked to.
IMPOSTOR = """
import os, socket, sys
plug = socket.socket(socket.AF_UNIX)
plug.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
plug.listen()
print("ready", flush=True)
print("asked", plug.accept()[0].recv(1000), flush=True)
"""


@pytest.fixture(scope="module")
def house(machine: Machine) -> Iterator[Machine]:
    """A Venue of ann's; bob is in the group that she shares it with, and eve is not."""
    machine.run("groupadd", "actors")
    for name in ("ann", "bob", "eve"):
        machine.run("useradd", "--create-home", name)
    for name in ("ann", "bob"):
        machine.run("gpasswd", "-a", name, "actors")
    machine.run("install", "-d", "-o", "ann", HOME)
    backstage(machine, "ann", "new-venue", VENUE.name, HOME)
    backstage(machine, "ann", "--venue", VENUE, "new-act", "blog")
    share(machine, "actors")
    yield machine
    backstage(machine, "ann", "--venue", VENUE, "venue", "stop")


def backstage(
    machine: Machine, user: str | None, *words: str | Path
) -> subprocess.CompletedProcess[str]:
    return machine.run("backstage", *words, user=user, check=False, timeout=PATIENCE)


def at(machine: Machine, user: str | None, command: str) -> str:
    """What a command that must succeed prints."""
    done = backstage(machine, user, "--venue", VENUE, *command.split())
    assert not done.returncode, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def refused(machine: Machine, user: str, command: str) -> str:
    """The one line with which a command fails."""
    done = backstage(machine, user, "--venue", VENUE, *command.split())
    assert done.returncode in {1, 6, 8}, f"{command}: {done.stdout}{done.stderr}"
    (line,) = f"{done.stdout}{done.stderr}".splitlines()
    return line


def on_host(machine: Machine, path: Path) -> Path:
    return machine.root / path.relative_to("/")


def share(machine: Machine, group: str) -> None:
    """Share the Venue with this group only, '' for none, and wait until it is so."""
    settings = on_host(machine, VENUE / "venue.yaml")
    lines = [line for line in settings.read_text().splitlines() if "group:" not in line]
    settings.write_text("\n".join([*lines, *([f"group: {group}"] if group else []), ""]))
    socket = on_host(machine, SOCKET)
    assert comes_true(lambda: socket.exists() is bool(group))


def comes_true(condition: object) -> bool:
    assert callable(condition)
    return until(condition, Deadline(PATIENCE), pause=0.1)


def script(machine: Machine, user: str, text: str, *words: str | Path) -> str:
    return machine.run("python3", "-c", text, *words, user=user, timeout=PATIENCE).stdout


def watcher(machine: Machine) -> int:
    told = json.loads(at(machine, "ann", "status --json"))["result"]["watcher"]
    assert told["state"] == "running"
    return int(told["pid"])


def answering(machine: Machine) -> list[str]:
    """The processes that answer members."""
    done = machine.run("pgrep", "-f", "sharing import answering", check=False)
    return done.stdout.split()


def events(machine: Machine) -> list[dict[str, object]]:
    lines = at(machine, "bob", "events --since 1h --json").splitlines()
    return [json.loads(line)["result"] for line in lines]


def signers(machine: Machine) -> list[object]:
    """Who has signed an event, in order."""
    return [event["by"] for event in events(machine) if event["by"]]


def test_members_look(house: Machine) -> None:
    told = json.loads(at(house, "bob", "status --json"))["result"]
    assert told["acts"][0]["state"] == "running"
    owners = json.loads(at(house, "ann", "status --json"))["result"]
    assert told == {**owners, "acts": told["acts"]}
    port = at(house, "ann", "port blog")
    assert at(house, "bob", "port blog") == port
    assert at(house, "bob", "url blog") == f"http://localhost:{port.strip()}/\n"
    assert "/readyz" in at(house, "bob", "logs blog -n 50")
    assert "/readyz" not in at(house, "bob", "logs blog -n 50 --level critical")
    assert "blog" in at(house, "bob", "top")


def test_members_act_and_each_action_is_signed_once(house: Machine) -> None:
    """As are those of the owner and of root; an edit by hand is not."""
    expected = signers(house)
    for user in ("bob", "ann", None):
        for verb in ("restart", "stop", "start"):
            at(house, user, f"{verb} blog --wait {PATIENCE:.0f}")
            expected.append(user or "root")
            assert comes_true(lambda: signers(house) == expected), events(house)
    known = len(events(house))
    house.run("touch", VENUE / "vassals" / "blog.ini", user="ann")
    assert comes_true(lambda: "reloading" in {each["after"] for each in events(house)[known:]})
    assert signers(house) == expected
    assert " by bob\n" in at(house, "bob", "events --since 1h")


def test_a_member_gets_the_errors_of_the_owner(house: Machine) -> None:
    for command in ("start blgo", "logs ../x", "port nope"):
        mine, owners = (
            backstage(house, user, "--venue", VENUE, *command.split()) for user in ("bob", "ann")
        )
        assert (mine.returncode, mine.stderr) == (owners.returncode, owners.stderr)
        assert mine.returncode


@pytest.mark.parametrize("command", REFUSED)
def test_everything_else_is_refused_in_one_line_with_what_to_type(
    house: Machine, command: str
) -> None:
    told = refused(house, "bob", command)
    assert f"{VENUE} belongs to ann, and is shared with the group actors for status, top" in told
    assert told.endswith(f"sudo -u ann backstage --venue {VENUE} {command}")


def test_members_cannot_write_or_read_the_secrets_or_become_the_owner(house: Machine) -> None:
    told = json.loads(script(house, "bob", ATTACK, VENUE, str(watcher(house))))
    assert {name: said for name, said in told.items() if said.startswith("done")} == {}


def test_who_is_not_in_the_group_gets_nowhere(house: Machine) -> None:
    for command in ("status", "restart blog", "logs blog"):
        assert "is shared with the group actors, which this process of eve is not in" in refused(
            house, "eve", command
        )
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = house.run("python3", "-c", connect, SOCKET, user="eve", check=False)
    assert "PermissionError" in done.stderr


def test_whatever_a_member_sends_is_answered_with_an_error(house: Machine) -> None:
    pid = watcher(house)
    answers = json.loads(script(house, "bob", SENT, VENUE))
    assert {name: said for name, said in answers.items() if "error" not in said} == {}
    assert answers["a path for a name"]["error"]["kind"] == "NoSuchAct"
    assert answers["another Venue"]["error"]["kind"] == "NotAVenue"
    assert watcher(house) == pid
    assert comes_true(lambda: not answering(house))


def test_a_flood_costs_the_watcher_next_to_nothing(house: Machine) -> None:
    """The member who floods is put off; the owner and the watcher's own work are not."""
    pid = watcher(house)
    flood = house.start("python3", "-c", FLOOD, VENUE, user="bob")
    try:
        assert comes_true(lambda: len(answering(house)) >= MOST_OF_ONE)
        said = f"answers {MOST_OF_ONE} calls of one user"
        status = ("--venue", VENUE, "status")
        assert comes_true(lambda: said in backstage(house, "bob", *status).stderr)
        assert len(answering(house)) <= MOST_OF_ONE + 1
        at(house, None, f"restart blog --no-check --wait {PATIENCE:.0f}")
    finally:
        kept = flood.communicate(timeout=PATIENCE)[0]
    assert int(kept) > MOST_OF_ONE
    assert comes_true(lambda: not answering(house))
    assert watcher(house) == pid
    rollup = house.run("cat", f"/proc/{pid}/smaps_rollup").stdout
    used = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    assert int(used.split()[1]) * 1024 < MOST_MEMORY


def test_secrets_are_masked_in_what_members_read(house: Machine) -> None:
    """An application may log anything; the owner sees it as it is."""
    env = on_host(house, VENUE / "acts/blog/.env").read_text().splitlines()
    key = next(line.partition("=")[2] for line in env if line.startswith("SECRET_KEY="))
    with on_host(house, VENUE / "log/blog.log").open("a") as log:
        log.write(f"oops {key.strip(chr(39))}\n")
    assert "oops ********" in at(house, "bob", "logs blog -n 3")
    assert key.strip("'") in at(house, "ann", "logs blog -n 3")


def test_who_leaves_the_group_is_cut_off(house: Machine) -> None:
    """Also a process that had the group before, and goes on having it."""
    follow = house.start("backstage", "--venue", VENUE, "events", user="bob")
    assert comes_true(lambda: answering(house))
    gid = house.run("getent", "group", "actors").stdout.split(":")[2]
    house.run("gpasswd", "-d", "bob", "actors")
    try:
        assert "not in the group actors any more" in follow.communicate(timeout=PATIENCE)[1]
        keeping = ["setpriv", "--reuid=bob", "--regid=bob", f"--groups={gid}"]
        done = house.run(*keeping, "backstage", "--venue", VENUE, "status", check=False)
        assert (done.returncode, done.stdout) == (6, "")
        assert "bob is not in the group actors any more" in done.stderr
    finally:
        house.run("gpasswd", "-a", "bob", "actors")


def test_the_socket_goes_with_the_setting(house: Machine) -> None:
    """And whoever is being answered is cut off."""
    follow = house.start("backstage", "--venue", VENUE, "logs", "-f", user="bob")
    assert comes_true(lambda: answering(house))
    share(house, "")
    assert "has broken off" in follow.communicate(timeout=PATIENCE)[1]
    assert comes_true(lambda: not on_host(house, VENUE / "shared").exists())
    share(house, "actors")
    assert "running" in at(house, "bob", "status")


def test_without_a_watcher_the_member_is_told_what_to_type(house: Machine) -> None:
    at(house, "ann", "venue stop")
    told = refused(house, "bob", "status")
    assert told.endswith(f"type: sudo -u ann backstage --venue {VENUE} venue start")
    at(house, "ann", "venue start")
    assert comes_true(lambda: not backstage(house, "bob", "--venue", VENUE, "status").returncode)


def test_nothing_is_asked_of_a_server_that_is_not_the_owner(house: Machine) -> None:
    """Whoever owns a Venue may link to another's socket, so as to have others ask there."""
    false = Path("/srv/false")
    house.run("install", "-d", "-o", "ann", false, false / "shared")
    house.run("chmod", "755", "/home/eve")
    impostor = house.start("python3", "-u", "-c", IMPOSTOR, "/home/eve/socket", user="eve")
    assert impostor.stdout
    assert impostor.stdout.readline() == "ready\n"
    house.run("ln", "-s", "/home/eve/socket", false / "shared" / "socket", user="ann")
    done = backstage(house, "bob", "--venue", false, "status")
    assert "served by eve" in done.stderr
    assert impostor.communicate(timeout=PATIENCE)[0] == "asked b''\n"
