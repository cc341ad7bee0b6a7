"""Modules that are imported on first use.

`import backstage.shortcuts` and `backstage status` have to be quick, while most of this library and
its dependencies serve to change things. So a module that only some callers need is declared at the
top of a file like any other import, for readers and the type checker, and replaced by this one at
run time:

    if TYPE_CHECKING:
        import psutil
    else:
        psutil = lazy.module("psutil")

`tests/cli/test_loading.py` lists what must not be loaded when; Python 3.15 has a statement for it.
"""

from __future__ import annotations

from importlib import import_module


class _Module:
    """A placeholder for a module; safe if several threads use it first at the same time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<lazy module {self._name!r}>"

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(self._name), attribute)


def module(name: str) -> _Module:
    """The module with this absolute name, imported when one of its attributes is first used."""
    return _Module(name)
