"""Write files so that no reader, above all not the Emperor, sees an incomplete one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import stat
import struct
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import CannotWrite, UnsafeDirectory
from ..facts.command_line import quote
from . import refusals

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi"
# In bytes.
_MOST = 16_000_000
# Opening fails so if there is no file, or what an Act can put there: a link, a directory, a socket.
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})


def write_atomically(
    path: Path,
    content: str | bytes,
    *,
    mode: int = 0o644,
    mtime: float | None = None,
    sync: bool = True,
) -> None:
    """Write to a hidden file, sync it and rename it to `path`: readers see the old file or the new.

    `mtime` is the file's mtime in seconds since the epoch; None means now. Without `sync`, a crash
    of the machine may leave an empty file.
    """
    data = content.encode() if isinstance(content, str) else content
    # The Emperor reads dotfiles too; the suffix hides this file from it.
    hidden = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            if sync:
                os.fsync(descriptor)
        if mtime is not None:
            os.utime(hidden, (mtime, mtime))
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def overwrite(path: Path, content: bytes) -> None:
    """Write into a file of this user that exists: nobody who watches the directory is woken.

    A reader may see a part of it, with a part of what was there. Raises OSError if it is anything
    else than a file with one name.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags), "wb", buffering=0) as file:
        facts = os.fstat(file.fileno())
        is_plain = stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1
        if not is_plain or facts.st_uid != os.geteuid():
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        file.write(content)
        file.truncate(len(content))


def read_whole(path: Path) -> bytes:
    """Read `path` while nobody writes to it; a process that opens it then waits for microseconds.

    Raises BlockingIOError if a process has it open for writing. For other users' files and on some
    filesystems the kernel grants no lease; then the file is read as it is.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        # The kernel asks for the lease back by this harmless signal; SIGIO would kill this process.
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
            # Closing is not enough: a process forked in the meantime would still hold the lease.
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def contents(path: Path) -> bytes:
    """The whole of a file that another user may have replaced, opened as `open_regular` does it.

    Raises OSError, EFBIG for one that is larger than any that is meant to be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def open_regular(path: Path) -> int:
    """Open a file to read that another user may have replaced; returns its descriptor.

    Waits for nobody, and follows no link in another user's directory. Raises OSError: ENOENT for a
    pipe or a device, ELOOP for such a link.
    """
    is_own = path.parent.stat().st_uid in {os.geteuid(), 0}
    return _opened(path, 0 if is_own else os.O_NOFOLLOW)[0]


def read_regular(path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """Read up to `most` bytes of a small file, opened as by `open_regular`, and its facts.

    Follows no link at all. It is as quick as a read can be, because a look at a Venue reads a few
    such files for each Act.
    """
    descriptor, facts = _opened(path, os.O_NOFOLLOW)
    try:
        return os.read(descriptor, min(most, facts.st_size)), facts
    finally:
        os.close(descriptor)


def _opened(path: Path, flags: int) -> tuple[int, os.stat_result]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode):
        return descriptor, facts
    os.close(descriptor)
    number = errno.EISDIR if stat.S_ISDIR(facts.st_mode) else errno.ENOENT
    raise OSError(number, os.strerror(number), str(path))


def hold_lock(path: Path) -> bool:
    """Hold a POSIX lock on all of `path` until this process ends; False if another one has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in {errno.EACCES, errno.EAGAIN}:
            raise
        return False
    _held[path] = os.getpid()
    return True


# The kernel drops a process's locks on a file as soon as it closes any descriptor of that file.
_held: dict[Path, int] = {}


def lock_holder(path: Path) -> int | None:
    """The pid of the process that holds a POSIX lock on all of `path`; None if there is none."""
    if _held.get(path) == os.getpid():
        return os.getpid()
    question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, question)
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        return None
    kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


def make_private(path: Path) -> None:
    """Create a directory, or change an existing one, so that only its owner can enter it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def remove_tree(path: Path) -> None:
    """Remove a file or a directory with everything in it; do nothing if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def hand_over(top: Path, uid: int, gid: int) -> None:
    """Give a directory and everything in it to a user: of links the link, not its target.

    A file with other hard links is replaced here by a copy; the other names keep their owner. `top`
    comes last, so that its new owner cannot move anything in the meantime.
    """
    for _, directories, names, descriptor in os.fwalk(top, topdown=False):
        for name in names:
            _take_apart(name, descriptor)
        for name in (*directories, *names):
            os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(top, uid, gid, follow_symlinks=False)


def refuse_writable_by_others(path: Path) -> None:
    """Raise UnsafeDirectory if `path` can be written by anybody but the owner."""
    facts = path.stat()
    if facts.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        who = "everybody" if facts.st_mode & stat.S_IWOTH else f"the group {facts.st_gid}"
        raise UnsafeDirectory(path, f"can be written by {who}", f"chmod go-w {quote(path)}")


def telling_disk_trouble(action: str, venue: Path | None = None) -> AbstractContextManager[None]:
    """Turn an OSError in the body into CannotWrite, with the reason why `action` failed.

    In another user's `venue`, it is turned into NotYours.
    """
    return refusals.telling(action, venue, CannotWrite)


def _take_apart(name: str, directory: int) -> None:
    """Replace a file that has other hard links with a copy."""
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
