"""Edits of vassal files at random moments around starts and restarts, by the tools of operators.

With a watcher each is taken; without one it is taken or seen to wait. `BACKSTAGE_EDITS=1000` makes
so many instead of a few, `BACKSTAGE_SEED=7` the same ones again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.facts.watching import Watching
from backstage.shortcuts import new_act
from backstage.system.deadlines import Deadline, until
from tests.patience import PATIENCE

from .conftest import MakeVenue, told_of_file

EDITS = int(os.environ.get("BACKSTAGE_EDITS", "12"))
SEED = int(os.environ.get("BACKSTAGE_SEED", "0")) or random.randrange(1, 10**6)
ACTS = 3
THREADS = re.compile(r"^threads = .*$", re.MULTILINE)
LONGEST_PAUSE = 1.6
OLD = 1_500_000_000

# Each changes the file to the text; `aside` is a directory for its own use, on the same disk.
Way = Callable[[Path, str, Path], None]


def redirected(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["sh", "-c", 'cat >"$0"', file], input=text.encode(), check=True)


def replaced_by_sed(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["sed", "-i", f"s/^threads.*/{THREADS.findall(text)[0]}/", file], check=True)


def written_by_vim(file: Path, text: str, aside: Path) -> None:
    change = f"%s/^threads.*/{THREADS.findall(text)[0]}/"
    quiet = ["-u", "NONE", "-i", "NONE", "-n", "-es"]
    subprocess.run(["vim.tiny", *quiet, "-c", change, "-c", "wq!", file], check=True)


def moved_in(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["mv", _made(aside, text), file], check=True)


def moved_in_from_a_backup(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["mv", _made(aside, text, OLD), file], check=True)


def copied_with_its_date(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["cp", "-p", _made(aside, text, OLD), file], check=True)


def brought_by_rsync(file: Path, text: str, aside: Path) -> None:
    subprocess.run(["rsync", "-a", "--ignore-times", _made(aside, text, OLD), file], check=True)


def written_with_a_coming_date(file: Path, text: str, aside: Path) -> None:
    file.write_text(text)
    subprocess.run(["touch", "-d", "+1 hour", file], check=True)


def _made(aside: Path, text: str, date: float | None = None) -> Path:
    new = aside / "new.ini"
    new.write_text(text)
    if date:
        os.utime(new, (date, date))
    return new


PROGRAMS = {written_by_vim: "vim.tiny", brought_by_rsync: "rsync"}
ALL_WAYS = (
    redirected,
    replaced_by_sed,
    written_by_vim,
    moved_in,
    moved_in_from_a_backup,
    copied_with_its_date,
    brought_by_rsync,
    written_with_a_coming_date,
)
# All of them where `make test` may install the programs.
WAYS = [way for way in ALL_WAYS if shutil.which(PROGRAMS.get(way, "sh"))]


def restart(act: Act) -> None:
    act.restart()


def begin_a_restart(act: Act) -> None:
    act.restart(wait=None)


def stop_and_start(act: Act) -> None:
    act.stop()
    act.start()


def stop_and_begin_a_start(act: Act) -> None:
    act.stop()
    act.start(wait=None)


def nothing(act: Act) -> None:
    pass


VERBS = (restart, begin_a_restart, stop_and_start, stop_and_begin_a_start, nothing)


@pytest.mark.slow
@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
def test_no_edit_is_lost(make_venue: MakeVenue, tmp_path: Path, watched: bool) -> None:
    venue = make_venue()
    if not watched:
        settings = venue.paths.settings
        settings.write_text(settings.read_text() + "watcher: off\n")
    wanted = Watching.RUNNING if watched else Watching.OFF
    assert until(lambda: venue.watcher.state is wanted, Deadline(PATIENCE))
    acts = [new_act(venue, f"edited{number}") for number in range(ACTS)]
    with ThreadPoolExecutor(ACTS) as pool:
        stories = [
            pool.submit(edit_often, act, random.Random(f"{SEED} {act.name}"), watched=watched)
            for act in acts
        ]
    lost = [edit for story in stories for edit in story.result()]
    assert not lost, f"of {EDITS} edits with BACKSTAGE_SEED={SEED}:\n" + "\n".join(lost)


def edit_often(act: Act, chance: random.Random, *, watched: bool) -> list[str]:
    """Make a share of the edits; return what became of those that were lost."""
    aside = act.paths.venue.top / f"aside-{act.name}"
    aside.mkdir()
    lost = []
    threads = cycle(range(2, 30))
    ways = cycle(chance.sample(WAYS, len(WAYS)))
    for _ in range(EDITS // ACTS):
        verb, way, pause = chance.choice(VERBS), next(ways), chance.uniform(0, LONGEST_PAUSE)
        verb(act)
        time.sleep(pause)
        number = next(threads)
        way(act.paths.vassal, THREADS.sub(f"threads = {number}", act.vassal_text), aside)
        if not until(lambda number=number: ended_well(act, number, watched), Deadline(PATIENCE)):  # type: ignore[misc]
            what = f"{verb.__name__}, {pause:.3f} s later {way.__name__}"
            lost.append(f"{what}: {act.snapshot()}; {told_of_file(act)}")
        if chance.random() < 0.5:
            # The next one meets what this one has left behind, a date from the future for example.
            continue
        act.restart()
    return lost


def ended_well(act: Act, threads: int, watched: bool) -> bool:
    seen = act.snapshot()
    taken = seen.state is State.RUNNING and seen.threads == threads and not seen.untaken
    waits = seen.untaken is not None and seen.untaken.is_own
    return taken or (waits and not watched)
