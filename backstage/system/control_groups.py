"""Control groups (cgroup v2) of our own below one that systemd has delegated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .deadlines import Deadline, until

_KILLED = re.compile(r"^oom_kill (?P<count>\d+)$", re.MULTILINE)
# Time for the kernel to end the killed processes of a group, in seconds.
_PATIENCE = 2.0


class ControlGroup:
    """A group for one program and everything that it starts, which ends with the group."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take_in(self, pid: int, limits: Mapping[str, str]) -> bool:
        """Make the group, with these limits by file name, and move a process there.

        False if there are no such groups, or if this user may not do that.
        """
        try:
            self._path.mkdir(mode=0o755, exist_ok=True)
            self._kill()
            for name, value in limits.items():
                file = self._path / name
                # Without its controller, a group has no file for a limit.
                if value != "max" or file.exists():
                    file.write_text(value)
            (self._path / "cgroup.procs").write_text(str(pid))
        except OSError:
            self.end()
            return False
        return True

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process because the group had no memory left."""
        with suppress(OSError):
            match = _KILLED.search((self._path / "memory.events").read_text())
            return match is not None and int(match["count"]) > 0
        return False

    def end(self) -> None:
        """Kill every process in the group, and remove it."""
        with suppress(OSError):
            self._kill()
            until(self._is_gone, Deadline(_PATIENCE))

    def _kill(self) -> None:
        (self._path / "cgroup.kill").write_text("1")

    def _is_gone(self) -> bool:
        try:
            self._path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
