"""Why an Act fails, in one line, from what its log says last."""

from __future__ import annotations

import re

_FRAME = re.compile(r'\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')
_NAMED_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Configured): ")
_TIME = re.compile(r"^(?:\d{4}-\d\d-\d\d [\d:]{8} - |\w{3} \w{3} [ \d]\d [\d:]{8} \d{4} - )")
# uWSGI's own words for what went wrong before any Python ran, most telling first.
_COMPLAINTS = (
    re.compile(r"\[strict-mode\] (?P<what>unknown config directive: .*)"),
    re.compile(r"(?P<what>error binding .*|bind\(\): .*|.*Address already in use.*)"),
    re.compile(r"(?P<what>Listen queue size is greater than .*|[ug]id .* not found.*)"),
    re.compile(r"(?P<what>.*No such file or directory.*)"),
    re.compile(r"(?P<what>.*invalid .*|.*syntax error.*|unable to .*)"),
)


def reason_from(log: str) -> str:
    """The last exception with its file and line, else uWSGI's complaint, else nothing."""
    lines = [_TIME.sub("", line) for line in log.splitlines()]
    return _exception(lines) or _complaint(lines)


def _exception(lines: list[str]) -> str:
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        if not line or line[0].isspace():
            continue
        place = _place(lines[:index])
        # Any exception below its frames counts, and one without frames by its name.
        if place or _NAMED_ERROR.match(line):
            return line.strip() + place
    return ""


def _place(lines: list[str]) -> str:
    """The innermost frame of the traceback that ends here, if one does."""
    for line in reversed(lines):
        if not line or not line[0].isspace():
            break
        if frame := _FRAME.match(line):
            return f" ({frame['file']}, line {frame['line']})"
    return ""


def _complaint(lines: list[str]) -> str:
    for complaint in _COMPLAINTS:
        for line in reversed(lines):
            if match := complaint.search(line):
                return match["what"].strip()
    return ""
