"""Environments that share their files, and what tells that one of them has been changed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_CANNOT_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM})


def link_tree(source: Path, top: Path) -> None:
    """Have the environment at `top` share what another one of the same Python has.

    What is there stays. Programs are copied, as are all files where there are no hard links.
    Raises OSError.
    """
    for entry in os.scandir(source):
        if entry.is_dir(follow_symlinks=False):
            share = _copy if entry.name == "bin" else _link
            _share(entry.path, str(top / entry.name), share)


def fingerprint(directory: Path) -> str:
    """What changes with any file in a directory but bytecode, which Python may add."""
    listed, waiting, skipped = [], [str(directory)], len(str(directory))
    while waiting:
        # Thousands of files: paths as text take half the time.
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    waiting.append(entry.path)
            elif entry.is_symlink():
                listed.append(f"{entry.path[skipped:]}\0{Path(entry.path).readlink()}\0")
            elif not entry.name.endswith(".pyc"):
                facts = entry.stat(follow_symlinks=False)
                listed.append(f"{entry.path[skipped:]}\0{facts.st_size}\0{facts.st_mtime_ns}\0")
    return hashlib.sha256("".join(sorted(listed)).encode(errors="surrogateescape")).hexdigest()


def _share(source: str, target: str, share: Callable[[str, str], object]) -> None:
    with suppress(FileExistsError):
        os.mkdir(target)
    for entry in os.scandir(source):
        path = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            _share(entry.path, path, share)
        elif entry.is_symlink():
            with suppress(FileExistsError):
                Path(path).symlink_to(Path(entry.path).readlink())
        elif entry.is_file(follow_symlinks=False):
            share(entry.path, path)


def _link(file: str, target: str) -> None:
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            _copy(file, target)
        elif error.errno != errno.EEXIST:
            raise


def _copy(file: str, target: str) -> None:
    if not os.path.lexists(target):
        shutil.copy2(file, target)
