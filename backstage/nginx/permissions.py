"""What nginx's user may read, and what to type so that it can."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ..system import programs, users

# Prints the first of the directories, from the root on, that cannot be entered.
_ENTER = 'for each; do test -x "$each" || { echo "$each"; exit; }; done'


@dataclass(frozen=True)
class Reader:
    """The user that reads the files which nginx serves."""

    uid: int

    @property
    def name(self) -> str:
        return users.name_of(self.uid)

    @property
    def can_be_tried(self) -> bool:
        """Whether we can try what this user may read; only root can become another one."""
        return users.am_root() or self.uid == os.geteuid()

    def can(self, test: str, path: Path) -> bool:
        """Whether this user may: `-r` read, `-w` write, `-x` enter what is at a path."""
        return self._run("test", test, path).returncode == 0

    def command_to_read(self, path: Path) -> str:
        """What to type so that this user can read all that is at a path; '' where it can."""
        present = next(each for each in (path, *path.parents) if each.exists())
        if command := self.command_to_enter(present if present.is_dir() else present.parent):
            return command
        if present != path:
            return ""
        done = self._run("find", path, "-maxdepth", "4", "!", "-readable", "-print", "-quit")
        return f"chmod -R o+rX {quote(str(path))}" if done.stdout.strip() else ""

    def command_to_enter(self, directory: Path) -> str:
        """What to type so that this user can come into a directory; '' where it can."""
        done = self._run("sh", "-c", _ENTER, "sh", *reversed([directory, *directory.parents]))
        closed = done.stdout.strip()
        return f"chmod o+x {quote(closed)}" if closed else ""

    def _run(self, *command: str | Path) -> programs.Done:
        uid = self.uid if users.am_root() else 0
        return programs.run(command, cwd=Path("/"), uid=uid or None)
