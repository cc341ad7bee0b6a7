"""Modules that are imported when something of them is first used.

`import backstage.shortcuts` and `backstage status` are to be quick, and most of this library and of
what it stands on is there to change things. So what only some callers need is declared at the top
of a file like any other import, for readers and the type checker, with this in its place at run
time:

    if TYPE_CHECKING:
        import psutil
    else:
        psutil = lazy.module("psutil")

`tests/cli/test_loading.py` says what has to stay out of whom; Python 3.15 has a statement for it.
"""

from __future__ import annotations

from importlib import import_module


class _Module:
    """Stands for a module; several threads may use it first at once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<lazy module {self._name!r}>"

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(self._name), attribute)


def module(name: str) -> _Module:
    """The module of this absolute name, imported at the first use of something in it."""
    return _Module(name)
