"""Root at a shell, and a Venue of somebody who means harm: nothing of his ever runs as root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.machine import Machine

pytestmark = pytest.mark.slow

HOME = Path("/home/mallory")
VENUE = HOME / "V"
# What root does in other people's Venues. Whether it succeeds does not matter here.
CALLS = (
    "status",
    "doctor",
    "manage blog check",
    "env blog",
    "logs blog -n 1",
    "restart blog",
    "new-act more",
    "systemd show",
    "systemd install --yes",
    "systemd status",
    "nginx bind blog mallory.test",
    "nginx check",
    "nginx unbind blog",
    "venue stop",
    "venue start",
    "systemd uninstall --yes",
)
# Notes who runs it, then does what the program does whose place it has taken.
SPY = """#!/bin/sh
/usr/bin/stat -L -c '%U {name}' /proc/self >>/tmp/ran-by
exec {program} "$@"
"""


@pytest.fixture(scope="module")
def lair(machine: Machine) -> Iterator[Machine]:
    """A Venue of mallory's with an Act in it."""
    machine.run("useradd", "--create-home", "--shell", "/bin/bash", "mallory")
    machine.run("chmod", "711", HOME)
    machine.run("backstage", "new-venue", VENUE.name, HOME, user="mallory")
    machine.run("backstage", "--venue", VENUE, "new-act", "blog", user="mallory")
    yield machine
    backstage(machine, "venue", "stop")
    machine.run("systemctl", "stop", "nginx")


def backstage(
    machine: Machine, *words: str, venue: Path = VENUE, cwd: str = "/"
) -> subprocess.CompletedProcess[str]:
    command = ["backstage", "--venue", venue, *words]
    return machine.run(*command, cwd=cwd, check=False, timeout=120)


def as_mallory(machine: Machine, script: str) -> None:
    machine.run("sh", "-ec", script, user="mallory", cwd=HOME)


def runners(machine: Machine) -> set[tuple[str, str]]:
    """Who has run what of that which mallory has put there."""
    said = machine.run("sort", "-u", "/tmp/ran-by").stdout.splitlines()
    return {(user, name) for user, name in (line.split() for line in said)}


def spy_on(machine: Machine, **programs: str | Path) -> None:
    """Put programs of mallory's where the Venue's own are looked for first."""
    for name, program in programs.items():
        spy = machine.root / VENUE.relative_to("/") / "bin" / name
        spy.unlink(missing_ok=True)
        spy.write_text(SPY.format(name=name, program=program))
        spy.chmod(0o755)
        machine.run("chown", "mallory:", VENUE / "bin" / name)
    machine.run("sh", "-c", ": >/tmp/ran-by; chmod 666 /tmp/ran-by")


def test_no_program_of_the_venue_runs_as_root(lair: Machine) -> None:
    as_mallory(lair, "cp -a V/bin kept-bin")
    tools = {name: f"/usr/bin/{name}" for name in ("setpriv", "systemctl", "find", "sh", "id")}
    python = lair.run("readlink", "-f", VENUE / "bin" / "python").stdout.strip()
    spy_on(lair, python=python, uwsgi=HOME / "kept-bin" / "uwsgi", **tools)
    for words in CALLS:
        backstage(lair, *words.split())
    ran = runners(lair)
    as_mallory(lair, "rm -r V/bin; mv kept-bin V/bin")
    assert {("mallory", "python"), ("mallory", "uwsgi")} <= ran
    assert {user for user, _ in ran} == {"mallory"}


def test_links_lead_root_nowhere(lair: Machine) -> None:
    """To root's directories, and to those of somebody else."""
    lair.run("useradd", "--create-home", "victim")
    python = lair.run("readlink", "-f", VENUE / "bin" / "python").stdout.strip()
    spy_on(lair, python=python)
    as_mallory(lair, "mv V/acts kept-acts; ln -s /home V/acts")
    as_mallory(lair, "sed s/blog/victim/ V/vassals/blog.ini >V/vassals/victim.ini")
    for words in CALLS:
        backstage(lair, *words.replace("blog", "victim").split())
    assert runners(lair) == {("mallory", "python")}
    as_mallory(lair, "rm V/acts V/vassals/victim.ini; rm -f V/kept/victim.*; mv kept-acts V/acts")


def test_a_venue_where_everybody_writes_is_nobodys(lair: Machine) -> None:
    """Such as one that somebody has laid out in /tmp, where root happens to be."""
    as_mallory(lair, "cp V/venue.yaml V/emperor.ini V/pyvenv.cfg /tmp/; mkdir /tmp/vassals /tmp/w")
    done = lair.run("backstage", "status", cwd="/tmp/w", check=False)
    assert done.returncode == 6
    assert "/tmp can be written by everybody" in done.stderr
    as_mallory(lair, "cd /tmp; rm -r venue.yaml emperor.ini pyvenv.cfg vassals w")


def test_a_venue_planted_above_where_somebody_works_is_not_run(lair: Machine) -> None:
    """Mallory has laid it out where everybody may, as in /tmp; the refusal says whose it is."""
    lair.run("useradd", "--create-home", "alice")
    lair.run("mkdir", "--mode", "1777", "/srv/open")
    as_mallory(lair, "mkdir /srv/open/V; cp -a V/. /srv/open/V/; mkdir -m 777 /srv/open/V/w")
    spy = "#!/bin/sh\nid -un >>/tmp/ran-by\n"
    for name in ("python", "uwsgi"):
        program = lair.root / "srv/open/V/bin" / name
        program.unlink()
        program.write_text(spy)
        program.chmod(0o755)
        lair.run("chown", "mallory:", f"/srv/open/V/bin/{name}")
    lair.run("sh", "-c", ": >/tmp/ran-by; chmod 666 /tmp/ran-by")
    for words in ("manage blog check", "edit blog", "restart blog", "start blog", "new-act more"):
        call = ("env", "EDITOR=true", "backstage", *words.split())
        done = lair.run(*call, cwd="/srv/open/V/w", user="alice", check=False)
        assert done.returncode == 6, (words, done.stdout, done.stderr)
        assert "mallory" in done.stderr
    assert lair.run("cat", "/tmp/ran-by").stdout == ""
    lair.run("rm", "-r", "/srv/open")


@pytest.mark.parametrize("path", [".emperor.lock", "venue.yaml", "acts/blog/.env.example"])
def test_nobody_keeps_root_waiting(lair: Machine, path: str) -> None:
    as_mallory(lair, f"cd V; [ ! -e {path} ] || mv {path} {path}.kept; mkfifo {path}")
    for words in ("systemd install --yes", "nginx bind blog mallory.test"):
        assert backstage(lair, *words.split()).returncode != 124
    as_mallory(lair, f"cd V; rm {path}; [ ! -e {path}.kept ] || mv {path}.kept {path}")
    backstage(lair, "systemd", "uninstall", "--yes")
    backstage(lair, "nginx", "unbind", "blog")


def test_a_file_with_another_name_elsewhere_stays_whose_it_is(lair: Machine) -> None:
    """As those of a cache are, from which an installer has linked them."""
    lair.run("useradd", "--system", "stagehand")
    lair.run("backstage", "new-venue", "hard", "/srv", "--no-start")
    lair.run("sh", "-c", "echo mine >/srv/cached; ln /srv/cached /srv/hard/lib/cached")
    backstage(lair, "systemd", "install", "--run-as", "stagehand", "--yes", venue=Path("/srv/hard"))
    owners = lair.run("stat", "-c", "%U %h", "/srv/cached", "/srv/hard/lib/cached").stdout
    assert owners.splitlines() == ["root 1", "stagehand 1"]
    assert lair.run("cat", "/srv/hard/lib/cached").stdout == "mine\n"
    backstage(lair, "systemd", "uninstall", "--yes", venue=Path("/srv/hard"))


def test_root_is_not_asked_to_run_what_was_somebody_elses(lair: Machine) -> None:
    done = backstage(lair, "systemd", "install", "--run-as", "root", "--yes")
    assert done.returncode == 6
    assert "belongs to mallory, who may have changed what root would run" in done.stderr


def test_two_units_for_one_venue_are_refused(lair: Machine) -> None:
    lair.linger("mallory")
    words = ["backstage", "--venue", str(VENUE), "systemd", "install", "--user", "--yes"]
    lair.run(*words, user="mallory")
    done = backstage(lair, "systemd", "install", "--yes")
    assert done.returncode == 6
    assert "already runs this Venue" in done.stderr
    assert "as mallory: backstage systemd uninstall" in done.stderr
    lair.run("backstage", "--venue", VENUE, "systemd", "uninstall", "--yes", user="mallory")
    backstage(lair, "systemd", "install", "--yes")
    done = lair.run(*words, user="mallory", check=False)
    assert done.returncode == 6
    assert "/etc/systemd/system/backstage-V.service already runs this Venue" in done.stderr
    backstage(lair, "systemd", "uninstall", "--yes")
