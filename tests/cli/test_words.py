"""The command's output: numbers, exit codes, signs on the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from backstage import errors
from backstage.cli.exits import Exit, exit_of
from backstage.cli.terminal import wording
from backstage.cli.terminal.screen import Screen, harmless
from backstage.errors import ActFailed, BackstageError, NotInTime, PortUnavailable
from backstage.facts.states import State


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "0 B"), (999, "999 B"), (48_200_000, "48.2 MB"), (1e12, "1.0 TB"), (2.5e15, "2500.0 TB")],
)
def test_sizes(amount: float, said: str) -> None:
    assert wording.size(amount) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0s"), (7.9, "7s"), (312, "5m 12s"), (7_380, "2h 3m"), (273_600, "3d 4h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("per_second", "said"), [(0, "0"), (0.02, "0.02"), (3.44, "3.4"), (120.4, "120")]
)
def test_rates(per_second: float, said: str) -> None:
    assert wording.rate(per_second) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0004, "0.4 ms"), (0.0123, "12 ms"), (1.24, "1.2 s")]
)
def test_latencies(seconds: float, said: str) -> None:
    assert wording.latency(seconds) == said


def test_counts() -> None:
    assert (wording.count(1, "Act"), wording.count(2, "Act")) == ("1 Act", "2 Acts")


def test_exit_codes_tell_kinds_of_failures() -> None:
    assert exit_of(ActFailed("blog", "fails")) is Exit.FAILED
    assert exit_of(NotInTime("blog", "is late")) is Exit.LATE
    assert exit_of(PortUnavailable("taken")) is Exit.PORT
    assert exit_of(BackstageError("whatever")) is Exit.FAILED


def test_every_kind_of_error_was_thought_of() -> None:
    """A new class needs an exit code, or must be listed here as a plain failure."""
    plain = {errors.BackstageError, errors.ActFailed, errors.EmperorFailed, errors.PartLost}
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, BackstageError)
    }
    # A failed upgrade has the code of its cause.
    failing = {
        kind
        for kind in kinds - {errors.UpgradeFailed}
        if exit_of(kind.__new__(kind)) is Exit.FAILED
    }
    assert failing == plain


def test_a_failed_upgrade_exits_as_what_made_it_fail() -> None:
    cause = errors.CheckFailed("blog", "no module named 'shop'")
    assert exit_of(errors.UpgradeFailed(Path("/srv/MyVenue"), cause)) is Exit.CHECK


def test_every_exit_code_has_a_meaning() -> None:
    assert all(code.meaning for code in Exit)


def screen_of(encoding: str) -> tuple[Screen, io.BytesIO]:
    written = io.BytesIO()
    return Screen(io.TextIOWrapper(written, encoding=encoding)), written


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("utf-8", "● blog  running    running → stopped …\n"),
        ("ascii", "* blog  running    running -> stopped ...\n"),
    ],
)
def test_poor_terminals_get_poor_signs(encoding: str, line: str) -> None:
    screen, written = screen_of(encoding)
    screen.state_line("blog", State.RUNNING, "running → stopped …")
    assert written.getvalue().decode(encoding) == line


def test_what_no_sign_was_found_for_is_a_question_mark() -> None:
    screen, written = screen_of("ascii")
    screen.line("Müller → blog")
    assert written.getvalue() == b"M?ller -> blog\n"


def test_nothing_is_cut_or_coloured_where_nobody_looks() -> None:
    screen, written = screen_of("utf-8")
    screen.state_line("blog", State.FAILING, "x" * 500)
    assert "x" * 500 in written.getvalue().decode()
    assert b"\x1b" not in written.getvalue()


def test_escape_sequences_from_elsewhere_do_nothing() -> None:
    assert harmless("a\x1b[2Jb\r\x9b\tc") == "a\\x1b[2Jb\\x0d\\x9b\tc"
