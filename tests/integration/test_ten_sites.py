"""The tutorial in the docs, typed by root on a machine of its own; fixtures play the internet."""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.machine import Machine, Unbootable, booted, missing
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
TUTORIAL = CHECKOUT / "docs" / "tutorial" / "ten-sites.md"
# Debian's own, as the tutorial's; wheels for it are kept between runs, as uWSGI takes a minute.
PYTHON = "/usr/bin/python3"
CACHE = Path.home() / ".cache" / "django-backstage-tests"
ADDRESS = "203.0.113.10"
SITES = ("news", "shop", "blog", "wiki", "docs", "forum", "events", "photos", "jobs")
NAMES = ("example.org", "www.example.org", *(f"{site}.example.org" for site in SITES))
# What the machine needs beside what the tutorial installs.
TOOLS = ("iproute2", "openssl", "pebble")
PEBBLE = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/etc/pebble/cert.pem",
    "privateKey": "/etc/pebble/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
}
PEBBLE_UNIT = """
[Service]
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0
ExecStart=/usr/bin/pebble -config /etc/pebble/config.json
"""
ADDRESS_UNIT = f"""
[Unit]
Before=network.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/ip address add {ADDRESS}/32 dev lo
[Install]
WantedBy=multi-user.target
"""
ISSUER = "https://127.0.0.1:15000/roots/0"
# Without a terminal certbot waits for minutes, so that not all of the world renews at once.
CERTBOT = """
server = https://127.0.0.1:14000/dir
no-random-sleep-on-renew = true
"""
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# Answers of HTTP are what they are; other numbers differ each time.
_NUMBER = re.compile(
    r"(HTTP/\S+ \d+)|\d+[dhm] \d+[hms]\b|\d+([.:,-]\d+)*( ?(ms|kB|MB|GB|B|[dhms])\b)?"
)
_ELLIPSIS = "..."


@dataclass
class Step:
    """A command of the tutorial, and what it prints."""

    command: str
    printed: list[str] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        """Whether it refuses what it was told, which is in its exit code too."""
        return any("not restarted" in line for line in self.printed)


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("# "):
                found.append(Step(line[2:]))
            else:
                found[-1].printed.append(line)
    return found


def packages() -> list[str]:
    """The Debian packages that the tutorial installs, and those that play the internet."""
    install = next(
        each for each in steps(TUTORIAL.read_text()) if "apt-get install" in each.command
    )
    words = shlex.split(install.command.partition("apt-get install")[2])
    return [*(word for word in words if not word.startswith("-")), *TOOLS]


def _wheels(top: Path) -> Path:
    """The project as a wheel, and a wheel of all that it needs."""
    subprocess.run([PYTHON, "-m", "venv", top / "builder"], check=True)
    pip: list[str | Path] = [
        top / "builder" / "bin" / "pip",
        "--disable-pip-version-check",
        "--quiet",
    ]
    house = _house(pip)
    shutil.copytree(house, top / "house")
    _copy_checkout(top / "source")
    build = [*pip, "wheel", "--no-deps", "--no-index", "--find-links", house]
    subprocess.run([*build, "--wheel-dir", top / "house", top / "source"], check=True)
    return top / "house"


def _house(pip: list[str | Path]) -> Path:
    """A directory with a wheel of all that the project needs, made once."""
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    wanted = [
        line for line in setup["options"]["install_requires"].split("\n") if line[:1].isalpha()
    ]
    asked = [PYTHON, "-c", "import sys; print(sys.version)"]
    version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    key = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()[:16]
    house = CACHE / f"wheels-{key}"
    if not house.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            fresh = Path(name) / "house"
            # No wheel from a cache, where that of another Python may lie.
            build = [*pip, "wheel", "--no-cache-dir", "--use-pep517", "--wheel-dir", fresh]
            subprocess.run([*build, *wanted, "setuptools>=77"], check=True)
            # Another run may have been faster.
            with suppress(OSError):
                fresh.rename(house)
    return house


def _copy_checkout(goal: Path) -> None:
    """What git would pack, as it is now."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    for name in filter(None, done.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (goal / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, goal / name)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Machine]:
    """A bare server on an internet of its own: packages, names and an authority for TLS."""
    if reason := missing():
        pytest.skip(reason)
    if lacking := [name for name in packages() if not _is_installed(name)]:
        pytest.skip(f"needs the Debian packages {' '.join(lacking)}")
    wheels = _wheels(tmp_path)
    with ExitStack() as ending:
        try:
            machine = ending.enter_context(booted("ten-sites"))
        except Unbootable as error:
            pytest.skip(str(error))
        _strip(machine)
        _have_packages(machine, wheels)
        _have_names(machine)
        _have_authority(machine)
        yield machine


def _is_installed(package: str) -> bool:
    asked = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(asked, capture_output=True, text=True).stdout == "installed"


def _strip(machine: Machine) -> None:
    """Take away what is this host's, and no bare server's."""
    machine.run(
        "rm", "-rf", "/usr/local/bin/backstage", "/root/.cache", "/root/.config", "/root/.pip"
    )


def _have_packages(machine: Machine, wheels: Path) -> None:
    """Play Debian's archive, whose packages enable and start what they bring, and PyPI."""
    sources = machine.root / "etc" / "apt"
    shutil.rmtree(sources / "sources.list.d")
    (sources / "sources.list").write_text("")
    for target, unit in (("multi-user", "nginx.service"), ("timers", "certbot.timer")):
        machine.run("systemctl", "add-wants", f"{target}.target", unit)
        machine.run("systemctl", "start", unit)
    house = shutil.copytree(wheels, machine.root / "var" / "cache" / "wheels")
    for ours in house.glob("django_backstage-*.whl"):
        ours.rename(machine.root / "root" / ours.name)
    (machine.root / "etc" / "pip.conf").write_text(
        "[global]\nno-index = yes\nfind-links = /var/cache/wheels\n"
    )


def _have_names(machine: Machine) -> None:
    """Play DNS, and have the address that it tells."""
    with (machine.root / "etc" / "hosts").open("a") as hosts:
        hosts.write(f"{ADDRESS} {' '.join(NAMES)}\n")
    _unit(machine, "address", ADDRESS_UNIT)
    machine.run("systemctl", "enable", "--now", "--quiet", "address")


def _have_authority(machine: Machine) -> None:
    """Play Let's Encrypt, which everybody trusts."""
    own = machine.root / "etc" / "pebble"
    own.mkdir()
    (own / "config.json").write_text(json.dumps({"pebble": PEBBLE}))
    subject = ["-subj", "/CN=pebble", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", PEBBLE["privateKey"], "-out", PEBBLE["certificate"]]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9"]
    machine.run(*map(str, [*new, *subject, *files]))
    _trust(machine, (own / "cert.pem").read_text())
    _unit(machine, "pebble", PEBBLE_UNIT)
    machine.run("systemctl", "start", "pebble")
    fetch = ["curl", "--silent", "--show-error", "--fail", "--retry", "50", "--retry-connrefused"]
    _trust(machine, machine.run(*fetch, "--retry-delay", "1", ISSUER).stdout)
    with (machine.root / "etc" / "letsencrypt" / "cli.ini").open("a") as settings:
        settings.write(CERTBOT)


def _trust(machine: Machine, certificate: str) -> None:
    """Have all programs believe what is signed with it."""
    with (machine.root / "etc/ssl/certs/ca-certificates.crt").open("a") as trusted:
        trusted.write(certificate)


def _unit(machine: Machine, name: str, text: str) -> None:
    (machine.root / "etc" / "systemd" / "system" / f"{name}.service").write_text(text)
    machine.run("systemctl", "daemon-reload")


class Shell:
    """Root's shell, which keeps its directory and its variables from one command to the next."""

    def __init__(self, machine: Machine) -> None:
        self._process = machine.start("bash", "-c", "exec bash --norc --noprofile 2>&1")

    def type(self, command: str) -> tuple[list[str], int]:
        """What a command prints, and its exit code."""
        end = f"<{os.urandom(8).hex()}>"
        assert self._process.stdin
        self._process.stdin.write(f"eval {shlex.quote(command)} </dev/null; echo '{end}' $?\n")
        self._process.stdin.flush()
        # It may do the same for ten Acts, one after the other.
        patience = threading.Timer(3 * PATIENCE, self._process.kill)
        patience.start()
        printed = "".join(self._until(end))
        patience.cancel()
        text, found, code = printed.rpartition(end)
        assert found, f"{command} does not end:\n{printed}"
        return text.splitlines(), int(code)

    def close(self) -> None:
        """Log out; a shell that is still there can hold up the end of the machine."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE)

    def _until(self, end: str) -> Iterator[str]:
        assert self._process.stdout
        for line in self._process.stdout:
            yield line
            if end in line:
                return


def plain(line: str) -> str:
    """A line without what differs each time."""
    return " ".join(_NUMBER.sub(lambda found: found[1] or "N", line).split())


def shows(told: list[str], seen: list[str]) -> bool:
    """Whether what is printed is what the tutorial shows."""
    pattern = "".join(_pattern(plain(line)) for line in told if line)
    given = "".join(f"{plain(line)}\n" for line in seen if line.strip())
    return re.fullmatch(pattern, given) is not None


def _pattern(line: str) -> str:
    """What a line of the tutorial stands for: `...` alone is any lines, within one any words."""
    if line == _ELLIPSIS:
        return r"(?:.*\n)*?"
    return ".*".join(map(re.escape, line.split(_ELLIPSIS))) + r"\n"


def test_ten_sites(server: Machine) -> None:
    shell = Shell(server)
    for step in steps(TUTORIAL.read_text()):
        if step.command == "reboot":
            shell.close()
            server.reboot()
            shell = Shell(server)
            continue
        began = time.monotonic()
        seen, code = shell.type(step.command)
        print(f"[{time.monotonic() - began:.1f} s]", f"# {step.command}", *seen, sep="\n")
        told = "\n".join([f"# {step.command}", *seen, f"exit code {code}"])
        assert (code == 0) is not step.fails, told
        assert shows(step.printed, seen), told
