"""Steps: all of them are done, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from backstage.errors import BackstageError, SiteRefused
from backstage.nginx.step import Deed, Step, carry_out


class Diary:
    """Steps that write down what is done with them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, name: str, **failing: Exception) -> Step:
        """A step that fails where it is told to, as `do=SiteRefused()`."""
        return Step(
            Deed.WRITE_SITE,
            self._noting(f"do {name}", failing.get("do")),
            self._noting(f"undo {name}", failing.get("undo")),
            subject=name,
        )

    def _noting(self, line: str, error: Exception | None) -> Callable[[], None]:
        def note() -> None:
            self.lines.append(line)
            if error:
                raise error

        return note


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_what_was_done_is_returned_in_order(diary: Diary) -> None:
    steps = (diary.step("a"), diary.step("b"))
    assert carry_out(steps) == steps
    assert diary.lines == ["do a", "do b"]


def test_a_step_that_fails_undoes_all_that_were_begun_the_first_one_first(diary: Diary) -> None:
    failing = SiteRefused("nginx says no")
    with pytest.raises(SiteRefused) as caught:
        carry_out([diary.step("a"), diary.step("b", do=failing), diary.step("c")])
    assert caught.value is failing
    assert diary.lines == ["do a", "do b", "undo a", "undo b"]


def test_a_step_is_asked_for_when_those_before_it_are_done(diary: Diary) -> None:
    def steps() -> Iterator[Step]:
        yield diary.step("a")
        assert diary.lines == ["do a"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(steps())
    assert diary.lines == ["do a", "undo a"]


def test_undoing_goes_on_where_one_step_cannot_be_undone(diary: Diary) -> None:
    """And people are told why all of it is undone, not what went wrong then."""
    stuck = BackstageError("still busy")
    with pytest.raises(SiteRefused):
        carry_out([diary.step("a", undo=stuck), diary.step("b", do=SiteRefused("no"))])
    assert diary.lines == ["do a", "do b", "undo a", "undo b"]


def test_undoing_goes_on_where_the_disk_is_in_the_way(diary: Diary) -> None:
    full = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        carry_out([diary.step("a", undo=full), diary.step("b", do=SiteRefused("no"))])
    assert diary.lines == ["do a", "do b", "undo a", "undo b"]


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (Deed.WRITE_SITE, "wrote /etc/{it}"),
        (Deed.REMOVE_SITE, "removed /etc/{it}"),
        (Deed.CHANGE_ENV, "changed TLS, PROXY in /etc/{it}"),
        (Deed.RELOAD_NGINX, "reloaded nginx"),
        (Deed.START_NGINX, "started nginx"),
        (Deed.RESTART_ACT, "restarted /etc/{it}"),
    ],
)
def test_people_are_told_what_was_done(deed: Deed, told: str) -> None:
    step = Step(deed, lambda: None, lambda: None, subject="/etc/{it}", details=("TLS", "PROXY"))
    assert str(step) == told
