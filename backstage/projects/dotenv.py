r"""The text of a .env: read as django-environ's `read_env` reads it, and changed so that it does.

One `NAME=value` a line, after `export ` perhaps. A value is taken as it stands, or from between
single quotes; from between double quotes with `\"` and `\\` spelt out. Of two lines with one name,
the last counts. All other lines are nothing to Django, and stay as they are.
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
# A password with an `@` or a `/` in it is no good URL, but a secret all the same.
_PASSWORD = re.compile(r"(?<=://)([^:/?#@\s]*):.*(?=@)")
_PARAMETER = re.compile(rf"([?&][^=&]*{_SECRET}[^=&]*=)[^&]+", re.IGNORECASE)


@dataclass(frozen=True)
class DotEnv:
    """The text of a .env."""

    text: str

    @cached_property
    def values(self) -> Mapping[str, str]:
        """What Django finds in its environment, unless the process has the variable already."""
        matches = (_LINE.fullmatch(line) for line in self.text.splitlines())
        return {match["key"]: _read(match["value"]) for match in matches if match}

    @property
    def masked(self) -> dict[str, str]:
        """The same for other people's eyes: secrets, and passwords within URLs, are left out."""
        return {key: self._mask(key, value) for key, value in self.values.items()}

    @property
    def unread(self) -> tuple[int, ...]:
        """The lines, counted from 1, that Django does not take for settings or comments."""
        numbered = enumerate(self.text.splitlines(), 1)
        return tuple(
            number
            for number, line in numbered
            if line and not line.startswith("#") and not _LINE.fullmatch(line)
        )

    def changed(self, changes: Mapping[str, str | None]) -> DotEnv:
        """The text with these values set, and those that are None removed.

        They must be such as have no `fault`. A value is written where the one before it stood.
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
        """Why Django, which follows values such as `$NAME`, gets nowhere; '' where it does."""
        seen, value = {key}, self.values[key]
        while value.startswith("$"):
            name = value.lstrip("$")
            if name not in self.values or name in seen:
                # The value itself, a password perhaps, is not told.
                what = "names itself" if name in seen else "none of that name is in .env"
                return (
                    f"django-environ takes what follows the $ at the start of {key} for the name "
                    f"of another variable, and {what}"
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
    """Why a .env cannot hold this; '' where it can. The value is not told, as it may be secret."""
    if not _KEY.fullmatch(key):
        return f"{key!r} cannot be a name: it takes letters, digits and _, without spaces"
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
    """The value as it has to stand there, also for a project that reads with `parse_comments`.

    That one cuts off what follows a `#`, unless single quotes are around it.
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
