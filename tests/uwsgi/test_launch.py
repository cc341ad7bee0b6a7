"""The launch settings of an Act, written from venue.yaml for a script that cannot read it."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from backstage.errors import NotAllowed, SettingsError, UnknownUser
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.layout.settings import read_settings
from backstage.uwsgi import launch

VASSAL = "[uwsgi]\nhttp-socket = 127.0.0.1:8001\nset-placeholder = act=%n\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    paths = VenuePaths(tmp_path)
    act = paths.act("blog")
    for directory in (paths.kept, paths.vassals, paths.run, paths.log, act.top / "blog"):
        directory.mkdir(parents=True)
    act.kept.write_text(VASSAL)
    (act.top / "blog" / "wsgi.py").write_text("")
    return act


def say(act: ActPaths, settings: str) -> None:
    act.venue.settings.write_text(settings)


def told(act: ActPaths) -> dict[str, str]:
    """The settings as the script sees them: it sources the file as shell."""
    names = ("user", "uid", "gid", "home", "memory", "cpu", "tasks")
    shown = " ".join(f'"${{{name}-}}"' for name in names)
    script = f'. "$1"; printf "%s\\n" {shown}'
    done = subprocess.run(
        ["sh", "-euc", script, "sh", act.launch], capture_output=True, text=True, check=True
    )
    pairs = zip(names, done.stdout.split("\n"), strict=False)
    return {name: value for name, value in pairs if value}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("memory: 300M", {"memory": "314572800"}),
        ("memory: 2G", {"memory": "2147483648"}),
        ("cpu: 50%", {"cpu": "50000 100000"}),
        ("cpu: 150%", {"cpu": "150000 100000"}),
        ("cpu: 1%", {"cpu": "1000 100000"}),
        ("tasks: 64", {"tasks": "64"}),
        (
            "memory: 16M, cpu: 100%, tasks: 8",
            {"memory": "16777216", "cpu": "100000 100000", "tasks": "8"},
        ),
    ],
)
def test_limits_are_written_as_the_kernel_reads_them(
    act: ActPaths, limits: str, words: dict[str, str]
) -> None:
    say(act, f"acts: {{blog: {{limits: {{{limits}}}}}}}\n")
    launch.prepare(act)
    assert told(act) == words


def test_limits_of_the_venue_and_of_other_acts_are_not_the_acts(act: ActPaths) -> None:
    say(act, "limits: {memory: 2G}\nacts: {shop: {limits: {tasks: 64}}}\n")
    launch.prepare(act)
    assert not act.launch.exists()


def test_what_is_said_no_more_counts_no_more(act: ActPaths) -> None:
    say(act, "acts: {blog: {limits: {memory: 300M, tasks: 64}}}\n")
    launch.prepare(act)
    say(act, "acts: {blog: {limits: {tasks: 64}}}\n")
    launch.prepare(act)
    assert told(act) == {"tasks": "64"}
    say(act, "acts: {blog: {}}\n")
    launch.prepare(act)
    assert not act.launch.exists()
    launch.prepare(act)


def test_what_has_not_changed_is_not_written_again(act: ActPaths) -> None:
    say(act, "acts: {blog: {limits: {tasks: 64}}}\n")
    assert launch.prepare(act)
    before = act.launch.stat()
    assert not launch.prepare(act)
    after = act.launch.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    say(act, "")
    assert launch.prepare(act)
    assert not launch.prepare(act)


def test_acts_that_are_wanted_are_prepared_at_once(act: ActPaths) -> None:
    """A stopped Act is prepared when it is started, and its errors do not matter before."""
    shop = act.venue.act("shop")
    shop.vassal.write_text(VASSAL)
    text = "acts: {blog: {limits: {tasks: 64}}, shop: {limits: {tasks: 65}}, none: {}}\n"
    say(act, text)
    launch.prepare_all(act.venue, read_settings(act.venue.settings))
    assert told(shop) == {"tasks": "65"}
    assert not act.launch.exists()
    assert not act.venue.act("none").launch.exists()


def test_a_broken_venue_yaml_changes_nothing(act: ActPaths) -> None:
    say(act, "acts: {blog: {limits: {tasks: 64}}}\n")
    launch.prepare(act)
    say(act, "acts: {blog: {limits: {tasks: many}}}\n")
    with pytest.raises(SettingsError, match="line 1: tasks must be a number"):
        launch.prepare(act)
    assert told(act) == {"tasks": "64"}


def test_a_user_who_is_not_there_is_told(act: ActPaths) -> None:
    say(act, "acts: {blog: {run_as: nobody-such}}\n")
    with pytest.raises(UnknownUser, match="nobody-such"):
        launch.prepare(act)
    assert not act.launch.exists()


def test_users_take_an_emperor_of_roots(act: ActPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file changes its owner, and the error has a command to type."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    say(act, "acts: {blog: {run_as: nobody}}\n")
    with pytest.raises(NotAllowed, match=r"sudo .*backstage .*systemd install --run-as root"):
        launch.prepare(act)
    assert not act.launch.exists()
    assert act.kept.read_text() == VASSAL
    assert not act.own_run.exists()


def test_no_act_runs_as_root(act: ActPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    say(act, "acts: {blog: {run_as: root}}\n")
    with pytest.raises(NotAllowed, match="runs blog as root; name another user"):
        launch.prepare(act)
    assert not act.launch.exists()


@needs_root
def test_an_act_with_a_user_of_its_own_is_closed_to_others(act: ActPaths) -> None:
    user = pwd.getpwnam("nobody")
    outside = act.venue.top / "outside"
    outside.write_text("root's")
    (act.top / "link").symlink_to(outside)
    say(act, "acts: {blog: {run_as: nobody, limits: {tasks: 64}}}\n")
    launch.prepare(act)
    assert told(act) == {
        **{"user": "nobody", "uid": str(user.pw_uid), "gid": str(user.pw_gid)},
        **{"home": user.pw_dir, "tasks": "64"},
    }
    for path in (act.top, act.top / "blog" / "wsgi.py", act.own_run, act.own_log):
        assert path.stat().st_uid == user.pw_uid
    assert (act.top / "link").lstat().st_uid == user.pw_uid
    assert outside.stat().st_uid == 0
    for path, mode in ((act.top, 0o710), (act.own_run, 0o710), (act.own_log, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert act.stats.parent == act.own_run
    assert act.log.parent == act.own_log


@needs_root
def test_what_orders_how_an_act_is_launched_stays_roots(act: ActPaths) -> None:
    say(act, "acts: {blog: {run_as: nobody}}\n")
    launch.prepare(act)
    for path in (act.launch, act.kept, act.venue.kept, act.venue.vassals, act.venue.acts):
        assert path.stat().st_uid == 0


@needs_root
def test_an_act_with_a_user_of_its_own_leaves_its_port(act: ActPaths) -> None:
    """A port is open to every local user; the rest of the file stays unchanged."""
    say(act, "acts: {blog: {run_as: nobody}}\n")
    launch.prepare(act)
    text = act.kept.read_text()
    assert f"http-socket = {act.own_run}/http.sock\n" in text
    assert "8001" not in text
    assert "set-placeholder = act=%n\n" in text
    assert text.count("chmod-socket = 666") == 1
    launch.prepare(act)
    assert act.kept.read_text() == text


def test_what_is_written_is_no_code(act: ActPaths) -> None:
    """Every value is quoted: the script that reads it runs as root."""
    say(act, "acts: {blog: {limits: {memory: 300M, cpu: 50%, tasks: 64}}}\n")
    launch.prepare(act)
    lines = [line for line in act.launch.read_text().splitlines() if not line.startswith("#")]
    assert all(len(shlex.split(line)) == 1 for line in lines)
