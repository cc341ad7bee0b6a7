"""The nginx program of this host, and how it was built."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..system import programs

# Debian's directories for root's programs, which are not on every user's PATH.
_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
_ARGUMENT = re.compile(r"--([a-z-]+)=('[^']*'|\S+)")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Build:
    """How an nginx program was built, according to `nginx -V`."""

    version: tuple[int, ...]
    prefix: Path
    conf: Path
    pid: str
    error_log: str
    user: str


@lru_cache
def build_of(program: Path) -> Build:
    """Read how an nginx was built."""
    said = programs.run([program, "-V"], env=programs.tool_environment()).stdout
    told = {key: value.strip("'") for key, value in _ARGUMENT.findall(said)}
    version = _VERSION.search(said)
    prefix = Path(told.get("prefix", "/usr/local/nginx"))
    return Build(
        version=tuple(map(int, version.groups())) if version else (0, 0, 0),
        prefix=prefix,
        conf=prefix / told.get("conf-path", "conf/nginx.conf"),
        pid=told.get("pid-path", "logs/nginx.pid"),
        error_log=told.get("error-log-path", "logs/error.log"),
        user=told.get("user", "nobody"),
    )


def which(program: str) -> str | None:
    """The path of a program, including those that usually only root runs."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
