"""Limits of single Acts, on a kernel with control groups v2: each Act is held to its own.

The tests share one Venue under its unit; its Emperor is an unprivileged user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE

from .guest import Guest, guest, missing
from .machine import skipping_unbootable

pytestmark = pytest.mark.slow

SITE = Path("/srv/shows/site")
UNIT = "backstage-site.service"
GROUP = f"/sys/fs/cgroup/backstage.slice/{UNIT}"
LIMITS = "acts: {greedy: {limits: {memory: 150M, cpu: 50%, tasks: 40}}}\n"
OTHERS = "acts: {greedy: {limits: {cpu: 150%, tasks: 30}}}\n"
HUNGRY = "HELD = bytearray(400_000_000)"
VIEWS = """
import contextlib, os, signal, subprocess
from django.http import HttpResponse

def eat(request):
    return HttpResponse(len(b"x" * 400_000_000))

def spin(request):
    loop = "import time; end = time.monotonic() + 2\\nwhile time.monotonic() < end: pass"
    for child in [subprocess.Popen(["/usr/bin/python3", "-c", loop]) for _ in range(2)]:
        child.wait()
    return HttpResponse("spun")

def bomb(request):
    kids = []
    with contextlib.suppress(OSError):
        while len(kids) < 200:
            kids.append(os.fork() or signal.pause())
    for kid in kids:
        os.kill(kid, signal.SIGKILL)
        os.waitpid(kid, 0)
    return HttpResponse(len(kids))

def pid(request):
    return HttpResponse(os.getpid())

urlpatterns += [path("eat", eat), path("spin", spin), path("bomb", bomb), path("pid", pid)]
"""


@dataclass(frozen=True)
class House:
    """The Venue inside the guest."""

    guest: Guest
    ports: Mapping[str, str]

    def call(self, *words: str) -> str:
        done = self.guest.run("backstage", "--venue", SITE, *words, user="shows")
        return done.stdout + done.stderr

    def page(self, act: str, page: str = "pid") -> str:
        """What an Act answers; '' where it does not."""
        url = f"http://localhost:{self.ports[act]}/{page}"
        return self.guest.run("curl", "-sf", "--max-time", "240", url, check=False).stdout

    def group(self, place: str, file: str) -> str:
        return self.guest.run("cat", f"{GROUP}/{place}/{file}").stdout.strip()

    def count(self, place: str, file: str, key: str) -> int:
        """One of the numbers that the kernel keeps of a group."""
        return int(dict(line.split() for line in self.group(place, file).splitlines())[key])

    def programs(self, place: str) -> list[str]:
        """The command lines of the processes in a group."""
        script = 'for pid in $(cat "$1"); do tr "\\0" " " <"/proc/$pid/cmdline"; echo; done'
        words = ("sh", "-c", script, "sh", f"{GROUP}/{place}/cgroup.procs")
        return [line for line in self.guest.run(*words).stdout.splitlines() if line]

    def told(self, name: str) -> str:
        words = ("systemctl", "show", "--value", f"--property={name}", UNIT)
        return self.guest.run(*words).stdout.strip()

    @property
    def limits(self) -> list[str]:
        files = ("memory.max", "cpu.max", "pids.max")
        return [self.group("act-greedy", file) for file in files]

    @property
    def complaints(self) -> list[str]:
        """What the scripts of the Venue could not do."""
        log = self.guest.run("cat", SITE / "log/emperor.log").stdout.splitlines()
        return [line for line in log if " cannot " in line or line.startswith(f"{SITE}/templates/")]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A Venue with one Act that has limits and one that has none."""
    if reason := missing():
        pytest.skip(reason)
    with ExitStack() as ending:
        with skipping_unbootable():
            machine = ending.enter_context(guest("limits"))
            ports = _settle(machine)
            machine.boot()
        house = House(machine, ports)
        machine.run("backstage", "--venue", SITE, "systemd", "install", "--yes")
        yield house


def _settle(machine: Guest) -> dict[str, str]:
    """Put the Venue onto the disk of a guest; returns the ports of its Acts."""
    home = ("--create-home", "--home-dir", SITE.parent)
    machine.prepare("useradd", "--system", *home, "--shell", "/bin/bash", "shows")
    as_shows = ("runuser", "--user", "shows", "--", "backstage")
    machine.prepare(*as_shows, "new-venue", SITE.name, SITE.parent, "--no-start")
    site, ports = machine.root / SITE.relative_to("/"), {}
    for act in ("greedy", "calm"):
        machine.prepare(*as_shows, "--venue", SITE, "new-act", act, "--no-start")
        with (site / "acts" / act / act / "urls.py").open("a") as urls:
            urls.write(VIEWS)
        file = site / "kept" / f"{act}.ini"
        ports[act] = file.read_text().partition("http-socket = ")[2].split()[0].rpartition(":")[2]
        file.replace(site / "vassals" / file.name)
    with (site / "venue.yaml").open("a") as settings:
        settings.write(LIMITS)
    # The guest counts its steps: a reload closes every descriptor that there could be.
    drop_in = machine.root / f"etc/systemd/system/{UNIT}.d/few.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nLimitNOFILE=1024\n")
    return ports


def _watches(program: str) -> bool:
    """Whether it is the watcher, or the script that runs it."""
    return ".watcher.ini" in program or " -S " in program


def test_each_act_has_a_group_of_its_own_with_its_limits(house: House) -> None:
    """And the Emperor one with the watcher, which so counts against no Act.

    The unit's own has no process, as the kernel wants it.
    """
    assert house.limits == ["157286400", "50000 100000", "40"]
    assert house.group("act-calm", "memory.max") == "max"
    assert house.told("MainPID") in house.group("emperor", "cgroup.procs").split()
    assert until(lambda: any(map(_watches, house.programs("emperor"))), Deadline(PATIENCE))
    others = [each for each in house.programs("emperor") if not _watches(each)]
    assert len(others) == 1, others
    assert house.group("", "cgroup.procs") == ""
    for act in ("greedy", "calm"):
        assert house.page(act) in house.group(f"act-{act}", "cgroup.procs").split()
    seen = house.guest.run("stat", "--format=%U %a", f"{GROUP}/act-greedy").stdout
    assert seen == "shows 755\n", "an Act may look up what it has"


def test_an_act_that_eats_memory_is_alone_in_being_killed(house: House) -> None:
    calm, greedy, emperor = house.page("calm"), house.page("greedy"), house.told("MainPID")
    assert not house.page("greedy", "eat")
    assert house.count("act-greedy", "memory.events", "oom_kill") > 0
    assert house.page("calm") == calm
    assert until(lambda: house.page("greedy") != "", Deadline(PATIENCE))
    assert house.page("greedy") != greedy
    assert (house.told("ActiveState"), house.told("MainPID")) == ("active", emperor)


def test_an_act_gets_no_more_of_a_processor_than_it_may(house: House) -> None:
    """Half of each period of 0.1 s, but for what the kernel notices late."""
    keys = ("usage_usec", "nr_periods", "nr_throttled")
    before = [house.count("act-greedy", "cpu.stat", key) for key in keys]
    assert house.page("greedy", "spin") == "spun"
    after = [house.count("act-greedy", "cpu.stat", key) for key in keys]
    used, periods, throttled = [late - early for late, early in zip(after, before, strict=True)]
    assert throttled > 0
    assert used <= 60_000 * (periods + 1)


def test_an_act_has_no_more_processes_than_it_may(house: House) -> None:
    assert 0 < int(house.page("greedy", "bomb")) < 40
    assert house.count("act-greedy", "pids.events", "max") > 0
    assert house.page("greedy")


def test_new_code_is_tried_with_the_limits_and_costs_the_act_nothing(house: House) -> None:
    """Called by a process of the unit; from elsewhere, only root could move one there."""
    greedy, killed = house.page("greedy"), house.count("act-greedy", "memory.events", "oom_kill")
    settings = SITE / "acts/greedy/greedy/settings.py"
    house.guest.run("sh", "-c", f"cp {settings} /srv/kept.py && echo '{HUNGRY}' >>{settings}")
    restart = f"runuser -u shows -- backstage --venue {SITE} restart greedy --wait 100"
    enter = (
        f"mkdir {GROUP}/call && chown -R shows {GROUP}/call && echo $$ >{GROUP}/call/cgroup.procs"
    )
    shown = house.guest.run("sh", "-c", f"{enter} && {restart}", check=False).stdout
    house.guest.run("sh", "-c", f"cat /srv/kept.py >{settings} && rmdir {GROUP}/call")
    assert "it does not load with the memory that the Act may use" in shown
    assert house.page("greedy") == greedy
    assert house.count("act-greedy", "memory.events", "oom_kill") == killed
    assert house.guest.run("test", "-e", f"{GROUP}/check-greedy", check=False).returncode == 1


def test_other_limits_count_from_the_next_restart_on(house: House) -> None:
    settings = SITE / "venue.yaml"
    swap = f"sed -i 's/^acts: .*/{OTHERS.strip()}/' {settings}"
    house.guest.run("sh", "-c", swap)
    # Without hardware for it, the guest takes its time.
    house.call("restart", "greedy", "--wait", "400")
    assert house.limits == ["max", "150000 100000", "30"]


def test_limits_outlive_a_killed_emperor(house: House) -> None:
    before, emperor = house.limits, house.told("MainPID")
    house.guest.run("kill", "-KILL", emperor)
    assert until(lambda: house.told("MainPID") not in {"0", emperor}, Deadline(PATIENCE))
    house.guest.run("systemctl", "start", UNIT)
    assert until(lambda: house.page("greedy") != "", Deadline(PATIENCE))
    assert house.limits == before


def test_nothing_is_missing_and_nothing_went_wrong(house: House) -> None:
    assert "control groups" not in house.call("systemd", "status")
    assert house.complaints == []
    owner = house.guest.run("stat", "--format=%U", SITE / "log/emperor.log").stdout
    assert owner == "shows\n", "although systemd has made it"
