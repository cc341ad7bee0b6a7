"""What the operating system refuses: whose it is, and what to type."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.errors import CannotWrite, NotAllowed, NotYours, SystemRefused
from backstage.system import refusals, users

ME = 54321


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of this user, who for these tests is somebody else than root."""
    if os.geteuid() == users.ROOT:
        os.chown(tmp_path, ME, -1)
        monkeypatch.setattr(os, "geteuid", lambda: ME)
    (tmp_path / "two words").touch()
    os.chown(tmp_path / "two words", os.geteuid(), -1)
    return tmp_path


def denied(path: Path) -> PermissionError:
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def closed(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Have the kernel say that this user may not use these paths: root may use all."""
    monkeypatch.setattr(os, "access", lambda path, *_: Path(path) not in paths)


def belongs_to(monkeypatch: pytest.MonkeyPatch, owner: int, *paths: Path) -> None:
    known: Callable[[Path], int | None] = refusals._owner
    monkeypatch.setattr(refusals, "_owner", lambda path: owner if path in paths else known(path))


def test_a_file_of_ones_own_is_opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "two words"
    closed(monkeypatch, file)
    told = refusals.refusal(denied(file), "reading it", place)
    assert isinstance(told, SystemRefused)
    assert str(told) == (f"reading it: Permission denied at {file}. Type: chmod u+rwX '{file}'")
    assert (told.errno, told.filename) == (errno.EACCES, str(file))


def test_what_may_be_written_but_not_replaced_is_opened_above(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writable = os.W_OK | os.R_OK
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != place or not mode & os.W_OK & writable
    )
    told = refusals.refusal(denied(place / "two words"), "stopping it", place)
    assert str(told).endswith(f"Type: chmod u+rwX {place}")


def test_a_file_of_anothers_in_ones_own_venue_is_taken(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / "two words"
    belongs_to(monkeypatch, 0, file)
    told = refusals.refusal(denied(file), "reading it", place)
    assert isinstance(told, SystemRefused)
    assert str(told).endswith(f"{file} belongs to root. Type: sudo chown {os.geteuid()} '{file}'")


def test_nothing_can_be_typed_against_what_is_outside_of_the_venue(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "mine", lambda: "bob")
    told = refusals.refusal(denied(Path("/usr/bin")), "writing", place)
    assert str(told) == (
        "writing: Permission denied at /usr/bin. /usr/bin belongs to root, and you are bob"
    )


@pytest.mark.parametrize("closed_at", ["", "two words"])
def test_a_venue_of_anothers(place: Path, monkeypatch: pytest.MonkeyPatch, closed_at: str) -> None:
    """It is enough that one of its files cannot be used."""
    monkeypatch.setattr(users, "mine", lambda: "bob")
    belongs_to(monkeypatch, 0, place, place / "two words")
    closed(monkeypatch, place / closed_at)
    told = refusals.refusal(denied(place / "two words"), "looking", place, "stop", "a b")
    assert isinstance(told, NotYours)
    assert isinstance(told, NotAllowed)
    assert (told.venue, told.owner, told.user) == (place, "root", "bob")
    assert str(told) == (
        f"{place} belongs to root, and only root can do that; you are bob. "
        f"Type: sudo -u root {users.program()} --venue {place} stop 'a b'"
    )


def test_a_venue_in_a_home_of_anothers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even its owner can be seen, but that of the home."""
    venue = place / "home" / "V"
    belongs_to(monkeypatch, 0, place / "home")
    closed(monkeypatch, place / "home")
    told = refusals.refusal(denied(venue), "", venue)
    assert isinstance(told, NotYours)
    assert told.owner == "root"
    assert str(told).endswith(f"sudo -u root {users.program()} --venue {venue} …")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "end some"),
        (errno.ENAMETOOLONG, "shorter path"),
        (errno.EAGAIN, "ulimit -u"),
        (errno.ENOMEM, "free -m"),
        (errno.EFBIG, "ulimit -f"),
        (errno.ELOOP, "ls -ld '/srv/a b'"),
    ],
)
def test_what_is_nobodys_fault_is_told_with_its_cure(number: int, advice: str) -> None:
    told = refusals.refusal(OSError(number, os.strerror(number), "/srv/a b"), "looking")
    assert str(told).startswith(f"looking: {os.strerror(number)} at /srv/a b. ")
    assert advice in str(told)


def test_a_shortage_passes() -> None:
    assert refusals.is_shortage(OSError(errno.EMFILE, ""))
    assert refusals.is_shortage(OSError(errno.ENOSPC, ""))
    assert not refusals.is_shortage(OSError(errno.EACCES, ""))


def test_errors_of_the_program_are_none_of_the_system() -> None:
    for error in (KeyError("x"), OSError("without a number")):
        with pytest.raises(type(error)) as caught, refusals.telling("writing", kind=CannotWrite):
            raise error
        assert caught.value is error


def test_a_directory_that_cannot_be_entered_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusals.is_directory(tmp_path)
    assert not refusals.is_directory(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert not refusals.is_directory(tmp_path / "file")
    assert not refusals.is_directory(tmp_path / "file" / "below")
    closed(monkeypatch, tmp_path)
    with pytest.raises(PermissionError):
        refusals.is_directory(tmp_path)
