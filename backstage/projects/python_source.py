"""What a Python file says, read from its text alone: settings, and the modules that it names."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_CODE = re.compile(r"^(?:from|import)\s|^\w+\s*[:=(\[.]", re.MULTILINE)
_SETTINGS_MODULE = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']\]?\s*[,=]\s*["']([A-Za-z_][\w.]*)["']"""
)


def without_comments(text: str) -> str:
    return _COMMENT.sub("", text)


def has_code(text: str) -> bool:
    """Whether a file has more than comments and a docstring."""
    return bool(_CODE.search(without_comments(text)))


def settings_modules(text: str) -> list[str]:
    """The settings modules that a file puts into the environment."""
    return _SETTINGS_MODULE.findall(without_comments(text))


def assigned(text: str, name: str) -> str:
    """The text that is assigned to a name at the margin; '' if it is no plain text."""
    pattern = rf"""^{name}\s*(?::\s*[\w\[\] |]+)?=\s*["']([^"'\n]*)["']"""
    found = re.findall(pattern, without_comments(text), re.MULTILINE)
    return str(found[-1]) if found else ""


def mentions(text: str, *names: str) -> bool:
    """Whether a file has one of these names as a text, as in INSTALLED_APPS."""
    code = without_comments(text)
    return any(re.search(rf"""["']{re.escape(name)}(?:\.[\w.]+)?["']""", code) for name in names)
