"""Several logs merged into one, in order of time, and as they grow."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backstage.layout.paths import VenuePaths
from backstage.logs.journal import EMPEROR, Journal
from backstage.logs.records import Wanted
from backstage.logs.source import LogLine, Span
from backstage.system.deadlines import Deadline, until

PATIENCE = 30.0
NOON = datetime(2022, 5, 1, 12, tzinfo=UTC).timestamp()
EVERYTHING = Span()


@pytest.fixture
def paths(tmp_path: Path) -> VenuePaths:
    paths = VenuePaths(tmp_path)
    paths.log.mkdir()
    return paths


def add(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def at(second: int, text: str) -> str:
    """A line as Django writes it, this many seconds after noon."""
    moment = datetime.fromtimestamp(NOON + second, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    return f"{moment} {text}"


def shown(lines: list[LogLine]) -> list[str]:
    """Lines as tests expect them: without their timestamps."""
    return [f"{line.source}: {line.text.split('+0000 ')[-1]}" for line in lines]


def read(paths: VenuePaths, *sources: str, span: Span = EVERYTHING) -> list[str]:
    return shown(list(Journal(paths, sources, span, follow=False)))


def test_logs_are_interleaved_by_time(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "one"), at(4, "four"))
    add(paths.act("shop").log, at(2, "two"), at(5, "five"))
    add(paths.emperor_log, at(3, "three"))
    assert read(paths, "blog", "shop", EMPEROR) == [
        "blog: one",
        "shop: two",
        "emperor: three",
        "blog: four",
        "shop: five",
    ]


def test_a_line_tells_its_moment_and_its_source(paths: VenuePaths) -> None:
    add(paths.act("blog").log, "who knows", at(1, "one"), "\tand more")
    assert list(Journal(paths, ["blog"], EVERYTHING, follow=False)) == [
        LogLine("blog", None, "who knows"),
        LogLine("blog", NOON + 1, at(1, "one")),
        LogLine("blog", NOON + 1, "\tand more"),
    ]


def test_tracebacks_stay_whole(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "failed"), "Traceback:", "  frame", "ValueError: no")
    add(paths.act("shop").log, at(0, "zero"), at(1, "same"), "  of it", at(2, "later"))
    assert read(paths, "blog", "shop") == [
        "shop: zero",
        "blog: failed",
        "blog: Traceback:",
        "blog:   frame",
        "blog: ValueError: no",
        "shop: same",
        "shop:   of it",
        "shop: later",
    ]


def test_the_order_of_one_log_never_changes(paths: VenuePaths) -> None:
    """This holds even if a request has the time of its beginning, not of its logging."""
    add(paths.act("blog").log, at(5, "five"), at(2, "slow"), at(6, "six"))
    add(paths.act("shop").log, at(3, "three"), at(6, "six"))
    expected = ["shop: three", "blog: five", "blog: slow", "blog: six", "shop: six"]
    assert read(paths, "blog", "shop") == expected


def test_a_time_to_come_is_none(paths: VenuePaths) -> None:
    """A line with a future time does not delay all later lines."""
    add(paths.act("blog").log, at(1, "one"), "2999-01-01T00:00:00+0000 ha", at(3, "three"))
    add(paths.act("shop").log, at(2, "two"))
    assert read(paths, "blog", "shop") == ["blog: one", "blog: ha", "shop: two", "blog: three"]


def test_the_last_lines_of_each(paths: VenuePaths) -> None:
    add(paths.act("blog").log, *(at(second, f"{second}") for second in range(0, 5000, 2)))
    add(paths.act("shop").log, *(at(second, f"{second}") for second in range(1, 5000, 2)))
    expected = ["blog: 4996", "shop: 4997", "blog: 4998", "shop: 4999"]
    assert read(paths, "blog", "shop", span=Span(lines=2)) == expected
    assert read(paths, "blog", "shop", span=Span(lines=0)) == []
    assert len(read(paths, "blog", "shop", span=Span(lines=4000))) == 5000


def test_the_first_of_the_last_lines_has_its_time_in_a_line_above(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "failed"), "Traceback:", *["  frame"] * 50, "ValueError: no")
    add(paths.act("shop").log, at(0, "zero"), at(2, "two"))
    lines = list(Journal(paths, ["blog", "shop"], Span(lines=2), follow=False))
    assert shown(lines) == ["shop: zero", "blog:   frame", "blog: ValueError: no", "shop: two"]
    assert [line.at for line in lines] == [NOON, NOON + 1, NOON + 1, NOON + 2]


def test_what_was_rotated_is_read_too(paths: VenuePaths) -> None:
    log = paths.act("blog").log
    add(log.with_name("blog.log.1"), *(at(second, f"{second}") for second in range(5)))
    assert read(paths, "blog", span=Span(lines=2)) == ["blog: 3", "blog: 4"]
    add(log, "goes on", at(5, "5"), at(6, "6"))
    assert read(paths, "blog", span=Span(lines=2)) == ["blog: 5", "blog: 6"]
    expected = ["blog: 4", "blog: goes on", "blog: 5", "blog: 6"]
    assert read(paths, "blog", span=Span(lines=4)) == expected
    assert read(paths, "blog", span=Span(since=NOON + 4)) == expected
    assert len(read(paths, "blog")) == 8


def test_since_a_moment(paths: VenuePaths) -> None:
    add(paths.act("blog").log, "who knows", *(at(second, f"{second}") for second in range(10)))
    add(paths.act("blog").log, "  and more")
    expected = ["blog: 8", "blog: 9", "blog:   and more"]
    assert read(paths, "blog", span=Span(since=NOON + 8)) == expected
    # Timestamps are in whole seconds: this line may be from later in the same second.
    assert read(paths, "blog", span=Span(since=NOON + 8.7)) == expected
    assert read(paths, "blog", span=Span(since=NOON + 3, lines=3)) == expected
    assert read(paths, "blog", span=Span(since=NOON + 8, lines=30)) == expected
    assert read(paths, "blog", span=Span(since=NOON + 10)) == []


def test_a_slow_request_is_of_the_moment_when_it_was_logged(paths: VenuePaths) -> None:
    """Its timestamp is that of its beginning, but the line above it was written later."""
    add(paths.act("blog").log, at(7, "seven"), at(9, "nine"), at(4, "slow"), at(10, "ten"))
    expected = ["blog: nine", "blog: slow", "blog: ten"]
    assert read(paths, "blog", span=Span(since=NOON + 8)) == expected


def test_a_moment_in_a_long_log_is_found(paths: VenuePaths) -> None:
    """Its position does not matter."""
    filling = "x" * 1000
    add(paths.act("blog").log, *(at(second, f"{second} {filling}") for second in range(2000)))
    for first in (0, 1, 500, 1000, 1999, 2000):
        lines = read(paths, "blog", span=Span(since=NOON + first))
        assert [int(line.split()[1]) for line in lines] == list(range(first, 2000))


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of bytes of each read."""
    lengths = []
    pread = os.pread

    def counted(descriptor: int, length: int, begin: int) -> bytes:
        lengths.append(length)
        return pread(descriptor, length, begin)

    monkeypatch.setattr(os, "pread", counted)
    return lengths


def test_a_moment_in_a_long_log_is_found_without_reading_it_all(
    paths: VenuePaths, lengths: list[int]
) -> None:
    filling = "x" * 1000
    add(paths.act("blog").log, *(at(second, f"{second} {filling}") for second in range(20_000)))
    assert len(read(paths, "blog", span=Span(since=NOON + 19_990))) == 10
    assert sum(lengths) < paths.act("blog").log.stat().st_size / 10


def test_a_log_that_was_not_written_to_since_is_not_searched(
    paths: VenuePaths, lengths: list[int]
) -> None:
    log = paths.act("blog").log
    add(log, *(at(second, "x" * 1000) for second in range(2000)))
    os.utime(log, (NOON, NOON + 2000))
    assert read(paths, "blog", span=Span(since=NOON + 2001)) == []
    assert len(lengths) < 4


def wanted(paths: VenuePaths, level: str, span: Span, *sources: str) -> list[str]:
    journal = Journal(paths, sources or ["blog"], span, follow=False, wanted=Wanted.of(level, None))
    return shown(list(journal))


def test_the_last_records_that_are_wanted(paths: VenuePaths) -> None:
    """However far above the end they are, in the rotated log too, and each whole."""
    log = paths.act("blog").log
    filling = [at(second, f"INFO {second} {'x' * 1000}") for second in range(2000)]
    add(log.with_name("blog.log.1"), at(0, "ERROR zero"), at(0, "ERROR one"), "  of it", *filling)
    add(log, "  of an earlier one", *filling, at(2000, "ERROR two"), "  of it", *filling[:600])
    two, one = ["blog: ERROR two", "blog:   of it"], ["blog: ERROR one", "blog:   of it"]
    assert wanted(paths, "error", Span(lines=1)) == two
    assert wanted(paths, "error", Span(lines=2)) == one + two
    assert wanted(paths, "error", Span(lines=20)) == ["blog: ERROR zero", *one, *two]
    assert wanted(paths, "error", EVERYTHING) == ["blog: ERROR zero", *one, *two]
    assert wanted(paths, "error", Span(since=NOON + 1999)) == two
    assert wanted(paths, "error", Span(lines=0)) == []


def test_wanted_records_of_several_logs_are_interleaved(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "ERROR one"), "  of it", at(3, "ERROR three"), at(4, "INFO"))
    add(paths.act("shop").log, at(0, "INFO"), at(2, "ERROR two"))
    expected = ["blog: ERROR one", "blog:   of it", "shop: ERROR two", "blog: ERROR three"]
    assert wanted(paths, "error", Span(lines=20), "blog", "shop") == expected


def test_the_last_records_are_found_without_reading_it_all(
    paths: VenuePaths, lengths: list[int]
) -> None:
    add(paths.act("blog").log, *(at(second, f"ERROR {'x' * 1000}") for second in range(20_000)))
    assert len(wanted(paths, "error", Span(lines=20))) == 20
    assert sum(lengths) < paths.act("blog").log.stat().st_size / 10


def test_logs_that_are_not_there_are_empty(paths: VenuePaths) -> None:
    assert read(paths, "blog", EMPEROR) == []
    add(paths.emperor_log, at(1, "one"))
    assert read(paths, "blog", EMPEROR) == ["emperor: one"]


def test_a_last_line_without_an_end_is_shown_as_it_is(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "one"))
    with paths.act("blog").log.open("a") as file:
        file.write("building mime-types dictionary...")
    assert read(paths, "blog") == ["blog: one", "blog: building mime-types dictionary..."]


def used_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_closing_gives_every_file_back(paths: VenuePaths, follow: bool, count: int) -> None:
    """This holds however much was read."""
    for name in ("blog", "shop"):
        add(paths.act(name).log, at(1, "one"))
        add(paths.log / f"{name}.log.1", at(0, "zero"))
    before = used_files(), threading.active_count()
    with Journal(paths, ["blog", "shop"], EVERYTHING, follow=follow) as journal:
        assert used_files() > before[0]
        for _ in range(count):
            next(journal)
    assert until(lambda: (used_files(), threading.active_count()) == before, Deadline(PATIENCE))
    journal.close()
    assert list(journal) == []


def test_what_was_read_to_its_end_needs_no_closing(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "one"))
    before = used_files()
    journal = Journal(paths, ["blog"], EVERYTHING, follow=False)
    assert len(list(journal)) == 1
    assert used_files() == before


class Follower:
    """Reads a journal in a separate thread."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.lines: list[LogLine] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for line in self.journal:
            self.lines.append(line)

    def sees(self, *expected: str) -> None:
        """Exactly these lines come next."""
        until(lambda: len(self.lines) >= len(expected), Deadline(PATIENCE))
        lines, self.lines[:] = list(self.lines), []
        assert shown(lines) == list(expected)

    def close(self) -> None:
        self.journal.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


Follow = Callable[..., Follower]


@pytest.fixture
def follow(paths: VenuePaths) -> Iterator[Follow]:
    followers: list[Follower] = []

    def start(*sources: str, span: Span = EVERYTHING, **options: object) -> Follower:
        journal = Journal(paths, sources, span, follow=True, **options)  # type: ignore[arg-type]
        followers.append(Follower(journal))
        return followers[-1]

    yield start
    for follower in followers:
        follower.close()


@pytest.fixture
def only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first check, nothing is read without a notification."""
    monkeypatch.setattr("backstage.system.file_changes.INTERVAL", 3600.0)


def test_what_is_added_is_told(paths: VenuePaths, follow: Follow, only_told: None) -> None:
    """New lines follow existing ones; lines written together are in order of time."""
    blog, shop = paths.act("blog").log, paths.act("shop").log
    add(blog, at(1, "one"))
    follower = follow("blog", "shop")
    follower.sees("blog: one")
    add(blog, at(2, "two"), "  of it")
    follower.sees("blog: two", "blog:   of it")
    add(shop, at(3, "three"))
    follower.sees("shop: three")


def test_tracebacks_stay_whole_while_they_are_written(
    paths: VenuePaths, follow: Follow, only_told: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds even if it is written line by line while another Act logs too."""
    monkeypatch.setattr("backstage.logs.journal._GATHER", 1.0)
    blog, shop = paths.act("blog").log, paths.act("shop").log
    add(blog, at(1, "one"))
    follower = follow("blog", "shop")
    follower.sees("blog: one")
    for log, line in (
        (blog, at(2, "failed")),
        (blog, "Traceback:"),
        (shop, at(3, "three")),
        (blog, "ValueError: no"),
    ):
        add(log, line)
        # Long enough for a reader that does not wait to read it.
        time.sleep(0.05)
    follower.sees("blog: failed", "blog: Traceback:", "blog: ValueError: no", "shop: three")


def test_wanted_records_are_followed(paths: VenuePaths, follow: Follow, only_told: None) -> None:
    """Lines that a wanted record gets later too, whether it is wanted for them or was before."""
    blog, error = paths.act("blog").log, Wanted.of("error", None)
    follower = follow("blog", span=Span(lines=0), wanted=error)
    add(blog, at(1, "INFO one"), at(2, "ERROR two"))
    follower.sees("blog: ERROR two")
    add(blog, "  of it")
    follower.sees("blog:   of it")
    add(blog, at(3, "INFO three"))
    add(blog, "Traceback (most recent call last):")
    follower.sees("blog: INFO three", "blog: Traceback (most recent call last):")


def test_only_from_now_on(paths: VenuePaths, follow: Follow) -> None:
    blog = paths.act("blog").log
    blog.write_text(f"{at(1, 'one')}\n{at(2, 'tw')}")
    follower = follow("blog", span=Span(lines=0))
    with blog.open("a") as file:
        file.write("o\n")
    follower.sees("blog: two")


def test_half_a_line_is_held(paths: VenuePaths, follow: Follow) -> None:
    blog, shop = paths.act("blog").log, paths.act("shop").log
    blog.write_text(at(1, "half"))
    follower = follow("blog", "shop")
    add(shop, at(2, "two"))
    follower.sees("shop: two")
    add(blog, " and half")
    follower.sees("blog: half and half")


def test_rotation_loses_nothing(paths: VenuePaths, follow: Follow) -> None:
    """Each rotation overwrites the previous log while the writer goes on."""
    blog = paths.act("blog").log
    add(blog, at(0, "0"))
    follower = follow("blog")
    follower.sees("blog: 0")
    for rotation in range(5):
        first = 100 * rotation + 1
        for second in range(first, first + 100):
            if second == first + 50:
                blog.replace(blog.with_name("blog.log.1"))
            add(blog, at(second, f"{second}"))
        follower.sees(*(f"blog: {second}" for second in range(first, first + 100)))


def test_a_truncated_log_is_read_on(paths: VenuePaths, follow: Follow) -> None:
    blog = paths.act("blog").log
    add(blog, at(1, "one"), at(2, "two"))
    follower = follow("blog")
    follower.sees("blog: one", "blog: two")
    os.truncate(blog, 0)
    add(blog, at(3, "three"))
    follower.sees("blog: three")


def test_logs_come_later(paths: VenuePaths, follow: Follow) -> None:
    """Even their directory may be created later."""
    paths.log.rmdir()
    follower = follow("blog", EMPEROR)
    paths.log.mkdir()
    add(paths.act("blog").log, at(1, "one"))
    follower.sees("blog: one")
    add(paths.emperor_log, at(2, "two"))
    follower.sees("emperor: two")


def test_a_log_that_lies_elsewhere_is_followed(
    paths: VenuePaths, follow: Follow, tmp_path: Path
) -> None:
    """inotify does not report its changes, so it is polled."""
    elsewhere = tmp_path / "elsewhere.log"
    add(elsewhere, at(1, "one"))
    paths.act("blog").log.symlink_to(elsewhere)
    follower = follow("blog")
    follower.sees("blog: one")
    add(elsewhere, at(2, "two"))
    follower.sees("blog: two")


def test_acts_that_are_made_later_are_followed_too(
    paths: VenuePaths, follow: Follow, only_told: None
) -> None:
    """Their whole log is read, but no lines of an earlier Act of that name, and no other files."""
    names = {"blog"}
    old = paths.act("old").log
    add(old, at(1, "long ago"))
    follower = follow("blog", newcomers=lambda: names)
    add(paths.act("blog").log, at(1, "one"))
    follower.sees("blog: one")
    names |= {"shop", "old"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    add(paths.act("shop").log, "first", f"{now} second")
    follower.sees("shop: first", "shop: second")
    add(paths.log / "stranger.log", "unseen")
    add(old, f"{now} again")
    follower.sees("old: again")


def test_who_named_logs_follows_no_others(paths: VenuePaths, follow: Follow) -> None:
    follower = follow("blog")
    add(paths.act("shop").log, at(1, "unseen"))
    add(paths.act("blog").log, at(2, "seen"))
    follower.sees("blog: seen")


def test_closing_ends_a_follower_that_waits(
    paths: VenuePaths, follow: Follow, only_told: None
) -> None:
    """It ends immediately, not at the next check."""
    follower = follow("blog")
    add(paths.act("blog").log, at(1, "one"))
    follower.sees("blog: one")
    follower.close()
    add(paths.act("blog").log, at(2, "unseen"))
    assert follower.lines == []


def test_what_was_left_open_ends_with_its_journal(paths: VenuePaths) -> None:
    add(paths.act("blog").log, at(1, "one"))
    before = used_files(), threading.active_count()
    journal = Journal(paths, ["blog"], EVERYTHING, follow=True)
    next(journal)
    del journal
    assert until(lambda: (used_files(), threading.active_count()) == before, Deadline(PATIENCE))


def test_without_inotify_it_polls_and_says_so_once(
    paths: VenuePaths, follow: Follow, no_inotify: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "backstage"):
        follower = follow("blog")
        for second in range(5):
            add(paths.act("blog").log, at(second, "polled"))
            follower.sees("blog: polled")
    (record,) = caplog.records
    assert "for changes every 0.1 s" in record.getMessage()


def test_many_long_logs_are_read_with_little_memory(paths: VenuePaths) -> None:
    """Each has one open file and one block in memory."""
    lines = [at(second, "x" * 80) for second in range(5000)]
    for number in range(20):
        add(paths.act(f"act{number}").log, *lines)
    names = [f"act{number}" for number in range(20)]
    with closing(Journal(paths, names, EVERYTHING, follow=False)) as journal:
        assert sum(1 for _ in journal) == 100_000
