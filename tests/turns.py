"""Which tests run when, and which of them in the same process."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from xdist.scheduler import LoadFileScheduling

# The files that take the longest begin, so that no process is left alone with one at the end.
LONGEST = (
    *("test_pythons", "test_ten_sites", "test_limits_v2", "test_nginx", "test_acts"),
    "test_restarts",
    *("test_systemd", "test_cli", "test_doctor", "test_trouble", "test_venues", "test_root"),
    *("test_packaging", "test_killed", "test_events", "test_tour", "test_top", "test_run_as"),
)
# Files whose tests share nothing that takes its time to make.
SCATTERED = ("test_pythons", "test_acts", "test_restarts", "test_trouble", "test_endings")


def turn(item: pytest.Item) -> int:
    """When it is its file's turn: the longest first, the other integration tests next."""
    if "integration" not in item.path.parts:
        return len(LONGEST) + 1
    return LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """All tests of a file to the same process, but for those that share nothing."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if PurePath(file).stem in SCATTERED else file
