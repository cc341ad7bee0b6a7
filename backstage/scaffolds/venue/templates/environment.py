"""Loaded by uWSGI before the application, at each load: puts the variables of .env in its process.

Those of the Act's .env come before those of the Venue's, and what the vassal file sets with `env`
comes first. A variable that was removed from a .env is gone after the next restart.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import uwsgi

LINE = re.compile(r"(?:export )?([A-Za-z_0-9]+)=(.*)")
ESCAPE = re.compile(r"\\(.)")
# These three stay escaped, as for django-environ.
STAY_ESCAPED = "rnt"
LONGEST = 1_000_000
# The names that an earlier load in this process has put there.
NAMES = "BACKSTAGE_ENV"


def put(top: Path, act: str, fixed: set[str]) -> None:
    for name in os.environ.pop(NAMES, "").split():
        os.environ.pop(name, None)
    found = {**values(top / ".env"), **values(top / "acts" / act / ".env")}
    # No environment can hold a zero byte.
    new = {name: value for name, value in found.items() if name not in fixed and "\0" not in value}
    os.environ.update(new)
    if uwsgi.worker_id() == 0:
        # A reload executes uWSGI again with the environment of this process, its master.
        os.environ[NAMES] = " ".join(new)


def values(path: Path) -> dict[str, str]:
    """The variables in a .env; none if it is not there, or may not be read by this Act's user."""
    try:
        # Waits for nobody, as a pipe would make it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return {}
        return dict(read(file.read(LONGEST).decode(errors="surrogateescape")))


def read(text: str) -> Iterator[tuple[str, str]]:
    """The variables as django-environ reads them."""
    for line in text.splitlines():
        if match := LINE.fullmatch(line):
            yield match[1], unquoted(match[2])


def unquoted(value: str) -> str:
    if match := re.fullmatch(r"'(.*)'", value):
        value = match[1]
    if match := re.fullmatch(r'"(.*)"', value):
        return ESCAPE.sub(lambda m: m[0] if m[1] in STAY_ESCAPED else m[1], match[1])
    return value


def set_by_vassal() -> set[str]:
    """The variables that the vassal file, or a file that it includes, sets."""
    lines = uwsgi.opt.get("env", [])
    every = lines if isinstance(lines, list) else [lines]
    return {line.decode(errors="surrogateescape").partition("=")[0] for line in every}


put(Path(__file__).parents[1], uwsgi.opt["act"].decode(), set_by_vassal())
