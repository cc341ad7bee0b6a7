"""Environments that share their files, and what tells that one of them has been changed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

_CANNOT_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM})


def link_tree(source: Path, top: Path) -> None:
    """Have the environment at `top` share what another one of the same Python has.

    What is there stays. Programs are copied, as are all files where there are no hard links.
    Raises OSError.
    """
    for file, facts in _files(source):
        target = top / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            continue
        if stat.S_ISLNK(facts.st_mode):
            target.symlink_to((source / file).readlink())
        elif file.startswith("bin/"):
            shutil.copy2(source / file, target)
        else:
            _link(source / file, target)


def fingerprint(top: Path) -> str:
    """What changes with any file of an environment but its bytecode, which Python may add."""
    listed = sorted(
        f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\0"
        for file, facts in _files(top)
        if not file.endswith(".pyc")
    )
    return hashlib.sha256("".join(listed).encode(errors="surrogateescape")).hexdigest()


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        shutil.copy2(file, target)


def _files(top: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All files and links below the directories of an environment."""
    waiting = [entry for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(entry)
            elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                yield os.path.relpath(entry.path, top), facts
