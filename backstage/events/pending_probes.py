"""Probes of ports that run in the background."""

from __future__ import annotations

import time

from ..status.survey import PATIENCE, Look
from ..system.wakeups import Wakeups
from ..uwsgi.probes import Probe


class PendingProbes:
    """Probes the ports of Acts whose state needs it; answers arrive through `wakeups`."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._asked: dict[str, tuple[Probe, float]] = {}

    def ask(self, look: Look) -> float | None:
        """Probe the port of `look` unless a probe is under way; returns when to look again."""
        if look.name in self._asked or look.address is None:
            return None
        probe, until = Probe(look.address), time.monotonic() + PATIENCE
        self._asked[look.name] = (probe, until)
        if not probe.begin():
            return time.monotonic()
        self._wakeups.watch(probe, look.name)
        return until

    def answered(self, look: Look) -> Look:
        """The look, completed with the answer of its port, or its failure to answer, if known."""
        if look.name not in self._asked:
            return look
        probe, until = self._asked[look.name]
        answers = probe.asking and probe.answered(0)
        if probe.asking and not answers and time.monotonic() < until:
            return look
        self._drop(look.name)
        return look.asked(answers) if look.unsure else look

    def close(self) -> None:
        """Close all probes."""
        for name in list(self._asked):
            self._drop(name)

    def _drop(self, name: str) -> None:
        probe, _ = self._asked.pop(name)
        self._wakeups.unwatch(probe)
        probe.close()
