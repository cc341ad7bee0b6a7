"""All the configuration that uWSGI reads for a vassal: its file and its includes, line by line."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..facts.faults import Fault
from ..layout.paths import VenuePaths
from ..system import trust
from ..system.files import open_regular
from ..system.refusals import is_shortage
from . import ini

# uWSGI reads these files as soon as it meets the option, before it expands placeholders.
_AT_ONCE = frozenset({"ini", "include"})
_LATE = frozenset({"inherit"})
INCLUDES = _AT_ONCE | _LATE
# uWSGI acts on these options as soon as it reads them, even in a dry run: they stop, signal or
# start other processes, wait for a lock that the running Act holds, or bring in options that are
# not visible here.
_ACTING = frozenset(
    {
        *("stop", "reload", "pause", "suspend", "resume", "signal", "fallback-config", "exit"),
        *("flock", "flock-wait", "connect-and-read", "extract", "dlopen", "build-plugin"),
        *("binary-append-data", "inject-before", "inject-after", "config", "xml", "xmlconfig"),
        *("yaml", "yml", "json", "js", "ini-paste", "ini-paste-logged"),
        *("ldap", "sqlite", "sqlite3"),
    }
)
_LOGIC = re.compile(r"if(-|env|exists|plugin|dir)|for\b")
# Values that only uWSGI can expand: variables, contents of files, sums, and other URL schemes.
_OUTSIDE = re.compile(r"[$@]\(|%\([^)]* |://|%[a-zA-Z\[]")
_PLACEHOLDER = re.compile(r"%\([^)]+\)")
_NO = frozenset({"false", "off", "no", "0"})
_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:,]*):(?P<port>\d*)")
# A section of a file: the unit that uWSGI reads at once.
_Part = tuple[Path, str]
_MAIN = "uwsgi"
# Files that include each other can mean billions of lines; uWSGI would read them all.
_MOST_FILES = 1000
# In bytes.
_LONGEST = 1024**2


@dataclass(frozen=True)
class Line:
    """An option of a vassal file or of an included file, with `%n`, `%d` and the like expanded.

    `file` is relative to the Venue if it is inside it; `number` counts lines from 1. `unread` says
    why the file that this line includes was not read, `circular` whether the reason is that there
    would be no end: it includes itself, or files that include others a thousand times.
    """

    file: str
    number: int
    key: str
    value: str
    unread: str = ""
    circular: bool = False

    def blame(self, what: str, remedy: str = "") -> Fault:
        """A fault located at this line."""
        return Fault(self.file, self.number, self.key, what, remedy)

    @property
    def shape(self) -> tuple[str, str]:
        """The part that decides whether uWSGI can read the line; mostly without the value."""
        if self.key in ini.PLACEHOLDERS:
            return self.key, "".join(self.value.partition("=")[:2])
        return self.key, self.value if self.key in INCLUDES or self.key == "strict" else ""

    @property
    def hides(self) -> bool:
        """Whether uWSGI would act on this line, or read configuration that is not visible here."""
        elsewhere = "://" in self.value and (self.key in _AT_ONCE or "@(" in self.value)
        # A section alone refers to the file that uWSGI opened last, which need not be this one.
        elsewhere |= self.key in _AT_ONCE and self.value.startswith(":")
        foreign = self.key == "include" and not self.value.endswith(".ini")
        set_key = self.value.partition("=")[0] if self.key == "set" else self.key
        return set_key in _ACTING or elsewhere or foreign

    @property
    def waits(self) -> bool:
        """Whether the included file is known only once all placeholders are."""
        return self.key in _LATE or (self.unread != "" and "%(" in self.value)

    def fits(self, complaint: str) -> bool:
        """Whether a message of uWSGI that names no line is likely to be about this one."""
        name = self.value.partition("=")[0]
        if self.key in ini.PLACEHOLDERS:
            nameless = " placeholder/" in complaint and "=" not in self.value
            return f" {name} " in complaint or nameless
        return f'"{self.key}"' in complaint or f'"{self.value}"' in complaint


@dataclass(frozen=True)
class Script:
    """The lines that uWSGI reads for a vassal, and their combined meaning."""

    lines: tuple[Line, ...] = ()

    @cached_property
    def names(self) -> dict[str, str]:
        """The values of `%(name)` placeholders, by name."""
        return ini.names((line.key, line.value) for line in self.lines)

    @cached_property
    def branches(self) -> bool:
        """Whether some lines apply only under a condition, or in a loop."""
        return any(_LOGIC.match(line.key) for line in self.lines)

    @property
    def shape(self) -> tuple[tuple[str, str], ...]:
        """Everything that decides whether uWSGI can read it: options, includes, placeholders."""
        return tuple(line.shape for line in self.lines)

    @property
    def strict(self) -> bool:
        """Whether uWSGI is told to reject unknown options."""
        line = self.last("strict")
        return line is not None and line.value.lower() not in _NO

    def value(self, line: Line) -> str:
        """The value of a line with its placeholders expanded."""
        return ini.filled(line.value, self.names)

    def knows(self, line: Line) -> bool:
        """Whether the value of a line can be expanded without uWSGI."""
        return not _OUTSIDE.search(self.value(line))

    def unset(self, line: Line) -> str:
        """The first placeholder in a line that is not set; '' if there is none."""
        left = _PLACEHOLDER.search(self.value(line))
        return left[0] if left else ""

    def all(self, *keys: str) -> list[Line]:
        """The lines with one of these options."""
        return [line for line in self.lines if line.key in keys]

    def last(self, *keys: str) -> Line | None:
        """The line in force among options that mean the same: the last."""
        return next(iter(self.all(*keys)[::-1]), None)

    def values(self, *keys: str) -> list[tuple[str, str]]:
        """Options and values of the lines with one of these options."""
        return [(line.key, self.value(line)) for line in self.all(*keys)]

    def addresses(self) -> Iterator[tuple[Line, str, re.Match[str]]]:
        """Lines that bind a TCP port, with their values and the match of host and port."""
        for line in self.lines:
            value = self.value(line) if line.key in ini.SOCKETS else ""
            if line.key in ini.PLACEHOLDERS and line.value.startswith("port="):
                value = f"127.0.0.1:{line.value[5:]}"
            match = _PORT.match(value)
            if match and "/" not in match["host"] and not _OUTSIDE.search(value):
                yield line, value, match


def read(venue_paths: VenuePaths, file: Path, text: str) -> Script:
    """The lines that uWSGI reads, before it applies any, for a vassal `file` that holds `text`.

    An unreadable file is left out; the line that includes it says why. Raises OSError if the system
    has run out of something.
    """
    return Script(tuple(_Reading(venue_paths, file, text, insists=True).lines((file, _MAIN))))


def read_all(venue_paths: VenuePaths, file: Path, text: str) -> Script:
    """Like `read`, followed by the includes that depend on placeholders.

    These are the files that `inherit` names, which uWSGI reads last too, and the files meant by
    includes with placeholders: uWSGI rejects those, so their lines remain `unread`.
    """
    reading = _Reading(venue_paths, file, text)
    lines = list(reading.lines((file, _MAIN)))
    seen: set[_Part] = set()
    # The list grows during the iteration.
    for line in lines:
        part = reading.part(Script(tuple(lines)).value(line)) if line.waits else None
        if part and part not in seen:
            seen.add(part)
            with suppress(OSError):
                lines += reading.lines((file, _MAIN), part)
    return Script(tuple(lines))


@dataclass(frozen=True)
class _Reading:
    """Reads for the vassal `file` as if it held `text`; `read` are the included files so far."""

    venue_paths: VenuePaths
    file: Path
    text: str
    read: list[Path] = field(default_factory=list)
    insists: bool = False

    def lines(self, *chain: _Part) -> Iterator[Line]:
        """The options of the last part of a chain of includes, and of the files that it includes.

        Raises OSError immediately, not on iteration, if that part cannot be read.
        """
        return self._lines(self._content(chain[-1][0]), *chain)

    def part(self, name: str) -> _Part:
        """The file and section that an include names; uWSGI resolves them from vassals/."""
        file, _, section = name.partition(":")
        return Path(os.path.normpath(self.venue_paths.vassals / file)), section or _MAIN

    def _lines(self, content: str, *chain: _Part) -> Iterator[Line]:
        file, section = chain[-1]
        signs, shown = ini.signs_of(file, chain[0][0]), self._shown(file)
        for number, key, written in ini.settings(content, section):
            line = Line(shown, number, key, ini.magic(written, signs))
            if key not in _AT_ONCE or line.hides:
                yield line
                continue
            part = self.part(line.value)
            if part in chain:
                yield replace(line, unread=f"{line.value} includes itself", circular=True)
                continue
            if len(self.read) >= _MOST_FILES:
                yield replace(line, unread=f"more than {_MOST_FILES} files", circular=True)
                return
            try:
                included = self.lines(*chain, part)
            except OSError as error:
                if self.insists and is_shortage(error):
                    raise
                late = "; uWSGI does not expand placeholders here" if "%(" in line.value else ""
                yield replace(line, unread=f"cannot read {line.value}: {error.strerror}{late}")
                continue
            yield line
            yield from included

    def _content(self, file: Path) -> str:
        if file == self.file:
            return self.text
        if "\0" in str(file):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self._reader is not None and not trust.may_read(self._reader, file):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        with os.fdopen(open_regular(file), "rb") as included:
            self.read.append(file)
            return included.read(_LONGEST).decode(errors="replace")

    @cached_property
    def _reader(self) -> int | None:
        """The other user whose vassal file it is: it includes what this user may read."""
        if os.geteuid() or not self.file.exists():
            return None
        return self.file.stat().st_uid or None

    def _shown(self, file: Path) -> str:
        top = self.venue_paths.top
        return str(file.relative_to(top) if file.is_relative_to(top) else file)
