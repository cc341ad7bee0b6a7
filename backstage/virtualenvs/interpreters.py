"""Find the Python for a Venue."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import EnvironmentFailed

_OLDEST = (3, 11)
# Interpreters of pyenv and uv, which are not on the PATH, or only as shims.
_KEPT_ELSEWHERE = (
    "{PYENV_ROOT}/versions/*/bin/python3",
    "~/.pyenv/versions/*/bin/python3",
    "~/.local/share/uv/python/*/bin/python3",
)


@dataclass(frozen=True)
class Interpreter:
    """A Python outside of any virtual environment; `build` is its `sys.version`."""

    executable: Path
    version: tuple[int, int, int]
    build: str

    @property
    def key(self) -> str:
        """A name for files compiled for exactly this interpreter.

        Two builds of Python 3.11 can differ so much that one cannot load the other's extensions.
        """
        digest = hashlib.sha256(f"{self.executable}\0{self.build}".encode()).hexdigest()
        return f"cpython-{'.'.join(map(str, self.version))}-{digest[:12]}"

    def site_packages(self, top: Path) -> Path:
        """The site-packages directory of an environment of this interpreter at `top`."""
        major, minor, _ = self.version
        return top / "lib" / f"python{major}.{minor}" / "site-packages"


def current() -> Interpreter:
    """The Python that runs this library, outside its virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(base).resolve(), sys.version_info[:3], sys.version)


def find(wish: str | Path | None) -> Interpreter:
    """The interpreter for a path or a version such as '3.12'; for None, the current one.

    Versions are looked up on the PATH and among those installed by pyenv and uv.
    Raises EnvironmentFailed if there is none.
    """
    if wish is None:
        return current()
    # Slow, since it runs each candidate, so it is imported only when needed.
    from python_discovery import get_interpreter

    try:
        found = get_interpreter(str(wish), try_first_with=list(map(str, _elsewhere())))
    except (RuntimeError, OSError, ValueError) as error:
        raise EnvironmentFailed(f"cannot run {wish} as a Python interpreter", str(error)) from error
    if found is None or not found.system_executable:
        raise EnvironmentFailed(
            f"no Python found for {str(wish)!r}; install it, or give the path of its executable"
        )
    major, minor, micro = found.version_info[:3]
    if (major, minor) < _OLDEST:
        raise EnvironmentFailed(
            f"{str(wish)!r} is Python {major}.{minor}; Venues need 3.11 or newer"
        )
    return Interpreter(
        Path(found.system_executable).resolve(), (major, minor, micro), found.version
    )


def _elsewhere() -> Iterator[Path]:
    for pattern in _KEPT_ELSEWHERE:
        filled = pattern.replace("{PYENV_ROOT}", os.environ.get("PYENV_ROOT", "~/.pyenv"))
        path = Path(filled).expanduser()
        yield from sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))), reverse=True)
