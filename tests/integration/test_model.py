"""Whatever is done to a Venue, from whichever side: what the library says is what is so."""

from __future__ import annotations

import ast
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from backstage.events.event import Event
from backstage.facts.snapshots import Snapshot
from backstage.facts.states import PASSING, State

from .conftest import MakeVenue, told_of_file
from .model_stage import NAMES, NEWCOMER, OPERATIONS, WORKERS, Stage
from .model_truth import ActTruth, Truth, processes_of

# How long random stories are told; without it, a few that are always the same.
MINUTES = float(os.environ.get("BACKSTAGE_MODEL_MINUTES", "0"))
# One story to be told again, as it was printed.
STORY = os.environ.get("BACKSTAGE_MODEL_STORY", "")
_STABLE = 1.3
_REST = 60.0
# So long may the library and the kernel differ while nothing changes.
_DIFFER = 3.0

Step = tuple[str, str, int, float]
# Whether somebody reads the events meanwhile, then the steps up to each quiet moment.
Story = tuple[bool, list[list[Step]]]

_steps = st.tuples(
    st.sampled_from(sorted(OPERATIONS)),
    st.sampled_from(sorted(WORKERS)),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.02, 0.15, 0.4, 1.1]),
)
_chapters = st.lists(st.lists(_steps, min_size=1, max_size=4), min_size=1, max_size=3)
_stories = st.tuples(st.booleans(), _chapters)


class Listener:
    """Reads the events the whole time, in a thread of its own, or not at all."""

    def __init__(self, stage: Stage, *, reads: bool) -> None:
        self._stage = stage
        self.reads = reads
        self.last: dict[str, State] = {}
        self.faults: list[str] = []
        self._at = 0.0
        self._stream = stage.venue.events() if reads else None
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def begin(self) -> None:
        """Take for granted what is so now, at a quiet moment, and read on from here."""
        self.last = {name: self._stage.venue.act(name).state for name in NAMES}
        if self.reads:
            self._thread.start()

    def _run(self) -> None:
        assert self._stream
        try:
            for event in self._stream:
                self._take(event)
        except BaseException as error:
            self.faults.append(f"the stream raised {error!r}")
            raise

    def _take(self, event: Event) -> None:
        self._stage.note(f"    event {event}")
        if event.act not in NAMES:
            self.faults.append(f"event of something that is no Act: {event}")
        if self.last.get(event.act) is not event.before:
            self.faults.append(f"{event} comes after {self.last.get(event.act)}")
        if event.at < self._at:
            self.faults.append(f"{event} is older than the one before it")
        self.last[event.act], self._at = event.after, event.at

    def close(self) -> None:
        if self._stream:
            self._stream.close()
            self._thread.join(10)


class Disagreement(AssertionError):
    """Raised when what the library says is not what is so."""


def rest(stage: Stage, listener: Listener) -> Truth:
    """Wait until nothing passes any more, and compare."""
    deadline = time.monotonic() + _REST
    seen, since = stage.truth(), time.monotonic()
    differing: float | None = None
    while True:
        states = {name: stage.venue.act(name).state for name in NAMES}
        now = stage.truth()
        if now.identity != seen.identity or any(one.state is None for one in now.acts.values()):
            seen, since, differing = now, time.monotonic(), None
        difference = _difference(states, now, listener)
        if not difference and time.monotonic() - since >= _STABLE:
            return now
        if difference and differing is None:
            differing = time.monotonic()
        if not difference:
            differing = None
        patience = _DIFFER if states and not PASSING & set(states.values()) else 20.0
        settled = time.monotonic() - since >= _STABLE
        if settled and differing and time.monotonic() - differing > patience:
            raise Disagreement(f"{difference}\nseen: {now}")
        if time.monotonic() > deadline:
            raise Disagreement(f"never came to rest: {difference}\nseen: {now}")
        time.sleep(0.1)


def _difference(states: dict[str, State], now: Truth, listener: Listener) -> str:
    for name, one in now.acts.items():
        if one.state != str(states[name]):
            return f"{name} is {one.state} and is called {states[name]}"
        if listener.reads and listener.last[name] is not states[name]:
            return f"{name} is {states[name]} and was told to be {listener.last[name]}"
    return ""


def agree(stage: Stage, now: Truth, *, is_read: bool) -> None:
    """Every way to ask says the same; asked again where something moved meanwhile."""
    for _ in range(20):
        snapshots = {one.name: one for one in stage.venue.snapshot()}
        faults = [
            fault for name in NAMES for fault in _faults(stage, name, now.acts[name], snapshots)
        ]
        faults += [
            fault for name in NAMES for fault in _lost(stage, name, now.acts[name], is_read=is_read)
        ]
        after = stage.truth()
        if not faults:
            return
        if after.identity != now.identity:
            now = rest_again(stage)
            continue
        time.sleep(0.3)
    raise Disagreement("\n".join(faults))


def rest_again(stage: Stage) -> Truth:
    time.sleep(1.0)
    return stage.truth()


def _faults(
    stage: Stage, name: str, one: ActTruth, snapshots: dict[str, Snapshot]
) -> Iterator[str]:
    act = stage.venue.act(name)
    state, shown, snapshot, listed = act.state, repr(act), act.snapshot(), snapshots.get(name)
    if f"<Act '{name}' {state}" not in shown:
        yield f"{shown} is {state}"
    if snapshot.state is not state:
        yield f"{snapshot} is {state}"
    if (name != NEWCOMER or listed) and (listed is None or listed.state is not state):
        yield f"{listed} in the Venue's snapshot is {state}"
    if one.state == "running":
        if act.pid != one.master or snapshot.pid != one.master:
            yield f"{name}: pid {act.pid}, snapshot {snapshot.pid}, seen {one.master}"
        if act.get_uwsgi_port() != one.port or snapshot.port != one.port:
            yield f"{name}: port {act.get_uwsgi_port()}, snapshot {snapshot.port}, seen {one.port}"
    elif one.state in {"stopped", "waiting"} and act.pid is not None:
        yield f"{name} is {one.state} and has pid {act.pid}"


def _lost(stage: Stage, name: str, one: ActTruth, *, is_read: bool) -> Iterator[str]:
    """An edit is taken while somebody reads events, and otherwise it is taken or seen to wait."""
    wished = _wished_threads(stage.file(name)) if one.state == "running" else None
    if wished and one.threads != wished:
        untaken = stage.venue.act(name).snapshot().untaken
        if is_read or not untaken or not untaken.is_own:
            told = told_of_file(stage.venue.act(name))
            yield f"{name}: {one.threads} threads, not {wished}; {untaken}; {told}"


def _wished_threads(file: Path) -> int | None:
    """The threads in a good file; None in a bad one."""
    text = file.read_text()
    if "thraeds" in text or "[uwsgi]" not in text:
        return None
    if "this port is taken" in text:
        return None
    return int(text.partition("\nthreads = ")[2].split()[0])


def tell(stage: Stage, story: Story) -> None:
    """Act out a story and compare after each of its chapters."""
    is_read, chapters = story
    stage.notes.clear()
    stage.crashes.clear()
    stage.reset()
    until_running(stage)
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    try:
        with closing(Listener(stage, reads=is_read)) as listener:
            listener.begin()
            now = rest(stage, listener)
            for chapter in chapters:
                loads = {name: stage.loads(name) for name in NAMES}
                before = now
                for kind, name, variant, pause in chapter:
                    stage.do(kind, name, variant)
                    time.sleep(pause)
                stage.wake_masters()
                stage.note("quiet?")
                now = rest(stage, listener)
                agree(stage, now, is_read=is_read)
                compare_elsewhere(stage, now)
                stage.note("quiet.")
                if len(chapter) == 1:
                    judge_alone(stage, chapter[0], before, now, loads)
                assert not listener.faults, listener.faults
                assert not stage.crashes, stage.crashes
        back(threads, files + stage.held)
    except BaseException as error:
        told = "\n".join(stage.notes)
        logs = "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            for log in sorted(stage.venue.paths.log.glob("*.log"))
        )
        error.add_note(f"story: {story!r}\n{told}\n{logs}")
        raise


def judge_alone(stage: Stage, step: Step, before: Truth, now: Truth, loads: dict[str, int]) -> None:
    """What one operation may not lead to where nothing else was done at the same time."""
    kind, name, _, _ = step
    one, other = before.acts[name], now.acts[name]
    if one.state != "running":
        return
    if kind == "edit badly":
        stage.counts["bad edits of running Acts, nothing else"] += 1
        if other.master != one.master or other.processes != one.processes:
            stage.counts["bad edits that were used"] += 1
            stage.note("LOST: this bad edit was used")
    if kind in {"edit", "edit port", "edit remark", "touch"}:
        times = (stage.loads(name) - loads[name]) / WORKERS[name]
        stage.counts[f"{kind} alone: {times:g} reloads"] += 1
        if times > 2:
            raise Disagreement(f"{kind} {name} has led to {times:g} reloads")
    beside = kind == "arrive" or (kind == "debris" and step[2] < 3)
    if beside and (one.processes, one.port) != (other.processes, other.port):
        raise Disagreement(f"{kind} {name} changed {one} to {other}")


def compare_elsewhere(stage: Stage, now: Truth) -> None:
    """What was told to another process is so, too."""
    for _ in range(20):
        seen = stage.tell_other("seen").get("told")
        if not isinstance(seen, dict):
            return
        assert not seen["faults"], f"elsewhere: {seen['faults']}"
        wrong = {name: one for name, one in seen["last"].items() if now.acts[name].state != one}
        if not wrong:
            return
        time.sleep(0.3)
        now = stage.truth()
    raise Disagreement(f"another process was told {wrong}\nseen: {now}")


def back(threads: int, files: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if threading.active_count() <= threads and len(os.listdir("/proc/self/fd")) <= files:
            return
        time.sleep(0.1)
    raise Disagreement(
        f"{threads} threads have become {[t.name for t in threading.enumerate()]}, "
        f"{files} files {len(os.listdir('/proc/self/fd'))}"
    )


def until_running(stage: Stage) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = stage.truth()
        if all(now.acts[name].state == "running" for name in WORKERS) and all(
            stage.venue.act(name).state is State.RUNNING for name in WORKERS
        ):
            return
        time.sleep(0.1)
    raise Disagreement(f"the scene cannot be set: {now}")


@pytest.mark.slow
def test_what_is_seen_is_what_is_so(make_venue: MakeVenue) -> None:
    venue = make_venue()
    stage = Stage(venue)
    failures: list[str] = []
    end = time.monotonic() + MINUTES * 60

    def act_out(story: Story) -> None:
        if MINUTES and time.monotonic() > end:
            return
        stage.counts["stories"] += 1
        try:
            tell(stage, story)
        except Exception as error:
            if not MINUTES:
                raise
            failures.append(f"{error!r}\n" + "\n".join(getattr(error, "__notes__", [])))
            print("FAILURE", failures[-1], flush=True)

    phases = settings(
        max_examples=10 if MINUTES else 5,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=not MINUTES,
        suppress_health_check=list(HealthCheck),
    )
    try:
        if STORY:
            tell(stage, ast.literal_eval(STORY))
        elif not MINUTES:
            phases(given(_stories)(act_out))()
        while time.monotonic() < end:
            number = random.randrange(2**32)
            seed(number)(phases(given(_stories)(act_out)))()
        stage.tidy()
        venue.stop()
        left = processes_of(venue.path)
        assert not left, left
    finally:
        stage.end()
        print(*(f"{count:6} {kind}" for kind, count in sorted(stage.counts.items())), sep="\n")
    assert not failures, f"{len(failures)} of {stage.counts['stories']} stories failed"
