"""Tasks that root runs as another user, in real processes of that user."""

from __future__ import annotations

import os
import signal
import traceback
from pathlib import Path
from typing import NoReturn

import pytest

from backstage.errors import BackstageError, NoSuchAct
from backstage.system import as_user

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def test_an_errand_is_done_as_that_user_and_tells_what_came_of_it() -> None:
    """The result comes back as after a round trip through JSON."""
    assert as_user.run_as(NOBODY, os.geteuid) == NOBODY
    assert as_user.run_as(NOBODY, lambda: {"path": Path("/srv"), "pair": (1, None)}) == {
        "path": "/srv",
        "pair": [1, None],
    }


def test_where_nobody_else_is_meant_an_errand_is_done_right_here() -> None:
    assert as_user.run_as(None, os.getpid) == os.getpid()


def test_what_an_errand_raises_for_people_is_raised_here() -> None:
    """Its attributes come with it, and what it advises."""
    for error in (NoSuchAct("blog", Path("/srv/V"), ("shop",)), NoSuchAct("x", Path("/srv/V"), ())):

        def refuse(error: NoSuchAct = error) -> NoReturn:
            raise error

        with pytest.raises(NoSuchAct, match=error.name) as caught:
            as_user.run_as(NOBODY, refuse)
        assert str(caught.value) == str(error)
        assert (caught.value.at_shell, caught.value.advice) == (error.at_shell, error.advice)


def test_disk_trouble_is_told_to_people_too() -> None:
    with pytest.raises(BackstageError, match="Permission denied: '/root/file'"):
        as_user.run_as(NOBODY, lambda: Path("/root/file").write_text("x"))


@pytest.mark.parametrize("wrong", [KeyError("port"), SystemExit(3), KeyboardInterrupt()])
def test_a_programming_error_reaches_whoever_called(wrong: BaseException) -> None:
    """The error keeps its type, message and traceback, and is no message for users."""

    def stumble_over_it() -> NoReturn:
        raise wrong

    with pytest.raises(as_user.TaskFailed) as caught:
        as_user.run_as(NOBODY, stumble_over_it)
    assert not isinstance(caught.value, BackstageError)
    assert f"as nobody: {type(wrong).__name__}" in str(caught.value)
    assert str(wrong) in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "in stumble_over_it" in shown
    assert "raise wrong" in shown


def test_a_result_that_cannot_be_sent_is_a_programming_error() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(as_user.TaskFailed, match="ValueError: Circular reference"):
        as_user.run_as(NOBODY, lambda: circle)


def test_a_process_that_is_killed_says_by_what() -> None:
    with pytest.raises(BackstageError, match="process of user nobody was killed by SIGKILL"):
        as_user.run_as(NOBODY, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(BackstageError, match=r"process of user nobody exited with code 7"):
        as_user.run_as(NOBODY, lambda: os._exit(7))
