"""Control groups of our own; the kernel's part is tested in `integration/test_limits_v2.py`."""

from __future__ import annotations

from pathlib import Path

from backstage.system.control_groups import ControlGroup


def test_without_such_groups_nobody_is_taken_in_and_nothing_is_left(tmp_path: Path) -> None:
    """In a directory of another kind there are no files of the kernel to write to."""
    group = ControlGroup(tmp_path / "no" / "check-blog")
    assert not group.take_in(1, {"memory.max": "1"})
    assert not group.ran_out_of_memory
    group.end()
    assert list(tmp_path.iterdir()) == []
