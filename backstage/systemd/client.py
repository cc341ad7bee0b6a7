"""A client of systemd for the units of Venues."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotAllowed, ServiceFailed
from ..facts.command_line import join, quote
from ..system import programs, users
from . import unit

_BOOTED = Path("/run/systemd/system")
_SYSTEM_UNITS = Path("/etc/systemd/system")
_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_LINGER = Path("/var/lib/systemd/linger")
# systemctl's messages to a user without the right.
_DENIED = re.compile(r"access denied|authentication (is )?required|not authorized", re.IGNORECASE)
_NO_BUS = re.compile(r"failed to connect to (user scope )?bus|no medium found", re.IGNORECASE)
# In one of these states, there is nothing to stop.
_AT_REST = frozenset({"inactive", "failed"})


@dataclass(frozen=True)
class Service:
    """A unit on disk; `own` means that it belongs to a user's own systemd."""

    path: Path
    own: bool

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def text(self) -> str:
        """The text of the unit file; '' if there is none."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def drop_ins(self) -> Path:
        """The directory with the operator's own settings for it."""
        return self.path.with_name(f"{self.name}.d")

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def command(self, *words: str) -> str:
        """The systemctl command for this unit, to type at a shell."""
        sudo = [] if self.own or users.am_root() else ["sudo"]
        return join([*sudo, *_systemctl(own=self.own), *words, self.name])

    def tell(self, *words: str) -> None:
        """Run a systemctl command such as `start` on the unit, and wait until it is done.

        Raises NotAllowed if this user lacks the right, and ServiceFailed.
        """
        done = _call([*words, self.name], own=self.own)
        if done.returncode == 0:
            return
        if _DENIED.search(done.stdout):
            raise NotAllowed(f"only root may do that; type: {self.command(words[0])}")
        raise ServiceFailed(f"`{self.command(*words)}` failed:", done.stdout)

    def forgive(self) -> None:
        """Reset a failed unit so that systemd retries it; a lack of rights shows at the start."""
        if self.show("ActiveState").get("ActiveState") == "failed":
            _call(["reset-failed", self.name], own=self.own)

    def show(self, *properties: str) -> Mapping[str, str]:
        """Properties of the unit, as systemd reports them."""
        wanted = [f"--property={','.join(properties)}"]
        said = _call(["show", *wanted, self.name], own=self.own).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    @property
    def at_work(self) -> bool:
        """Whether systemd runs the unit, or is about to."""
        return self.show("ActiveState").get("ActiveState", "inactive") not in _AT_REST


def booted() -> bool:
    """Whether this machine was booted with systemd."""
    return _BOOTED.is_dir()


def directory(*, own: bool) -> Path:
    """The directory of units: the machine's, or this user's own."""
    if not own:
        return _SYSTEM_UNITS
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / "systemd" / "user"


def service_of(venue: Path) -> Service | None:
    """The unit that runs the Emperor of a Venue: the machine's, or one of this user's own.

    None if there is none, or if no systemd is running to use it.
    """
    if not booted():
        return None
    return next((each for each in _services() if unit.venue_of(each.text) == venue), None)


def free_name(venue: Path, *, own: bool) -> Service:
    """The unit of a Venue, or one under a free name; raises ServiceFailed if all are taken."""
    candidates = [Service(directory(own=own) / name, own) for name in unit.unit_names(venue)]
    mine_or_none = (each for each in candidates if unit.venue_of(each.text) in {venue, None})
    free = [each for each in mine_or_none if unit.venue_of(each.text) == venue or not each.exists]
    if not free:
        taken = ", ".join(str(each.path) for each in candidates)
        raise ServiceFailed(f"other units already have these names: {taken}; rename one of them")
    return free[0]


def reload_units(*, own: bool) -> None:
    """Make systemd reload all units. Raises ServiceFailed."""
    done = _call(["daemon-reload"], own=own)
    if done.returncode == 0:
        return
    if own and _NO_BUS.search(done.stdout):
        name = users.mine()
        raise ServiceFailed(
            f"the systemd of user {name} is not running: log in as {name} (ssh, not su), "
            f"or keep it running with: sudo loginctl enable-linger {quote(name)}"
        )
    raise ServiceFailed("systemd cannot reload its units:", done.stdout)


def faults(path: Path, *, own: bool) -> str:
    """The complaints of `systemd-analyze verify` about a unit; '' if there are none."""
    words = ["systemd-analyze", *(["--user"] if own else []), "verify", "--man=no", str(path)]
    done = programs.run(words, env=_environment())
    # It also reports on other units, which do not concern us.
    lines = [line for line in done.stdout.splitlines() if path.name in line]
    return "\n".join(lines) or (done.stdout.strip() if done.returncode else "")


def exposure(service: Service) -> str:
    """The exposure level of `systemd-analyze security`, from 0 to 10; '' if unknown."""
    words = [*(["--user"] if service.own else []), "security", "--no-pager", service.name]
    said = programs.run(["systemd-analyze", *words], env=_environment()).stdout
    match = re.search(r"exposure level for .*: (?P<score>[\d.]+)", said)
    return match["score"] if match else ""


def divides() -> bool:
    """Whether units can limit parts of themselves, for which the kernel needs cgroups v2."""
    return _UNIFIED.exists()


def lingers(user: str) -> bool:
    """Whether a user's own systemd runs from boot, without a login of the user."""
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
    """The caller's environment, plus the path to the user's systemd, which `su` does not set."""
    runtime = f"/run/user/{os.geteuid()}"
    plain = {"SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"}
    return {"XDG_RUNTIME_DIR": runtime, **os.environ, **plain}
