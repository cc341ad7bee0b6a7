"""The events of inotify for real files, and the hints made from them."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from backstage.system.deadlines import Deadline, until
from backstage.system.inotify import CONTENTS, LOST, NAMES, WRITES, Hint, Watch
from tests.patience import PATIENCE

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")

Hints = list[Hint]
Doing = Callable[[Path], object]


@pytest.fixture
def hints() -> Hints:
    """The hints received, in order."""
    return []


@pytest.fixture
def watch(hints: Hints) -> Iterator[Watch]:
    with closing(Watch(hints.append)) as watch:
        yield watch


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory to watch, beside others."""
    path = tmp_path / "vassals"
    path.mkdir()
    return path


def all_of(hints: Hints, place: Path) -> Hints:
    """All hints about what happened so far in a watched directory."""
    last = Hint(place, "the-last", complete=True)
    (place / last.name).mkdir()
    assert until(lambda: any(hint.name == last.name for hint in hints), Deadline(PATIENCE))
    (place / last.name).rmdir()
    assert until(lambda: hints[-1] == last, Deadline(PATIENCE))
    return [hint for hint in hints if hint.name != last.name]


def told(hints: Hints) -> list[tuple[str, bool]]:
    return [(hint.name, hint.complete) for hint in hints]


def write_and_leave_open(path: Path, closing: ExitStack) -> None:
    file = closing.enter_context(path.open("a"))
    file.write("x")
    file.flush()


def test_what_is_being_written_is_not_complete(watch: Watch, hints: Hints, place: Path) -> None:
    """It is complete once it is closed."""
    watch.add(place, CONTENTS)
    with ExitStack() as closing:
        write_and_leave_open(place / "blog.ini", closing)
        assert told(all_of(hints, place)) == [("blog.ini", False), ("blog.ini", False)]
        hints.clear()
    assert told(all_of(hints, place)) == [("blog.ini", True)]
    assert hints[0].path == place


@pytest.mark.parametrize(
    "done",
    [
        lambda path: path.touch(),
        lambda path: path.chmod(0o600),
        lambda path: os.utime(path, (1, 1)),
    ],
    ids=["touch", "chmod", "utime"],
)
def test_what_is_dated_is_complete(watch: Watch, hints: Hints, place: Path, done: Doing) -> None:
    path = place / "blog.ini"
    path.write_text("x")
    watch.add(place, CONTENTS)
    done(path)
    assert set(told(all_of(hints, place))) == {("blog.ini", True)}


@pytest.mark.parametrize(
    ("done", "names"),
    [
        (lambda path: path.rename(path.parents[1] / "out.ini"), ["blog.ini"]),
        (lambda path: (path.parents[1] / "in.ini").rename(path), ["blog.ini"]),
        (lambda path: path.rename(path.with_name("shop.ini")), ["blog.ini", "shop.ini"]),
        (lambda path: path.unlink(), ["blog.ini"]),
    ],
    ids=["out", "in", "within", "removed"],
)
def test_what_comes_or_goes_is_complete(
    watch: Watch, hints: Hints, place: Path, done: Doing, names: list[str]
) -> None:
    (place / "blog.ini").write_text("x")
    (place.parent / "in.ini").write_text("y")
    watch.add(place, CONTENTS)
    done(place / "blog.ini")
    assert told(all_of(hints, place)) == [(name, True) for name in names]


def test_reading_is_nothing(watch: Watch, hints: Hints, place: Path) -> None:
    (place / "blog.ini").write_text("x")
    watch.add(place, CONTENTS)
    (place / "blog.ini").read_text()
    list(place.iterdir())
    assert all_of(hints, place) == []


def test_names_are_told_without_contents(watch: Watch, hints: Hints, place: Path) -> None:
    watch.add(place, NAMES)
    (place / "blog.stats").write_text("x")
    (place / "blog.stats").chmod(0o600)
    (place / "blog.stats").unlink()
    assert told(all_of(hints, place)) == [("blog.stats", False), ("blog.stats", True)]


def test_a_file_can_be_watched_itself(watch: Watch, hints: Hints, place: Path) -> None:
    log = place / "emperor.log"
    log.write_text("before\n")
    watch.add(log, WRITES)
    with log.open("a") as file:
        file.write("after\n")
    assert until(lambda: bool(hints), Deadline(PATIENCE))
    assert hints == [Hint(log, "", complete=False)]


def test_names_may_be_any_bytes(watch: Watch, hints: Hints, place: Path) -> None:
    watch.add(place, CONTENTS)
    path = place / os.fsdecode(b"\xff\xe4 b\n.ini")
    path.mkdir()
    assert told(all_of(hints, place)) == [(path.name, False)]


def test_what_is_watched_already_is_told_once(watch: Watch, hints: Hints, place: Path) -> None:
    for _ in range(3):
        watch.add(place, CONTENTS)
    (place / "blog").mkdir()
    assert told(all_of(hints, place)) == [("blog", False)]


def test_what_is_not_there_is_not_watched(watch: Watch, hints: Hints, place: Path) -> None:
    """It is watched once it exists."""
    watch.add(place / "later", CONTENTS)
    watch.add(place, CONTENTS)
    (place / "later").mkdir()
    watch.add(place / "later", CONTENTS)
    (place / "later" / "blog").mkdir()
    assert Hint(place / "later", "blog", complete=False) in all_of(hints, place / "later")


def test_a_directory_that_goes_is_told_and_one_that_comes_back_is_watched_again(
    watch: Watch, hints: Hints, place: Path
) -> None:
    gone = Hint(place, "", complete=True)
    for _ in range(3):
        watch.add(place, CONTENTS)
        place.rmdir()
        assert until(lambda: gone in hints, Deadline(PATIENCE))
        assert hints == [gone]
        hints.clear()
        place.mkdir()
        (place / "unseen").mkdir()
        (place / "unseen").rmdir()
        assert hints == []
    watch.add(place, CONTENTS)
    (place / "blog").mkdir()
    assert told(all_of(hints, place)) == [("blog", False)]


@pytest.mark.parametrize("held", [True, False])
def test_a_file_that_was_replaced_is_watched_again(
    watch: Watch, hints: Hints, place: Path, held: bool
) -> None:
    """A rotated log, for example, may still be written to."""
    log, rotated = place / "emperor.log", place / "emperor.log.1"
    log.write_text("")
    watch.add(log, WRITES)
    with ExitStack() as closing:
        old = closing.enter_context(log.open("a"))
        log.rename(rotated)
        log.write_text("")
        if not held:
            old.close()
            rotated.unlink()
            assert until(lambda: bool(hints), Deadline(PATIENCE))
        hints.clear()
        watch.add(log, WRITES)
        if held:
            old.write("to the old one\n")
            old.flush()
        watch.add(place, CONTENTS)
        assert all_of(hints, place) == []
        hints.clear()
        with log.open("a") as file:
            file.write("to the new one\n")
        assert Hint(log, "", complete=False) in all_of(hints, place)


def test_closing_gives_everything_back(tmp_path: Path) -> None:
    """Threads and descriptors are released even amid many events; later events are not reported."""

    def used() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before, hints = used(), Hints()
    for number in range(20):
        with closing(Watch(hints.append)) as watch:
            watch.add(tmp_path, CONTENTS)
            (tmp_path / f"{number}").mkdir()
    # An ended thread may still be counted for a moment.
    assert until(lambda: used() == before, Deadline(PATIENCE))
    hints.clear()
    (tmp_path / "blog").mkdir()
    assert until(lambda: used() == before, Deadline(PATIENCE))
    assert hints == []


def test_more_than_the_kernel_can_hold_is_told_to_be_lost(place: Path) -> None:
    """The loss is reported once the reader catches up; later events are reported as before."""
    blocked, go_on = threading.Event(), threading.Event()
    hints = Hints()

    def listen(hint: Hint) -> None:
        hints.append(hint)
        blocked.set()
        go_on.wait(PATIENCE)

    with closing(Watch(listen)) as watch:
        watch.add(place, CONTENTS)
        # Two in turn, because the kernel merges identical consecutive events.
        names = ["blog.ini", "shop.ini"]
        for name in names:
            (place / name).mkdir()
        assert blocked.wait(PATIENCE)
        for number in range(int(QUEUE.read_text()) + 1000):
            os.utime(place / names[number % 2])
        assert LOST not in hints
        go_on.set()
        assert until(lambda: LOST in hints, Deadline(PATIENCE))
        hints.clear()
        (place / "news.ini").mkdir()
        assert until(lambda: Hint(place, "news.ini", complete=False) in hints, Deadline(PATIENCE))


@pytest.mark.slow
def test_where_the_kernel_grants_no_instance_an_error_says_so() -> None:
    """So the caller can poll instead."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="inotify instance limit reached"):
            Watch(print)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
