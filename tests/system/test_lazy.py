"""Modules that are imported on first use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backstage.system import lazy


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is not imported yet."""
    (tmp_path / "backstage_late.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "backstage_late", raising=False)
    return "backstage_late"


def test_a_module_is_imported_when_it_is_first_used(late: str) -> None:
    module = lazy.module(late)
    assert late in repr(module)
    assert late not in sys.modules
    assert module.VALUE == 1
    assert late in sys.modules


def test_what_is_changed_in_the_module_is_seen(late: str) -> None:
    module = lazy.module(late)
    assert module.VALUE == 1
    sys.modules[late].VALUE = 2  # type: ignore[attr-defined]
    assert module.VALUE == 2


def test_what_is_not_in_the_module_is_an_error(late: str) -> None:
    with pytest.raises(AttributeError, match="'backstage_late' has no attribute 'OTHER'"):
        assert lazy.module(late).OTHER
    with pytest.raises(ModuleNotFoundError, match="backstage_nowhere"):
        assert lazy.module("backstage_nowhere").VALUE
