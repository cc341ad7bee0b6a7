"""What a user, a file or another process can do to a Venue: every command tells it in a sentence.

Each command meets each kind of state; the many states of single files take turns with the commands.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from backstage.cli.program import SECTIONS, program
from backstage.errors import SettingsError, SystemRefused
from backstage.shortcuts import use_venue
from backstage.system import users
from backstage.venue import Venue
from tests.cli import broken_venues, calls
from tests.cli.calls import NOBODY, Call

pytestmark = pytest.mark.slow

# Every command with what it can be told; none changes anything outside of the Venue and the home.
CALLS = (
    *("new-venue V {above} --no-start", "new-act more", "new-act blog", "retire blog --yes"),
    *("rename blog store", "deploy blog", "rollback blog", "releases blog"),
    *("upgrade --dry-run", "upgrade", "upgrade --all", "start blog --wait 0", "start --all"),
    *("stop blog --wait 1", "stop shop", "restart blog --wait 1", "drain blog", "undrain blog"),
    *("venue start", "venue stop", "venue info", "status", "status blog", "top", "logs"),
    *("logs shop --since 1d", "logs --emperor", "events --timeout 0", "events --since 1d"),
    *("notify test", "doctor", "venues", "manage blog check", "edit blog", "env blog"),
    *("env blog set A=b", "env blog unset A", "systemd show", "systemd status"),
    *("systemd uninstall --yes", "nginx show", "nginx show blog", "nginx check"),
    *("nginx bind blog x.test", "nginx unbind blog", "open blog", "url blog", "port blog"),
    *("relocate --dry-run", "relocate", "unretire blog", "completion bash"),
)
# The states of single files take turns: each meets one of so many commands, and so does each other.
TURNS = 24
# The states of who calls: each meets one of so many commands.
CALLERS_TURNS = 3


@dataclass(frozen=True)
class Stage:
    """Where the Venues are made, broken and removed; `user` is who calls, None for this one."""

    top: Path
    model: Path
    user: int | None
    env: dict[str, str]

    def meet(
        self,
        breaks: Callable[[Path], object],
        commands: Sequence[str],
        before: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[str, Call]]:
        """What comes of these commands, each in a Venue of its own that was broken like this."""
        broken, venue = self.top / "broken", self.top / "home" / "V"
        broken_venues.copy(self.model, broken, None)
        breaks(broken)
        for number, command in enumerate(commands):
            broken_venues.copy(broken, venue, self.user)
            words = ["--venue", str(venue), *command.format(above=venue.parent).split()]
            # With --json, and without: it is decided for each command anew.
            words[:0] = ["--json"] if (number + len(str(broken))) % 2 else []
            yield (
                command,
                calls.call(words, cwd=self.top, env=self.env, user=self.user, before=before),
            )
            broken_venues.remove(venue)
        broken_venues.remove(broken)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Root, who may read everything, calls as another user."""
    calls.load_everything()
    user = None if os.geteuid() else NOBODY
    if user is not None and (why := calls.why_not_as_nobody()):
        pytest.skip(why)
    # Not in pytest's own directory, which nobody else may enter.
    top = Path(tempfile.mkdtemp(prefix="bs-broken-")).resolve()
    top.chmod(0o755)
    # Where the copies will be, as a Venue knows where it was made.
    broken_venues.build(top / "home" / "V")
    (top / "home" / "V").rename(top / "model")
    os.chown(top / "home", *(user or os.geteuid(), -1))
    env = {
        **{"HOME": str(top / "home"), "PATH": os.environ["PATH"], "EDITOR": "true"},
        # Neither a browser nor systemd is to be reached.
        **{"BROWSER": "true", "XDG_RUNTIME_DIR": "/nonexistent"},
    }
    yield Stage(top, top / "model", user, env)
    broken_venues.remove(top)


def flaw(command: str, call: Call, *, told: bool = True) -> str:
    """What is wrong with how a command ended; '' if nothing is. `told`: it could tell something."""
    if call.code is None:
        return "it did not end"
    if "Traceback" in call.out + call.err:
        return call.err
    if call.code not in exits(command) and not command.startswith("manage "):
        return f"the exit code {call.code} is not declared: {call.err}"
    if "[Errno" in call.out + call.err:
        return f"it is told as Python would: {call.out}{call.err}"
    return flaw_of_words(call) if told else ""


def flaw_of_words(call: Call) -> str:
    if call.out.startswith("{"):
        envelopes = [json.loads(line) for line in call.out.splitlines()]
        if any(each["backstage"] != 1 or "ok" not in each for each in envelopes):
            return f"not an envelope: {call.out}"
        return "" if call.code == 0 or not all(each["ok"] for each in envelopes) else call.out
    errors = sum(line.startswith("backstage: ") for line in call.err.splitlines())
    if errors > 1 or (call.code and not errors and not call.out and not call.err):
        return f"{errors} errors, exit code {call.code}: {call.err}"
    return ""


def exits(command: str) -> set[int]:
    found = program.get_command(click.Context(program), command.split()[0])
    assert found is not None
    return {*getattr(found, "exits")}  # noqa: B009 - only ours have it


def flaws(found: Iterator[tuple[str, Call]], *, told: bool = True) -> dict[str, str]:
    judged = {command: flaw(command, call, told=told) for command, call in found}
    return {command: what for command, what in judged.items() if what}


def nothing(_: object = None) -> None:
    """Breaks nothing."""


def test_every_command_is_called() -> None:
    called = {command.split()[0] for command in CALLS}
    assert called == {name for rows in SECTIONS.values() for name in rows}


def test_every_command_with_nothing_wrong(stage: Stage) -> None:
    """So that what the others tell is due to what is broken."""
    met = dict(stage.meet(nothing, CALLS))
    assert flaws(iter(met.items())) == {}
    assert met["status"].code == 1
    assert met["venue info"].code == 0


@pytest.mark.parametrize("number", range(len(broken_venues.EVERY)), ids=broken_venues.ids())
def test_what_is_wrong_with_a_file_or_a_directory(stage: Stage, number: int) -> None:
    state = broken_venues.EVERY[number]
    turn = CALLS if state in broken_venues.MET_BY_ALL else CALLS[number % TURNS :: TURNS]
    assert flaws(stage.meet(state.apply, turn)) == {}


# What is wrong with the process that calls


def no_home() -> None:
    del os.environ["HOME"]


def home_is_a_file() -> None:
    os.environ["HOME"] = "/etc/passwd"


def home_of_another() -> None:
    os.environ["HOME"] = "/"


def register_is_broken() -> None:
    state = Path(os.environ["HOME"], "state", "django-backstage")
    state.mkdir(parents=True, exist_ok=True)
    (state / "venues").write_text("not a directory\n")
    os.environ["XDG_STATE_HOME"] = str(state.parent)


def removed_directory() -> None:
    place = Path(os.environ["HOME"], "removed")
    place.mkdir(exist_ok=True)
    os.chdir(place)
    place.rmdir()


def no_path() -> None:
    os.environ["PATH"] = ""


def odd_locale() -> None:
    os.environ.update(LC_ALL="xx_YY.nonsense", LANG="tlh", PYTHONIOENCODING="ascii")


def full_disk() -> None:
    """As near to one as a process comes by itself: no file may grow."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))


def hardly_any_file() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


CALLERS = (
    *(no_home, home_is_a_file, home_of_another, register_is_broken, removed_directory, no_path),
    *(odd_locale, few_files, hardly_any_file),
)


@pytest.mark.parametrize("number", range(len(CALLERS)), ids=[each.__name__ for each in CALLERS])
def test_what_is_wrong_with_who_calls(stage: Stage, number: int) -> None:
    turn = CALLS[number % CALLERS_TURNS :: CALLERS_TURNS]
    assert flaws(stage.meet(nothing, turn, CALLERS[number])) == {}


def without_output() -> None:
    """As after `>&-`: Python then has no such stream."""
    os.close(1)
    sys.stdout = None  # type: ignore[assignment]


def without_errors() -> None:
    os.close(2)
    sys.stderr = None  # type: ignore[assignment]


def without_any_stream() -> None:
    without_output()
    without_errors()
    os.close(0)
    sys.stdin = None  # type: ignore[assignment]


def to_a_full_disk() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def to_nobody() -> None:
    """As after `| true`: what reads has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)


OUTPUTS = (without_output, without_errors, without_any_stream, to_a_full_disk, to_nobody)


@pytest.mark.parametrize("number", range(len(OUTPUTS)), ids=[each.__name__ for each in OUTPUTS])
def test_where_nobody_reads_what_is_told(stage: Stage, number: int) -> None:
    turn = CALLS[number % CALLERS_TURNS :: CALLERS_TURNS]
    assert flaws(stage.meet(nothing, turn, OUTPUTS[number]), told=False) == {}


def test_a_disk_that_is_full(stage: Stage) -> None:
    """As near as a process comes to one by itself: no file may grow, nor what the calls tell."""
    assert flaws(stage.meet(nothing, CALLS, full_disk), told=False) == {}


# What is wrong with what is named


def test_where_there_is_no_venue(stage: Stage) -> None:
    home = stage.top / "home"
    (home / "file").touch()
    (home / "loop").symlink_to("loop")
    (home / "empty").mkdir()
    places = (
        *("", "/nowhere", f"{home}/file", f"{home}/file/below", f"{home}/loop", f"{home}/empty"),
        *("~nobody-at-all/V", "x" * 300, "/x" * 3000, "\udcff", "/proc/self/mem", "a\nb", "-x"),
        *("/root/V", "/etc", "/dev/null", "//", "."),
    )
    found = [
        (
            f"{words[0]} {place[:40]!r}",
            calls.call(
                [*words, "--venue", place], cwd=home / "empty", env=stage.env, user=stage.user
            ),
        )
        for place in places
        for words in (["status"], ["new-act", "--json", "more"], ["venue", "stop"], ["doctor"])
    ]
    assert flaws(iter(found)) == {}
    assert {command: call.err for command, call in found if call.code not in {3, 6}} == {}


ODD_NAMES = (
    *("-x", "a b", "two\nlines", "\udcff\udcfe", "..", "x" * 251, "ünï", "a;b", "$(id)", "{x}"),
    *("%", "\u202e", "\x1b[31m", "'\""),
)


def test_vassal_files_with_odd_names(stage: Stage) -> None:
    def add(venue: Path) -> None:
        for name in ODD_NAMES:
            (venue / "vassals" / f"{name}.ini").write_text("[uwsgi]\nhttp-socket = :x\n")

    assert flaws(stage.meet(add, CALLS)) == {}


@pytest.mark.parametrize(
    "option", ["--wait nan", "--wait inf", "--wait -1", "--wait 1e300", "--wait x"]
)
def test_what_is_no_time_to_wait(stage: Stage, option: str) -> None:
    commands = [f"{verb} blog {option}" for verb in ("start", "stop", "restart", "drain")]
    met = dict(stage.meet(nothing, commands))
    assert flaws(iter(met.items())) == {}
    assert {call.code for call in met.values()} == {2}


# Half-built ones, and those of others


def test_a_half_built_venue(stage: Stage) -> None:
    def unfinish(venue: Path) -> None:
        (venue / ".building").touch()

    met = dict(stage.meet(unfinish, CALLS))
    assert flaws(iter(met.items())) == {}
    assert met["status"].code == 3


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_venue_of_another_user(stage: Stage, mode: int) -> None:
    """It is told whose it is, and what to type."""
    if os.geteuid():
        pytest.skip("only root can make a Venue of another user's")
    venue = stage.top / "home" / "V"
    broken_venues.copy(stage.model, venue, None)
    venue.chmod(mode)
    met = {
        command: calls.call(
            ["--venue", str(venue), *command.format(above=venue.parent).split()],
            cwd=stage.top,
            env=stage.env,
            user=stage.user,
        )
        for command in CALLS
    }
    broken_venues.remove(venue)
    assert flaws(iter(met.items())) == {}
    elsewhere = ("completion bash", "venues", "upgrade --all", "new-venue")
    others = {command: call for command, call in met.items() if not command.startswith(elsewhere)}
    told = {
        command: f"backstage: {venue} belongs to root, and only root can do that; you are nobody. "
        f"Type: sudo -u root {users.program()} --venue {venue} {command}\n"
        for command in others
    }
    assert {command: call.err for command, call in others.items()} == told
    assert {call.code for call in others.values()} == {6}


# The library


@pytest.mark.parametrize("path", ["", ".emperor.lock"])
def test_the_library_raises_errors_of_its_own(stage: Stage, path: str) -> None:
    """Where the operating system refuses: nobody has to know which of its errors to expect."""
    venue = stage.top / "home" / "V"
    broken_venues.copy(stage.model, venue, stage.user)

    def told(work: Callable[[Venue], object]) -> str:
        opened = use_venue(venue)
        (venue / path).chmod(0)
        try:
            work(opened)
        except SystemRefused as error:
            return f"{type(error).__name__} {error.errno}"
        except SettingsError as error:
            return f"{type(error).__name__} {getattr(error.__cause__, 'errno', None)}"
        finally:
            (venue / path).chmod(0o700)
        return "nothing"

    def all_told() -> int:
        works: tuple[Callable[[Venue], object], ...] = (
            lambda _: use_venue(venue),
            Venue.snapshot,
            Venue.start,
            Venue.stop,
            lambda opened: opened.act("blog").start(),
            lambda opened: opened.act("blog").state,
            lambda opened: opened.act("blog").restart(check=False),
            lambda opened: opened.watcher,
        )
        print(json.dumps([told(work) for work in works]))
        return 0

    call = calls.call([], env=stage.env, user=stage.user, work=all_told)
    broken_venues.remove(venue)
    assert call.err == "", call.err
    assert {each.split()[1] for each in json.loads(call.out)} == {str(errno.EACCES)}
