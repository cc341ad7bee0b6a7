"""Why an Act fails, in one line, from what its log says last."""

from __future__ import annotations

import re

_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(
    r"^(?P<what>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Configured)\b.*)"
)
# uWSGI's own words for what went wrong before any Python ran, most telling first.
_COMPLAINTS = (
    re.compile(r"\[strict-mode\] (?P<what>unknown config directive: .*)"),
    re.compile(r"(?P<what>error binding .*|bind\(\): .*|.*Address already in use.*)"),
    re.compile(r"(?P<what>.*No such file or directory.*)"),
    re.compile(r"(?P<what>.*invalid .*|.*syntax error.*|unable to .*)"),
)


def reason_from(log: str) -> str:
    """The last exception with its file and line, else uWSGI's complaint, else nothing."""
    lines = log.splitlines()
    for index in range(len(lines) - 1, -1, -1):
        if match := _EXCEPTION.match(lines[index]):
            return match["what"].strip() + _place(lines[:index])
    for complaint in _COMPLAINTS:
        for line in reversed(lines):
            if match := complaint.search(line):
                return match["what"].strip()
    return ""


def _place(lines: list[str]) -> str:
    for line in reversed(lines):
        if match := _FRAME.match(line):
            return f" ({match['file']}, line {match['line']})"
        if _EXCEPTION.match(line):
            break
    return ""
