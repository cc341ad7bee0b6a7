"""The socket at which the watcher hears the group that shares the Venue, while there is one."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from ..layout.paths import VenuePaths

# Members may enter the directory, and neither list nor change it.
_CLOSED, _OPEN, _SOCKET = 0o700, 0o710, 0o660
# Connections that wait to be accepted; the next ones wait in `connect`.
_BACKLOG = 16


def opened(venue_paths: VenuePaths, gid: int) -> socket.socket:
    """A socket that listens, for members of the group only. Raises OSError."""
    with suppress(FileExistsError):
        venue_paths.shared.mkdir(mode=_CLOSED)
    directory = os.open(venue_paths.shared, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    listener = socket.socket(socket.AF_UNIX)
    try:
        # Nobody else gets in until the socket is as it is to be.
        os.fchmod(directory, _CLOSED)
        _remove(venue_paths.shared_socket.name, directory)
        place = Path(f"/proc/self/fd/{directory}", venue_paths.shared_socket.name)
        listener.bind(str(place))
        os.chown(place, -1, gid, follow_symlinks=False)
        place.chmod(_SOCKET)
        listener.listen(_BACKLOG)
        os.fchown(directory, -1, gid)
        os.fchmod(directory, _OPEN)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def remove(venue_paths: VenuePaths) -> None:
    """Remove the socket with its directory, so that nobody takes the Venue for a shared one."""
    with suppress(OSError):
        if stat.S_ISDIR(venue_paths.shared.lstat().st_mode):
            venue_paths.shared_socket.unlink(missing_ok=True)
            venue_paths.shared.rmdir()


def _remove(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
