"""Errors as values: who asks can catch what the owner could."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import (
    ActFailed,
    BackstageError,
    Busy,
    CheckFailed,
    NoSuchAct,
    NotInTime,
    SettingsError,
    UnsafeDirectory,
)
from backstage.sharing.failures import Failure
from backstage.sharing.values import decoded, encoded

ERRORS = [
    ActFailed("blog", "does not run", "no module x", "Traceback …"),
    CheckFailed("blog", "500", path="/", status=500, output="…"),
    NotInTime("blog", "is not running yet"),
    NoSuchAct("blgo", Path("/srv/V"), ("blog",)),
    NoSuchAct("blog", Path("/srv/V"), ()),
    SettingsError(Path("/srv/V/venue.yaml"), 3, "unknown key"),
    UnsafeDirectory(Path("/srv/V"), "can be written by everybody", "chmod go-w /srv/V"),
    Busy("another process has held it"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_has_its_class_its_message_and_its_data(error: BackstageError) -> None:
    again = decoded(Failure, encoded(Failure.of(error))).error
    assert type(again) is type(error)
    assert (str(again), again.at_shell) == (str(error), error.at_shell)
    assert {name: getattr(again, name) for name in vars(error)} == vars(error)


@pytest.mark.parametrize(
    "kind",
    [
        *("SystemExit", "__builtins__", "annotations", "Path", ""),
        # These have what cannot be told.
        *("NotYours", "UpgradeFailed", "VenueMoved"),
    ],
)
def test_no_other_class_is_ever_made(kind: str) -> None:
    error = Failure(kind=kind, message="no").error
    assert (type(error), str(error), error.at_shell) == (BackstageError, "no", "no")
