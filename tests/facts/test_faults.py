"""A fault as one sentence for people."""

from __future__ import annotations

import pytest

from backstage.facts.faults import Fault

FAULT = Fault("vassals/blog.ini", 4, "threds", "unknown option 'threds'", "did you mean 'threads'?")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (FAULT, "vassals/blog.ini, line 4: unknown option 'threds'; did you mean 'threads'?"),
        (Fault("base.ini", 1, "chdir", "no directory /x"), "base.ini, line 1: no directory /x"),
        (Fault("base.ini", None, "", "the file is empty"), "base.ini: the file is empty"),
    ],
)
def test_a_fault_in_words(fault: Fault, told: str) -> None:
    """The place comes first, if there is one, and the remedy last."""
    assert str(fault) == told
    assert told.endswith(f": {fault.why}")
