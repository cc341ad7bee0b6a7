"""The machine that the tests of units and of nginx run in is one, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.machine import CGROUPS, MACHINES, NSPAWN, Machine, booted
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

CONNECT = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 0), family=family) as server:
    socket.create_connection(server.getsockname()[:2]).close()
"""
# Boots one, says so and waits for its end.
HOLD = """
import signal, sys
from tests.integration.machine import booted
with booted(sys.argv[1]) as machine:
    print(machine.name, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module", autouse=True)
def user(machine: Machine) -> str:
    """Somebody who may nothing."""
    machine.run("useradd", "--create-home", "somebody")
    return "somebody"


def test_it_is_up(machine: Machine) -> None:
    assert machine.run("systemctl", "is-system-running", check=False).stdout.strip() in {
        "running",
        "degraded",
    }
    assert machine.run("cat", "/proc/1/comm").stdout.strip() == "systemd"


@pytest.mark.parametrize("who", [None, "somebody"])
def test_everybody_can_run_backstage(machine: Machine, who: str | None) -> None:
    assert "backstage, version" in machine.run("backstage", "--version", user=who).stdout


def test_nothing_of_the_tests_leaks_into_its_environment(machine: Machine, user: str) -> None:
    seen = machine.run("env", user=user).stdout.splitlines()
    assert {line.split("=")[0] for line in seen} == {
        *("PATH", "LANG", "TERM", "SYSTEMD_PAGER", "SYSTEMD_COLORS"),
        *("HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR"),
    }
    assert machine.run("pwd", user=user).stdout == "/home/somebody\n"


def test_a_failure_shows_both_streams(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"sh -c .*exit code 7\nheard\n+said"):
        machine.run("sh", "-c", "cat; echo said >&2; exit 7", stdin="heard\n")


def test_its_network_is_a_loopback(machine: Machine) -> None:
    listing = machine.run("cat", "/proc/net/dev").stdout.splitlines()[2:]
    assert [line.split(":")[0].strip() for line in listing] == ["lo"]
    for host in ("127.0.0.1", "::1"):
        if host == "127.0.0.1" or socket.has_dualstack_ipv6():
            machine.run(sys.executable, "-c", CONNECT, host)


def test_nginx_is_there_and_waits_to_be_started(machine: Machine) -> None:
    if not (machine.root / "usr/sbin/nginx").exists():
        pytest.skip("needs the Debian package nginx")
    assert machine.run("systemctl", "is-active", "nginx", check=False).stdout == "inactive\n"
    machine.run("systemctl", "start", "nginx")
    machine.run("systemctl", "stop", "nginx")


def test_limits_of_memory_hold(machine: Machine) -> None:
    if (CGROUPS / "cgroup.controllers").exists() and "memory" not in (
        CGROUPS / "cgroup.subtree_control"
    ).read_text():
        pytest.skip("the memory controller is not to be had here")
    limited = ["systemd-run", "--wait", "--quiet", "--property=MemoryMax=20M"]
    greedy = [sys.executable, "-c", "bytearray(200_000_000)"]
    assert machine.run(*limited, *greedy, check=False).returncode != 0


def test_journal_and_user_managers_survive_a_reboot(machine: Machine, user: str) -> None:
    machine.linger(user)
    running = ("systemctl", "--user", "is-system-running", "--wait")
    assert machine.run(*running, user=user).stdout == "running\n"
    machine.run("logger", "--tag", "smoke", "written down")
    machine.run("touch", "/run/smoke", "/srv/smoke")

    machine.reboot()
    assert "written down" in machine.run("journalctl", "--identifier=smoke").stdout
    assert not machine.run("ls", "/srv/smoke").stderr
    assert machine.run("ls", "/run/smoke", check=False).returncode != 0
    machine.linger(user)
    assert machine.run(*running, user=user).stdout == "running\n"


def test_what_is_started_can_be_killed(machine: Machine) -> None:
    process = machine.start("sleep", "4321")
    _until(lambda: machine.run("pgrep", "-xf", "sleep 4321", check=False).returncode == 0)
    with process:
        process.kill()
    _until(lambda: machine.run("pgrep", "-xf", "sleep 4321", check=False).returncode == 1)


def test_stopping_leaves_nothing(machine: Machine) -> None:
    # Nobody else may take its name between its end and the last look.
    with booted(f"smoke-{os.getpid()}") as other:
        other.start("sleep", "4322")
        name = other.name
        assert _traces(name)
        other.stop()
        assert not _traces(name)
    assert not _traces(name)


def test_a_machine_that_does_not_boot_leaves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def interrupt(self: Machine, bell: object) -> None:
        names.append(self.name)
        time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Machine, "_await_ready", interrupt)
    with pytest.raises(KeyboardInterrupt), booted(f"halfway-{os.getpid()}"):
        pass
    assert [_traces(name) for name in names] == [[]]


def test_what_a_killed_run_has_left_is_removed_by_the_next(machine: Machine) -> None:
    # Nobody else may want it between the kill and the next.
    name = f"killed-{os.getpid()}"
    hold = subprocess.Popen([sys.executable, "-c", HOLD, name], stdout=subprocess.PIPE, text=True)
    with hold:
        assert hold.stdout
        assert hold.stdout.readline() == f"{name}\n"
        os.kill(hold.pid, signal.SIGKILL)
    assert (MACHINES / name).exists()
    with booted(name) as again:
        assert again.name == name
        again.run("true")
    assert not _traces(name)


def _traces(name: str) -> list[object]:
    """Whatever of a machine there is on this host."""
    top = MACHINES / name
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    mounts = [line for line in mounts if f"{top}/" in line]
    cgroups = [*CGROUPS.glob(f"backstage-{name}"), *CGROUPS.glob(f"*/backstage-{name}")]
    processes = [one for one in psutil.process_iter(["cmdline"]) if _speaks_of(one, name)]
    places = [*MACHINES.glob(name), *NSPAWN.glob(f"*/{name}")]
    return [*mounts, *cgroups, *processes, *places]


def _speaks_of(process: psutil.Process, name: str) -> bool:
    return f"--machine={name}" in (process.info["cmdline"] or [])


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
