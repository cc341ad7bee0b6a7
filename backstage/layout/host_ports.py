"""The ports that the users of this host tell each other, in a file for each user.

The files lie in a sticky directory, where nobody can replace another user's. So a user sees the
ports of Acts that are stopped too, in Venues that only their owners can read. What other users tell
is believed as far as it does no harm: their ports are avoided while there are others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ..system.files import write_atomically

# The environment variable with the directory.
SHARED = "BACKSTAGE_SHARED"
_DEFAULT = "/var/tmp"
_NAME = "django-backstage-ports-"
# More than anybody's list of ports has, in bytes.
_LONGEST = 100_000
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def of_others() -> set[int]:
    """The ports that other users have told of."""
    files = (path for path in _directory().glob(f"{_NAME}*") if path != _mine())
    return {port for path in files for port in _read(path)}


def told() -> set[int]:
    """The ports that this user has told of."""
    return _read(_mine())


def tell(ports: Collection[int]) -> None:
    """Tell other users which ports the Acts of this one have, running or not."""
    if set(ports) == told():
        return
    # A full disk, or a file of that name that is another user's, keeps nobody from working.
    with suppress(OSError):
        write_atomically(_mine(), " ".join(map(str, sorted(ports))) + "\n", mode=0o644, sync=False)


def _directory() -> Path:
    return Path(os.environ.get(SHARED) or _DEFAULT)


def _mine() -> Path:
    return _directory() / f"{_NAME}{os.geteuid()}"


def _read(path: Path) -> set[int]:
    """The ports in a file, if the user that it names has written it."""
    with suppress(OSError), os.fdopen(os.open(path, _FLAGS), "rb") as file:
        facts = os.fstat(file.fileno())
        if stat.S_ISREG(facts.st_mode) and path.name == f"{_NAME}{facts.st_uid}":
            return {int(word) for word in file.read(_LONGEST).split() if _is_port(word)}
    return set()


def _is_port(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 5
