"""How long tests wait for what has to come: on a busy machine, everything takes longer.

No test waits for this time to pass; only what would have failed anyway takes as long.
"""

from __future__ import annotations

from inspect import isfunction

import pytest

from backstage.act import Act
from backstage.uwsgi import dry_run
from backstage.venue import Venue

PATIENCE = 120.0
# What the methods of Acts and Venues wait unless they are told otherwise.
_DEFAULT = 30.0


def stretch(patch: pytest.MonkeyPatch) -> None:
    """Have the library wait in this process as long as the tests do."""
    for method in [*vars(Act).values(), *vars(Venue).values()]:
        if isfunction(method) and _DEFAULT in (method.__defaults__ or ()):
            longer = tuple(PATIENCE if each == _DEFAULT else each for each in method.__defaults__)
            patch.setattr(method, "__defaults__", longer)
    defaults = {**(Act.rewrite.__kwdefaults__ or {}), "wait": PATIENCE}
    patch.setattr(Act.rewrite, "__kwdefaults__", defaults)
    # A rehearsal that takes longer tells nothing.
    patch.setattr(dry_run, "_PATIENCE", PATIENCE)
