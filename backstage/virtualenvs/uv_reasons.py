"""Why uv failed, in one line: it tells so only in sentences."""

from __future__ import annotations

import re
from collections.abc import Callable

# How versions of uv decorate what they say.
_DECORATION = re.compile(r"^\s*(?:error:|cause:|Caused by:|hint:|[\u00d7│├╰─▶]+)?\s*", re.MULTILINE)
_MOST = 300


def reason(output: str, unnamed: str = "the project") -> str:
    """The reason in what uv printed, with the package that it is about.

    uv does not name what it builds from a directory; that is `unnamed`.
    """
    said = " ".join(_DECORATION.sub("", output).split())
    for pattern, told in _KNOWN:
        if found := re.search(pattern, said):
            return told(found, output)
    if "The build backend returned an error" in said:
        return f"{unnamed} does not build: {_last_words(output)}"
    return said[:_MOST] or "it failed without a word"


def unreachable(output: str) -> str:
    """The URL that could not be fetched; '' if that is not why it failed."""
    found = re.search(r"Failed to fetch: `?(?P<url>[^\s`]+)", output)
    return found["url"] if found else ""


def _of_build(found: re.Match[str], output: str) -> str:
    return f"{found['name']} does not build: {_last_words(output)}"


def _last_words(output: str) -> str:
    """The last error that a build printed."""
    lines = [line.strip() for line in output.partition("[stderr]")[2].splitlines()]
    own = [line for line in lines if line and not line.startswith(("hint:", "help:"))]
    errors = [line for line in own if re.match(r"(\w*Error|error|fatal)\b", line, re.IGNORECASE)]
    return (errors or own or ["its build fails"])[-1][:_MOST]


def _of_fetch(found: re.Match[str], output: str) -> str:
    causes = re.findall(r"(?:cause|Caused by): (.+)", output)
    return f"{found['url']} cannot be fetched: {causes[-1] if causes else 'unreachable'}"


_KNOWN: list[tuple[str, Callable[[re.Match[str], str], str]]] = [
    (r"No space left on device", lambda found, output: "there is no space left on the disk"),
    (
        r"Hash mismatch for `(?P<name>[^`]+)`",
        lambda found, output: (
            f"{found['name']} is not the file that was locked: its hash is another one"
        ),
    ),
    (
        r"only found wheels for `(?P<name>[^`]+)` \(`?v?(?P<version>[^)`]+)`?\) with the following "
        r"(?P<kind>[\w ]+) tags?: (?P<tags>(?:`\w+`(?:, | and )?)+)",
        lambda found, output: (
            f"{found['name']} {found['version']} has wheels only for another "
            f"{'platform' if 'platform' in found['kind'] else 'Python'}: "
            f"{found['tags'].replace('`', '').strip(' ,')}"
        ),
    ),
    (
        r"(?P<name>[\w.-]+==[\w.!+-]+) has no wheels with a matching Python",
        lambda found, output: f"{found['name']} has wheels only for another Python",
    ),
    (r"Failed to (?:download and )?build `(?P<name>[^`]+)`", _of_build),
    (r"Failed to fetch: `?(?P<url>[^\s`]+)", _of_fetch),
    (
        r"[Bb]ecause (?P<name>[\w.-]+) was not found in the package registry",
        lambda found, output: f"no index has a package {found['name']}",
    ),
    (
        r"there is no version of (?P<name>\S+)",
        lambda found, output: f"no index has {found['name'].rstrip(',')}",
    ),
]
