"""Talking to systemd about the units of Venues."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from ..errors import NotAllowed, ServiceFailed
from ..system import programs, users
from . import unit

_BOOTED = Path("/run/systemd/system")
_SYSTEM_UNITS = Path("/etc/systemd/system")
_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_LINGER = Path("/var/lib/systemd/linger")
# What systemctl says to who lacks the right.
_DENIED = re.compile(r"access denied|authentication (is )?required|not authorized", re.IGNORECASE)
_NO_BUS = re.compile(r"failed to connect to (user scope )?bus|no medium found", re.IGNORECASE)
# While systemd says one of these, there is nothing to stop.
_AT_REST = frozenset({"inactive", "failed"})


@dataclass(frozen=True)
class Service:
    """A unit on disk; `own` where it belongs to a user's own systemd."""

    path: Path
    own: bool

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def text(self) -> str:
        """What the unit says; '' where there is none."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def drop_ins(self) -> Path:
        """Where an operator's own settings for it lie."""
        return self.path.with_name(f"{self.name}.d")

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def command(self, *words: str) -> str:
        """The systemctl call to type for it."""
        sudo = [] if self.own or users.am_root() else ["sudo"]
        return join([*sudo, *_systemctl(own=self.own), *words, self.name])

    def tell(self, *words: str) -> None:
        """Have systemd do something with the unit, as `start`, and wait until it is done.

        Raises NotAllowed where one lacks the right, and ServiceFailed.
        """
        done = _call([*words, self.name], own=self.own)
        if done.returncode == 0:
            return
        if _DENIED.search(done.stdout):
            raise NotAllowed(f"only root may do that; type: {self.command(words[0])}")
        raise ServiceFailed(f"`{self.command(*words)}` failed:", done.stdout)

    def forgive(self) -> None:
        """Have systemd try again what it has given up; who may not do so is told later."""
        if self.show("ActiveState").get("ActiveState") == "failed":
            _call(["reset-failed", self.name], own=self.own)

    def show(self, *properties: str) -> Mapping[str, str]:
        """Properties of the unit, as systemd has it."""
        wanted = [f"--property={','.join(properties)}"]
        said = _call(["show", *wanted, self.name], own=self.own).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    @property
    def at_work(self) -> bool:
        """Whether systemd runs it, or is about to."""
        return self.show("ActiveState").get("ActiveState", "inactive") not in _AT_REST


def booted() -> bool:
    """Whether systemd runs this machine."""
    return _BOOTED.is_dir()


def directory(*, own: bool) -> Path:
    """Where units are put: the machine's, or those of this user."""
    if not own:
        return _SYSTEM_UNITS
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / "systemd" / "user"


def service_of(venue: Path) -> Service | None:
    """The unit that runs the Emperor of a Venue: the machine's, or one of this user's own.

    None where there is none, or where no systemd runs that could make use of it.
    """
    if not booted():
        return None
    return next((each for each in _services() if unit.venue_of(each.text) == venue), None)


def free_name(venue: Path, *, own: bool) -> Service:
    """What the unit of a Venue is called, or would be: not what another Venue's is called."""
    candidates = [Service(directory(own=own) / name, own) for name in unit.unit_names(venue)]
    mine_or_none = (each for each in candidates if unit.venue_of(each.text) in {venue, None})
    free = [each for each in mine_or_none if unit.venue_of(each.text) == venue or not each.exists]
    if not free:
        taken = ", ".join(str(each.path) for each in candidates)
        raise ServiceFailed(f"other units are called so already: {taken}; rename one of them")
    return free[0]


def reload_units(*, own: bool) -> None:
    """Have systemd read all units anew. Raises ServiceFailed."""
    done = _call(["daemon-reload"], own=own)
    if done.returncode == 0:
        return
    if own and _NO_BUS.search(done.stdout):
        name = users.mine()
        raise ServiceFailed(
            f"{name} has no systemd of their own running: log in as {name} (ssh, not su), "
            f"or have it run always, with: sudo loginctl enable-linger {name}"
        )
    raise ServiceFailed("systemd cannot read its units:", done.stdout)


def faults(path: Path, *, own: bool) -> str:
    """What `systemd-analyze verify` says of a unit; '' where it is in order."""
    words = ["systemd-analyze", *(["--user"] if own else []), "verify", "--man=no", str(path)]
    done = programs.run(words, env=_environment())
    # It tells of other units too, which are not ours to mend.
    lines = [line for line in done.stdout.splitlines() if path.name in line]
    return "\n".join(lines) or (done.stdout.strip() if done.returncode else "")


def exposure(service: Service) -> str:
    """How much `systemd-analyze security` finds open, from 0 to 10; '' where it cannot tell."""
    words = [*(["--user"] if service.own else []), "security", "--no-pager", service.name]
    said = programs.run(["systemd-analyze", *words], env=_environment()).stdout
    match = re.search(r"exposure level for .*: (?P<score>[\d.]+)", said)
    return match["score"] if match else ""


def divides() -> bool:
    """Whether units can give limits to parts of themselves: the kernel has control groups v2."""
    return _UNIFIED.exists()


def lingers(user: str) -> bool:
    """Whether a user's own systemd runs from boot on, without the user being logged in."""
    return (_LINGER / user).exists()


def _services() -> Iterator[Service]:
    for own in (False, True):
        for path in sorted(directory(own=own).glob("backstage-*.service")):
            yield Service(path, own)


def _systemctl(*, own: bool) -> list[str]:
    return ["systemctl", *(["--user"] if own else [])]


def _call(words: list[str], *, own: bool) -> programs.Done:
    command = [*_systemctl(own=own), "--no-ask-password", "--no-pager", *words]
    return programs.run(command, env=_environment())


def _environment() -> dict[str, str]:
    """The caller's own, with the way to the user's systemd, which `su` does not tell."""
    runtime = f"/run/user/{os.geteuid()}"
    plain = {"SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"}
    return {"XDG_RUNTIME_DIR": runtime, **os.environ, **plain}
