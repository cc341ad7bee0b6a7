"""What nginx's user may read, and the command that lets it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..facts.command_line import quote
from ..system import programs, users

# Prints the first directory, starting at the root, that cannot be entered.
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
        """Whether we can test this user's rights; only root can become another user."""
        return users.am_root() or self.uid == os.geteuid()

    def can(self, test: str, path: Path) -> bool:
        """Whether this user may read (`-r`), write (`-w`) or enter (`-x`) a path."""
        return self._run("test", test, path).returncode == 0

    def command_to_read(self, path: Path) -> str:
        """The command that lets this user read everything below a path; '' if it already can."""
        present = next(each for each in (path, *path.parents) if each.exists())
        if command := self.command_to_enter(present if present.is_dir() else present.parent):
            return command
        if present != path:
            return ""
        done = self._run("find", path, "-maxdepth", "4", "!", "-readable", "-print", "-quit")
        return f"chmod -R o+rX {quote(str(path))}" if done.stdout.strip() else ""

    def command_to_enter(self, directory: Path) -> str:
        """The command that lets this user enter a directory; '' if it already can."""
        done = self._run("sh", "-c", _ENTER, "sh", *reversed([directory, *directory.parents]))
        closed = done.stdout.strip()
        return f"chmod o+x {quote(closed)}" if closed else ""

    def _run(self, *command: str | Path) -> programs.Done:
        uid = self.uid if users.am_root() else 0
        return programs.run(command, cwd=Path("/"), uid=uid or None)
