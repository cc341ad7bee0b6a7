"""venue.yaml: valid settings, and the errors for invalid ones."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.errors import SettingsError
from backstage.facts.health import HealthCheck
from backstage.facts.notices import Target
from backstage.layout.settings import (
    ActSettings,
    Limits,
    Logs,
    Settings,
    lines_of_acts,
    read_settings,
)
from backstage.layout.shipped_files import configuration

# Python reads no number of so many digits.
HUGE = "9" * 5_000
# Each list names the one above it ten times: 10^30 values in all.
BOMB = "#\na: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise([chr(97 + number) for number in range(26)])
)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", range(8001, 9000)),
        ("# nothing but a comment\n", range(8001, 9000)),
        ("ports: 9000-9010\n", range(9000, 9011)),
        ("ports: 9000 - 9010  # ours\n", range(9000, 9011)),
        ("ports: '9000-9010'\n", range(9000, 9011)),
        ("ports: 9000-9000\n", range(9000, 9001)),
        ("ports: 1024-65535\n", range(1024, 65536)),
    ],
)
def test_what_it_may_say(tmp_path: Path, text: str, ports: range) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    assert read_settings(path) == Settings(ports=ports)


@pytest.mark.parametrize(
    ("text", "watcher"), [("", True), ("watcher: on\n", True), ("watcher: off\n", False)]
)
def test_whether_there_is_a_watcher(tmp_path: Path, text: str, watcher: bool) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    assert read_settings(path).watcher is watcher


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{}", Limits()),
        ("{memory: 300M}", Limits(memory=300 * 1024**2)),
        ("{memory: 2G}", Limits(memory=2 * 1024**3)),
        ("{memory: 1T}", Limits(memory=1024**4)),
        ("{memory: 16384K}", Limits(memory=16 * 1024**2)),
        ("{memory: 16777216}", Limits(memory=16 * 1024**2)),
        ("{cpu: 1%}", Limits(cpu=1)),
        ("{cpu: '150%'}", Limits(cpu=150)),
        ("{tasks: 8}", Limits(tasks=8)),
        ("{memory: 2G, cpu: 50%, tasks: 64}", Limits(2 * 1024**3, 50, 64)),
    ],
)
def test_how_much_may_be_used(tmp_path: Path, text: str, limits: Limits) -> None:
    """The limits of the whole Venue and of an Act have the same format."""
    path = tmp_path / "venue.yaml"
    path.write_text(f"limits: {text}\nacts:\n  blog:\n    limits: {text}\n")
    settings = read_settings(path)
    assert settings.limits == limits
    assert settings.act("blog") == ActSettings(limits=limits)
    assert bool(settings.limits) == (text != "{}")


@pytest.mark.parametrize(
    ("text", "logs"),
    [("files", Logs.FILES), ("journal", Logs.JOURNAL), ("'journal'", Logs.JOURNAL)],
)
def test_where_logs_go(tmp_path: Path, text: str, logs: Logs) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(f"logs: {text}\n")
    assert read_settings(path) == Settings(logs=logs)
    assert str(logs) == text.strip("'")


@pytest.mark.parametrize("name", ["blog", "_apt", "www-data", "a", "machine$", "u" * 31])
def test_who_an_act_runs_as(tmp_path: Path, name: str) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(f"acts: {{blog: {{run_as: {name}}}, shop: {{}}}}\n")
    settings = read_settings(path)
    assert settings.act("blog").run_as == name
    assert settings.act("shop") == settings.act("nobody's") == ActSettings()


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("/up", HealthCheck(path="/up")),
        ("none", HealthCheck()),
        ("{path: /, status: 204}", HealthCheck(path="/", status=204)),
        ("{path: '/a?b=c', text: all good}", HealthCheck(path="/a?b=c", text="all good")),
        (
            "{command: bin/ok --now, timeout: 2.5s}",
            HealthCheck(command="bin/ok --now", timeout=2.5),
        ),
    ],
)
def test_how_an_act_is_asked_for_its_health(tmp_path: Path, text: str, check: HealthCheck) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(f"acts:\n  blog:\n    health: {text}\n")
    settings = read_settings(path)
    assert settings.act("blog").health == check
    assert bool(check) == (text != "none")
    assert settings.act("shop").health is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("up", "a health path must begin with / and have no spaces, not 'up'"),
        ("['/up']", "health must be lines of `key: value`"),
        ("{status: 200}", "health must have either a path or a command"),
        ("{path: /, command: x}", "health must have either a path or a command"),
        ("{command: x, text: y}", "status and text apply to a path, not to a command"),
        ("{path: /, status: ok}", "status must be an HTTP status such as 204, not 'ok'"),
        ("{path: /, timeout: 0}", "timeout must be seconds, up to 60, not '0'"),
        ("{command: ''}", "text and command must be one line, not ''"),
    ],
)
def test_a_health_check_that_cannot_be(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(f"ports: 8001-8999\nacts:\n  blog:\n    health: {text}\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert (caught.value.line, caught.value.why) == (4, why)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("# ours\n\nport: 8001-8999\n", 3, "unknown key 'port'; known keys: ports"),
        ("ports: 8001-8999\nworkers: 4\n", 2, "unknown key 'workers'"),
        ("ports: 8001\n", 1, "a range such as 8001-8999"),
        ("ports:\n", 1, "a range such as"),
        ("ports: [8001, 8002]\n", 1, "a range such as"),
        ("ports: 8001-8002-8003\n", 1, "a range such as"),
        ("ports: -1-8003\n", 1, "a range such as"),
        ("ports: a-b\n", 1, "a range such as"),
        ("#\nports: 8999-8001\n", 2, "ports 8999-8001 is not an ascending range"),
        ("ports: 1023-8001\n", 1, "within 1024-65535"),
        ("ports: 8001-65536\n", 1, "within 1024-65535"),
        ("- ports\n", 1, "lines of `key: value`"),
        ("\nports\n", 2, "lines of `key: value`"),
        ("ports: 8001-8999\n  more: [\n", 2, "not valid YAML"),
        ("ports: 'open\n", 2, "not valid YAML"),
        ("ports: *unknown\n", 1, "not valid YAML"),
        ("ports: a\n---\nports: b\n", 2, "not valid YAML"),
        ("#\nports: \0\n", 2, r"not valid YAML: it has the character '\x00'"),
        ("ports: 8001-8999\n#\nports: 9001-9999\n", 3, "'ports' is already in line 1; remove one"),
        ("limits:\n  cpu: 50%\n  'cpu': 150%\n", 3, "'cpu' is already in line 2"),
        ("acts:\n  blog: {}\n  shop: {}\n  blog: {}\n", 4, "'blog' is already in line 2"),
        ("acts: {blog: {health: {path: /, path: /up}}}\n", 1, "'path' is already in line 1"),
        (f"#\nports: {HUGE}-{HUGE}\n", 2, "a range such as 8001-8999"),
        (f"limits:\n  memory: {HUGE}\n", 2, "memory must be a size of at least 16M"),
        ("limits: {memory: 999999999T}\n", 1, "memory must be a size below 8388608T"),
        (f"limits: {{cpu: {HUGE}%}}\n", 1, "cpu must be a share"),
        (f"limits: {{tasks: {HUGE}}}\n", 1, "tasks must be a number"),
        (f"give_up_after: {HUGE}\n", 1, "give_up_after must be a number"),
        (f"drain: {HUGE}s\n", 1, "drain must be seconds"),
        (f"acts: {{blog: {{health: {{path: /, status: {HUGE}}}}}}}\n", 1, "an HTTP status"),
        ("limits: {tasks: ٣٣}\n", 1, "tasks must be a number"),
        (f"%YAML {HUGE}.1\n---\nports: a\n", 1, "a number in it is too large"),
        ('#\nports: "\\UFFFFFFFF"\n', 2, "a number in it is too large"),
        (f"#\nports: {'[' * 100_000}\n", 2, "it is nested too deep"),
        (f"#\nports:\n{'- ' * 5_000}a\n", 3, "it is nested too deep"),
        (BOMB, 2, "unknown key 'a'"),
        ("acts: &all\n  blog: *all\n", 2, "unknown key 'blog'"),
        (f"#\n{'x' * 900}: 1\n", 2, "unknown key 'xxx"),
        ("acts: {blog: {health: {path: /, text: 'a\\0b'}}}\n".replace("'", '"'), 1, "one line"),
        ('notify: [{command: "/bin/a \\uD800"}]\n', 1, "one line"),
        ("#\nlimits:\n", 2, "limits must be lines of `key: value`"),
        ("limits: 2G\n", 1, "limits must be lines of `key: value`"),
        ("limits:\n  memory: 2G\n  disk: 2G\n", 3, "'disk'; known keys: memory, cpu, tasks"),
        (
            "limits:\n  memory: much\n",
            2,
            "memory must be a size of at least 16M, such as 300M or 2G",
        ),
        ("limits: {memory: 300MB}\n", 1, "memory must be a size of"),
        ("limits: {memory: 300m}\n", 1, "memory must be a size of"),
        ("limits: {memory: 1.5G}\n", 1, "memory must be a size of"),
        ("limits: {memory: -2G}\n", 1, "memory must be a size of"),
        ("limits: {memory: 0}\n", 1, "not '0'"),
        ("limits: {memory: 16383K}\n", 1, "not '16383K'"),
        ("limits: {memory: }\n", 1, "memory must be a size of"),
        ("limits: {memory: [2G]}\n", 1, "memory must be a size of"),
        ("limits:\n  cpu: 50\n", 2, "cpu must be a share of one processor, such as 50%, not '50'"),
        ("limits: {cpu: 0%}\n", 1, "cpu must be a share"),
        ("limits: {cpu: 0.5%}\n", 1, "cpu must be a share"),
        ("limits: {cpu: half}\n", 1, "cpu must be a share"),
        ("limits: {cpu: {}}\n", 1, "cpu must be a share"),
        ("limits:\n\n  tasks: 7\n", 3, "tasks must be a number, at least 8, not '7'"),
        ("limits: {tasks: many}\n", 1, "tasks must be a number"),
        ("limits: {tasks: -8}\n", 1, "tasks must be a number"),
        ("limits: {tasks: 64%}\n", 1, "tasks must be a number"),
        ("limits: {tasks: []}\n", 1, "tasks must be a number"),
        ("#\ngive_up_after: 0\n", 2, "give_up_after must be a number from 1 to 1000, or never"),
        ("give_up_after: often\n", 1, "give_up_after must be a number"),
        ("give_up_after: 1001\n", 1, "give_up_after must be a number"),
        ("give_up_after: [10]\n", 1, "give_up_after must be a number"),
        ("acts:\n  blog:\n    give_up_after: -1\n", 3, "give_up_after must be a number"),
        ("#\nlogs: syslog\n", 2, "logs must be files or journal, not 'syslog'"),
        ("logs:\n", 1, "logs must be files or journal"),
        ("logs: [journal]\n", 1, "logs must be files or journal"),
        ("ports: 8001-8999\nwatcher: maybe\n", 2, "watcher must be on or off, not 'maybe'"),
        ("watcher: [on]\n", 1, "watcher must be on or off, not a list"),
        ("acts: blog\n", 1, "acts must be lines of `key: value`"),
        ("acts:\n  blog:\n", 2, "the settings of blog must be lines of `key: value`"),
        (
            "acts:\n  blog:\n    port: 8001\n",
            3,
            "'port'; known keys: run_as, limits, give_up_after",
        ),
        ("acts:\n  blog:\n    run_as:\n", 3, "run_as must be the name of a user, not ''"),
        ("acts:\n  blog:\n    run_as: 1000\n", 3, "run_as must be the name of a user, not '1000'"),
        ("acts: {blog: {run_as: Blog}}\n", 1, "run_as must be the name of a user"),
        ("acts: {blog: {run_as: a b}}\n", 1, "run_as must be the name of a user"),
        ("acts: {blog: {run_as: $(id)}}\n", 1, "run_as must be the name of a user"),
        ("acts: {blog: {run_as: 'a;b'}}\n", 1, "run_as must be the name of a user"),
        ("acts: {blog: {run_as: [blog]}}\n", 1, "run_as must be the name of a user"),
        ("acts:\n  shop: {}\n  blog:\n    limits:\n      cpu: x\n", 5, "cpu must be a share"),
        ("drain: long\n", 1, "drain must be seconds, up to 60, not 'long'"),
        ("drain: 61s\n", 1, "drain must be seconds, up to 60, not '61s'"),
        ("acts: {blog: {health: {path: /, host: a b}}}\n", 1, "host must be a host name"),
        ("? [ports]\n: 8001-8002\n", 1, "lines of `key: value`"),
        ("acts:\n  ? {a: b}\n  : {}\n", 2, "acts must be lines of `key: value`"),
    ],
)
def test_what_it_may_not_say(tmp_path: Path, text: str, line: int | None, why: str) -> None:
    """The error names the file and the line."""
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert why in caught.value.why
    assert len(caught.value.why) < 300
    assert "Node" not in caught.value.why, "in the words of who wrote it"
    assert str(caught.value).startswith(f"{path}, line {line}:" if line else f"{path}:")


def test_a_file_in_another_encoding_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_bytes("# für uns\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="line 1: not valid YAML: it is not UTF-8"):
        read_settings(path)


def test_a_file_longer_than_settings_can_be_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SettingsError, match="is longer than 1024 KB"):
        read_settings(path)


def test_a_part_may_be_written_once_for_many(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text("limits: &few {memory: 300M}\nacts:\n  blog: {limits: *few}\n")
    settings = read_settings(path)
    assert settings.limits == settings.act("blog").limits == Limits(memory=300 * 1024**2)


@given(st.binary(max_size=200) | st.text(alphabet=" \t\n-:[]{}&*!|>'\"%@`#?,.\\aU0", max_size=80))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, held: bytes | str) -> None:
    path = tmp_path / "venue.yaml"
    path.write_bytes(held if isinstance(held, bytes) else held.encode())
    with suppress(SettingsError):
        assert isinstance(read_settings(path), Settings)


def test_the_lines_of_the_acts_are_known(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text("ports: 8001-8999\n\nacts:\n  blog: {}\n  shop:\n    run_as: shop\n")
    assert lines_of_acts(path) == {"blog": 4, "shop": 5}
    path.write_text("")
    assert lines_of_acts(path) == {}


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "venue.yaml", tmp_path / "trace"
    path.write_text(f"ports: !!python/object/apply:os.mkdir ['{trace}']\n")
    with pytest.raises(SettingsError):
        read_settings(path)
    assert not trace.exists()


def test_the_shipped_file_says_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(configuration("emperor", "venue.yaml", ports="8001-8999"))
    assert read_settings(path) == Settings()


@pytest.mark.parametrize(
    ("text", "blog", "shop"),
    [
        ("", 0, 0),
        ("give_up_after: never\n", 0, 0),
        ("give_up_after: 10\n", 10, 10),
        ("give_up_after: 10\nacts:\n  blog: {give_up_after: never}\n", 0, 10),
        ("acts:\n  blog: {give_up_after: 3}\n  shop: {run_as: shop}\n", 3, 0),
    ],
)
def test_after_how_many_failures_an_act_is_given_up(
    tmp_path: Path, text: str, blog: int, shop: int
) -> None:
    """The Act's own number counts, else the Venue's; never unless one is given."""
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    settings = read_settings(path)
    assert (settings.give_up("blog"), settings.give_up("shop")) == (blog, shop)


def test_acts_can_be_drained_before_a_stop_and_asked_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text("drain: 2s\nacts: {blog: {health: {path: /up, host: example.org}}}\n")
    settings = read_settings(path)
    assert settings.drain == 2
    assert settings.act("blog").health == HealthCheck(path="/up", host="example.org")


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("", ()),
        ("notify: []\n", ()),
        ("notify:\n- json://127.0.0.1:80/x\n", (Target(url="json://127.0.0.1:80/x"),)),
        (
            "notify: ['mailto://a:b@c?to=d', {command: 'page -x'}]\n",
            (Target(url="mailto://a:b@c?to=d"), Target(command="page -x")),
        ),
    ],
)
def test_who_is_told_of_trouble(tmp_path: Path, text: str, targets: tuple[Target, ...]) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    assert read_settings(path).notify == targets


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("notify: json://secret\n", 1, "a list of URLs and commands, not a single value"),
        ("notify: {command: secret}\n", 1, "a list of URLs and commands, not a mapping"),
        ("notify:\n- json://x\n- secret@example.org\n", 3, "must be a URL such as"),
        ("notify:\n- 'json://secret secret'\n", 2, "must be a URL such as"),
        ("notify:\n- []\n", 2, "must be a URL such as"),
        ("notify:\n- {url: json://secret}\n", 2, "unknown key 'url'; known keys: command"),
        ("notify:\n- {}\n", 2, "must be a URL, or `command: …`"),
        ("notify:\n- {command: ' '}\n", 2, "must be one line"),
        ("notify:\n" + "- json://x\n" * 21, 2, "at most 20 targets"),
        (f"notify:\n- command: {'x' * 1001}\n", 2, "at most 1000 characters"),
    ],
)
def test_a_target_that_cannot_be(tmp_path: Path, text: str, line: int, why: str) -> None:
    """Its line is named; what may be a password is not repeated."""
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(why)) as told:
        read_settings(path)
    assert f"line {line}:" in str(told.value)
    assert "secret" not in str(told.value)
