"""Writing files so that nobody, the Emperor least of all, sees half of one."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CannotWrite, UnsafeDirectory

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi"


def write_atomically(
    path: Path, content: str | bytes, *, mode: int = 0o644, mtime: float | None = None
) -> None:
    """Write `path` under a hidden name, sync it, give it its name: old or new, never half.

    `mtime` is what the file is dated, in seconds since the epoch; by default it is now.
    """
    data = content.encode() if isinstance(content, str) else content
    # The Emperor reads dotfiles too, so it is the suffix that hides this one from it.
    hidden = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        if mtime is not None:
            os.utime(hidden, (mtime, mtime))
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def read_whole(path: Path) -> bytes:
    """Read `path` while nobody writes in it; who opens it meanwhile waits, some microseconds.

    Raises BlockingIOError where somebody has it open to write in. Of other users' files and on some
    filesystems the kernel does not tell, and the file is read as it is.
    """
    with path.open("rb") as file:
        # By this signal, which nobody minds, the kernel asks for the lease; SIGIO would end us.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            raise
        except OSError:
            return file.read()
        try:
            return file.read()
        finally:
            # Not by closing it, as a process forked meanwhile would still hold the lease.
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def lock_holder(path: Path) -> int | None:
    """The pid of the process that holds a POSIX lock on the whole of `path`, if there is one."""
    question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, question)
    except FileNotFoundError:
        return None
    kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


def make_private(path: Path) -> None:
    """Make a directory that nobody but the owner enters, also where it was there before."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def remove_tree(path: Path) -> None:
    """Remove a file or a directory with everything in it; silent where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def hand_over(top: Path, uid: int, gid: int) -> None:
    """Give a directory and all in it to a user, links themselves and not what they name.

    A file that has other names elsewhere stays as it is there; a copy takes its place here. `top`
    comes last, so that its new owner can move nothing while this goes on.
    """
    for _, directories, names, descriptor in os.fwalk(top, topdown=False):
        for name in names:
            _take_apart(name, descriptor)
        for name in (*directories, *names):
            os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(top, uid, gid, follow_symlinks=False)


def refuse_writable_by_others(path: Path) -> None:
    """Raise UnsafeDirectory where anybody but the owner can write in `path`."""
    facts = path.stat()
    if facts.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        who = "everybody" if facts.st_mode & stat.S_IWOTH else f"the group {facts.st_gid}"
        raise UnsafeDirectory(path, f"can be written by {who}", f"chmod go-w '{path}'")


def refuse_foreign(path: Path) -> None:
    """Raise UnsafeDirectory where `path` belongs to neither us nor root."""
    owner = path.stat().st_uid
    if owner not in {os.geteuid(), 0}:
        remedy = f"chown -R {os.geteuid()} '{path}', or become uid {owner}"
        raise UnsafeDirectory(path, f"belongs to another user (uid {owner})", remedy)


@contextmanager
def telling_disk_trouble(action: str) -> Iterator[None]:
    """Turn an OSError from inside into CannotWrite, which says what stood in `action`'s way."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise CannotWrite(action, error) from error


def _take_apart(name: str, directory: int) -> None:
    """Replace a file that has other names as well by a copy of its own."""
    facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink == 1:
        return
    part = f".{name}.{os.urandom(4).hex()}.part"
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
    copy = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    with os.fdopen(source, "rb") as reading, os.fdopen(copy, "wb") as writing:
        shutil.copyfileobj(reading, writing)
        os.fchmod(writing.fileno(), stat.S_IMODE(facts.st_mode))
        os.utime(writing.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))
    os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
