"""The table of Acts that `status` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...facts.rates import Rates
from .columns import COLUMNS
from .screen import Line, Screen, harmless

_GAP = "  "
# No name is cut shorter than this many characters.
_SHORTEST = 12


def table(screen: Screen, keys: Sequence[str], acts: Sequence[Rates]) -> Iterator[Line]:
    """A title line, then one line for each Act.

    `keys` are keys of `COLUMNS`. Names are cut if there is no room for them.
    """
    titles = {key: _title(key) for key in keys}
    rows = [{key: _text(screen, key, each) for key in titles} for each in acts]
    widths = {key: max(len(row[key]) for row in (titles, *rows)) for key in titles}
    if "name" in widths:
        others = sum(widths.values()) - widths["name"] + len(_GAP) * (len(widths) - 1)
        widths["name"] = min(widths["name"], max(_SHORTEST, screen.width - others))
    yield _line(titles, widths, dict.fromkeys(titles, "dim"))
    for each, row in zip(acts, rows, strict=True):
        style = screen.style(each.now.state)
        yield _line(row, widths, {"name": style, "state": style})


def _title(key: str) -> str:
    return f"  {COLUMNS[key].title}" if key == "name" else COLUMNS[key].title


def _text(screen: Screen, key: str, rates: Rates) -> str:
    text = COLUMNS[key].cell(rates)
    return f"{screen.sign(rates.now.state)} {harmless(text)}" if key == "name" else text


def _line(texts: Mapping[str, str], widths: Mapping[str, int], styles: Mapping[str, str]) -> Line:
    line: list[tuple[str, str]] = []
    for key, width in widths.items():
        text = texts[key] if len(texts[key]) <= width else f"{texts[key][: width - 1]}…"
        text = text.rjust(width) if COLUMNS[key].right else text.ljust(width)
        line.append((f"{_GAP if line else ''}{text}", styles.get(key, "")))
    return line
