r"""The text of a .env, read and written the way django-environ's `read_env` reads it.

Each line is `NAME=value`, optionally after `export `. A value is literal, or in single quotes, or
in double quotes with the escapes `\"` and `\\`. If a name occurs twice, the last line counts. All
other lines are ignored by Django, and kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

MASK = "********"
_KEY = re.compile(r"[A-Za-z_0-9]+")
_LINE = re.compile(rf"(?:export )?(?P<key>{_KEY.pattern})=(?P<value>.*)")
_SINGLE = re.compile(r"'(.*)'")
_DOUBLE = re.compile(r'"(.*)"')
_ESCAPE = re.compile(r"\\(.)")
# These three stay escaped, for `env.str(…, multiline=True)` and the like.
_STAY_ESCAPED = "rnt"
_SECRET = r"(?:SECRET|PASS|PWD|TOKEN|KEY|DSN|CREDENTIAL)"
_SECRET_KEY = re.compile(_SECRET, re.IGNORECASE)
# A password with an `@` or a `/` in it makes an invalid URL, but is still a secret.
_PASSWORD = re.compile(r"(?<=://)([^:/?#@\s]*):.*(?=@)")
_PARAMETER = re.compile(rf"([?&][^=&]*{_SECRET}[^=&]*=)[^&]+", re.IGNORECASE)


@dataclass(frozen=True)
class DotEnv:
    """The text of a .env."""

    text: str

    @cached_property
    def values(self) -> Mapping[str, str]:
        """What Django finds in its environment, unless the process already has the variable."""
        matches = (_LINE.fullmatch(line) for line in self.text.splitlines())
        return {match["key"]: _read(match["value"]) for match in matches if match}

    @property
    def masked(self) -> dict[str, str]:
        """The same values with secrets, and passwords within URLs, masked."""
        return {key: self._mask(key, value) for key, value in self.values.items()}

    @property
    def unread(self) -> tuple[int, ...]:
        """The lines, counted from 1, that Django reads neither as settings nor as comments."""
        numbered = enumerate(self.text.splitlines(), 1)
        return tuple(
            number
            for number, line in numbered
            if line and not line.startswith("#") and not _LINE.fullmatch(line)
        )

    def changed(self, changes: Mapping[str, str | None]) -> DotEnv:
        """The text with these values set, and those that are None removed.

        They must have no `fault`. A value replaces the previous one in its place.
        """
        lines = [
            line
            for line in self.text.splitlines(keepends=True)
            if changes.get(_key(line), "") is not None
        ]
        places = {_key(line): place for place, line in enumerate(lines)}
        for key, value in changes.items():
            if value is None or value == self.values.get(key):
                continue
            if key in places:
                lines[places[key]] = _with_value(lines[places[key]], value)
            else:
                _append(lines, f"{key}={_written(value)}")
        return DotEnv("".join(lines))

    def dangling(self, key: str) -> str:
        """Why Django cannot follow a value such as `$NAME`; '' if it can."""
        seen, value = {key}, self.values[key]
        while value.startswith("$"):
            name = value.lstrip("$")
            if name not in self.values or name in seen:
                # The value itself may be a password, so it is not shown.
                what = "it refers to itself" if name in seen else ".env has no such variable"
                return (
                    f"{key} starts with $, so django-environ reads the rest as the name of another "
                    f"variable, and {what}"
                )
            seen.add(name)
            value = self.values[name]
        return ""

    def _mask(self, key: str, value: str) -> str:
        if value.startswith("$") and not self.dangling(key):
            return value
        if value and _SECRET_KEY.search(key):
            return MASK
        return _PARAMETER.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1:{MASK}", value))


def fault(key: str, value: str = "") -> str:
    """Why a .env cannot hold this; '' if it can. The value may be secret and is not shown."""
    if not _KEY.fullmatch(key):
        return f"{key!r} cannot be a name: only letters, digits and _ are allowed"
    if value.splitlines() not in ([value], []):
        return (
            f"the value of {key} has a line break; write it as \\n, "
            f"and read it with env.str({key!r}, multiline=True)"
        )
    if "\0" in value:
        return f"the value of {key} has a zero byte"
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return f"the value of {key} is not UTF-8"
    return ""


def _key(line: str) -> str:
    """The key that a line sets; '' for none."""
    match = _LINE.fullmatch(_bare(line))
    return match["key"] if match else ""


def _bare(line: str) -> str:
    return line.splitlines()[0]


def _read(written: str) -> str:
    if match := _SINGLE.fullmatch(written):
        written = match[1]
    if match := _DOUBLE.fullmatch(written):
        return _ESCAPE.sub(_unescaped, match[1])
    return written


def _unescaped(match: re.Match[str]) -> str:
    return match[0] if match[1] in _STAY_ESCAPED else match[1]


def _written(value: str) -> str:
    """The value as it must be written, also for a project that reads with `parse_comments`.

    That option cuts off a value at a `#`, unless it is in single quotes.
    """
    enclosed = _SINGLE.fullmatch(value) or _DOUBLE.fullmatch(value)
    if "#" not in value:
        return _quoted(value) if enclosed or value != value.strip() else value
    return f"'{_quoted(value)}'" if _DOUBLE.fullmatch(value) else f"'{value}'"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _with_value(line: str, value: str) -> str:
    head, ending = line[: line.index("=") + 1], line[len(_bare(line)) :]
    return f"{head}{_written(value)}{ending}"


def _append(lines: list[str], line: str) -> None:
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and lines[-1] == _bare(lines[-1]):
        lines[-1] += ending
    lines.append(line + ending)
