"""Rounds of measurements, and the conclusions from them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

# The results of one round: seconds by name.
Timings = dict[str, float]


@dataclass(frozen=True)
class Limit:
    """The limit: `times` the baseline plus `plus` seconds."""

    times: float = 0.0
    plus: float = 0.0

    def __str__(self) -> str:
        if not self.plus:
            return f"≤ {self.times:g}"
        share = {0.0: "", 1.0: "baseline + "}.get(self.times, f"{self.times:g} of baseline + ")
        return f"≤ {share}{in_words(self.plus)}"

    def keeps(self, baseline: float, ours: float) -> bool:
        return ours <= self.times * baseline + self.plus


class Line(Protocol):
    """Anything that fills a line of the table."""

    def cells(self) -> list[str]: ...


@dataclass(frozen=True)
class Row:
    """One line of the table: the seconds of each round, the two sides in the same order."""

    what: str
    ours: Sequence[float]
    baseline: Sequence[float] | None = None
    limit: Limit | None = None

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios, so that a slower machine affects both sides."""
        if self.baseline is None:
            return None
        return median(mine / theirs for mine, theirs in zip(self.ours, self.baseline, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether more than half of the rounds meet the limit; None if there is none."""
        if self.limit is None:
            return None
        baseline = self.baseline or [0.0] * len(self.ours)
        kept = [self.limit.keeps(*pair) for pair in zip(baseline, self.ours, strict=True)]
        return sum(kept) > len(kept) / 2

    def cells(self) -> list[str]:
        return [
            self.what,
            in_words(median(self.baseline)) if self.baseline else "",
            in_words(median(self.ours)),
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            str(self.limit) if self.limit else "",
            _told(self.met),
        ]


@dataclass(frozen=True)
class Latencies:
    """One line of the table: durations with a limit for the median and one for the extremes."""

    what: str
    seconds: Sequence[float]
    usual: float
    at_most: float

    @property
    def met(self) -> bool:
        """Whether the median and the 99th percentile meet their limits."""
        return median(self.seconds) <= self.usual and self._high <= self.at_most

    def cells(self) -> list[str]:
        found = f"{in_words(median(self.seconds))}, 99 %: {in_words(self._high)}"
        target = f"≤ {in_words(self.usual)}, 99 %: ≤ {in_words(self.at_most)}"
        return [self.what, "", found, "", target, _told(self.met)]

    @property
    def _high(self) -> float:
        return percentile(self.seconds, 99)


@dataclass(frozen=True)
class Finding:
    """One line of the table that is not about seconds."""

    what: str
    found: str
    target: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        return [self.what, "", self.found, "", self.target, _told(self.met)]


class Rounds:
    """The timings of several rounds, by name."""

    def __init__(self, measured: Iterable[Timings]) -> None:
        self._measured = list(measured)

    def __getitem__(self, name: str) -> list[float]:
        return [timings[name] for timings in self._measured]


def repeat(title: str, pairs: int, measure: Callable[[int], Timings]) -> Rounds:
    """Call `measure` with the number of the round; the first round only warms up."""
    measured = []
    for number in range(pairs + 1):
        timings = measure(number)
        told = ", ".join(f"{name} {in_words(seconds)}" for name, seconds in timings.items())
        print(f"{title} {number or 'warm-up'}: {told}", file=sys.stderr, flush=True)
        if number:
            measured.append(timings)
    return Rounds(measured)


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least this percentage of the values does not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def table(rows: Iterable[Line]) -> str:
    """The rows in Markdown."""
    head = ["What", "Baseline", "Backstage", "Ratio", "Target", "Met?"]
    lines = [head, ["---", "---:", "---:", "---:", "---", "---"], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def in_words(seconds: float) -> str:
    """Seconds as text: `1.52 s`, `84 ms`, `3.1 ms`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def _told(met: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[met]
