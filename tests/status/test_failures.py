"""Why an Act does not run: its logs, its vassal file and its port, put together to one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from backstage.layout.paths import ActPaths, VenuePaths
from backstage.status import failures
from backstage.status.evidence import BEGINNING, Kernel, LogMark, gather, log_mark
from backstage.uwsgi.ini import Address
from tests.conftest import Listen, Spawn

VASSAL = """\
# The Act blog.
[uwsgi]
http-socket = 127.0.0.1:8001

set-placeholder = act=%n
"""
MINE = "[uWSGI] getting INI configuration from blog.ini\n"
OTHER = "[uWSGI] getting INI configuration from shop.ini\n"
GONE = """\
Sun Nov 22 18:58:26 2026 - [emperor] curse the uwsgi instance blog.ini (pid: 810)
Sun Nov 22 18:58:26 2026 - [emperor] removed uwsgi instance blog.ini
"""
UNKNOWN = "[strict-mode] unknown config directive: threds\n"
START = """\
2026-11-22 19:03:33 - *** Starting uWSGI 2.0.31 (64bit) on [Sun Nov 22 19:03:33 2026] ***
2026-11-22 19:03:33 - spawned uWSGI master process (pid: 810)
2026-11-22 19:03:33 - spawned uWSGI worker 1 (pid: 812, cores: 4)
"""
READY = "2026-11-22 19:03:34 - WSGI app 0 (mountpoint='') ready in 1 seconds on interpreter 0x7f\n"
KILLED = (
    "2026-11-22 19:03:40 - DAMN ! worker 1 (pid: 812) died, killed by signal 9 :( trying respawn\n"
)
SEGFAULT = """\
2026-11-22 19:03:29 - !!! uWSGI process 812 got Segmentation Fault !!!
2026-11-22 19:03:30 - DAMN ! worker 1 (pid: 812) died :( trying respawn ...
"""
OVERDUE = """\
2026-11-22 19:03:18 - *** HARAKIRI ON WORKER 1 (pid: 812, try: 1, graceful: yes) ***
2026-11-22 19:03:18 - HARAKIRI [core 0] 127.0.0.1 - GET /slow since 1795374196
"""
ENDED = "2026-11-22 18:58:20 - DAMN ! worker 1 (pid: 812) died :( trying respawn ...\n"
RELOADED = """\
2026-11-22 19:03:23 - binary reloading uWSGI...
[uWSGI] getting INI configuration from blog.ini
"""
STOPPED = "2026-11-22 18:58:15 - goodbye to uWSGI.\n"
BROKEN = """\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/settings.py", line 4, in <module>
    import shpo
ModuleNotFoundError: No module named 'shpo'
2026-11-22 16:17:56 - unable to load app 0 (mountpoint='') (callable not found or import error)
2026-11-22 16:17:56 - *** no app loaded. GAME OVER ***
2026-11-22 16:17:56 - OOPS ! failed loading app in worker 1 (pid 812)
"""
NO_MODULE = (
    "ModuleNotFoundError: No module named 'shpo' (/srv/V/acts/blog/blog/settings.py, line 4)"
)
WORKER = "worker 1 (pid 812)"


def why_failing(act: ActPaths, address: Address | None, since: LogMark = BEGINNING) -> str:
    return failures.why_failing(gather(act, since), address)


def why_ended(act: ActPaths, pids: Iterable[int]) -> str:
    return failures.why_ended(gather(act), pids)


def taken(port: int) -> str:
    return f"""\
2026-11-22 16:18:12 - *** Starting uWSGI 2.0.31 (64bit) on [Sun Nov 22 16:18:12 2026] ***
2026-11-22 16:18:12 - probably another instance of uWSGI is running on the same address \
(127.0.0.1:{port}).
2026-11-22 16:18:12 - bind(): Address already in use [core/socket.c line 769]
2026-11-22 16:18:12 - unlink(): No such file or directory [core/uwsgi.c line 1687]
"""


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    """An Act of which there are files only."""
    paths = VenuePaths(tmp_path).act("blog")
    for directory in ("vassals", "kept", "log", "templates", "bin"):
        (tmp_path / directory).mkdir()
    (tmp_path / "bin/uwsgi").touch()
    paths.vassal.write_text(VASSAL)
    return paths


@pytest.fixture(autouse=True)
def no_such_pids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the pids of these logs on this machine has nothing to do with them."""
    monkeypatch.setattr(Kernel, "killed_for_memory", set())
    monkeypatch.setattr(Kernel, "is_alive", lambda *_: False)


def write(act: ActPaths, own: str = "", emperors: str = "") -> None:
    if own:
        act.log.write_text(own)
    act.venue.emperor_log.write_text(emperors)


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ("", ""),
        (START + READY, "the master (pid 810) was killed"),
        (START + READY + STOPPED, ""),
        (START + BROKEN, NO_MODULE),
        (START + BROKEN + START + READY + STOPPED, ""),
        (START + BROKEN + START, "the master (pid 810) was killed"),
        (START + READY + KILLED, f"{WORKER} was killed by signal 9"),
        (
            START + READY + OVERDUE + KILLED,
            f"{WORKER} was killed by signal 9 (harakiri: GET /slow ",
        ),
        (START + READY + SEGFAULT, f"{WORKER} was killed by signal 11 (segmentation fault)"),
        (START + ENDED, f"{WORKER} ended by itself"),
        (START + "no licence\n" + ENDED, f"{WORKER} ended by itself, saying: no licence"),
    ],
)
def test_an_acts_own_log_tells_why_since_its_last_start(act: ActPaths, own: str, why: str) -> None:
    write(act, own)
    told = why_failing(act, None)
    assert told.startswith(why)
    assert bool(told) == bool(why)
    assert "\n" not in told


def test_a_mark_leaves_out_what_was_logged_before(act: ActPaths) -> None:
    write(act, START + BROKEN, MINE + UNKNOWN + GONE)
    mark = log_mark(act)
    assert mark == LogMark(act.log.stat().st_size, act.venue.emperor_log.stat().st_size)
    assert why_failing(act, None, mark) == gather(act, mark).said == ""
    with act.log.open("a") as log:
        log.write(START + KILLED)
    assert why_failing(act, None, mark) == f"{WORKER} was killed by signal 9"
    assert gather(act, mark).said.split() == (START + KILLED).split()


def test_what_was_said_is_the_own_log_unless_the_emperors_tells_more(act: ActPaths) -> None:
    mark = BEGINNING
    write(act, START + BROKEN, OTHER + "theirs\n" + MINE + UNKNOWN + GONE)
    assert gather(act, mark).said.split() == (START + BROKEN).split()
    write(act, START + READY, OTHER + "theirs\n" + MINE + UNKNOWN + GONE)
    assert gather(act, mark).said.split() == (UNKNOWN + START + READY).split()
    write(act, START, "[emperor] something else\n")
    assert "something else" in gather(act, mark).said


@pytest.mark.parametrize("line", ["threds = 4", "threds=4", "  threds  = 4", "threds"])
@pytest.mark.parametrize(
    ("own", "emperors"),
    [
        ("", MINE + UNKNOWN + GONE),
        (START + READY + RELOADED + UNKNOWN, ""),
        # The Emperor's log is the newer one where it tells of a start that came to nothing.
        (START + BROKEN, MINE + UNKNOWN + GONE),
    ],
)
def test_an_unknown_option_is_found_in_the_vassal_file(
    act: ActPaths, line: str, own: str, emperors: str
) -> None:
    act.vassal.write_text(f"[other]\nthreds = 1\n{VASSAL}# threds = 2\n{line}\n")
    write(act, own, emperors)
    assert why_failing(act, None) == "vassals/blog.ini, line 9: unknown option 'threds'"


@pytest.mark.parametrize(
    "name",
    [
        "../templates/django.ini",
        "{top}/templates/django.ini",
        "%(home)/django.ini",
        "%d../templates/django.ini",
    ],
)
def test_an_unknown_option_is_found_in_what_the_vassal_file_includes(
    act: ActPaths, name: str
) -> None:
    top = act.venue.top
    (top / "templates/django.ini").write_text("[uwsgi]\n\nini = base.ini\n")
    (top / "vassals/base.ini").write_text("[uwsgi]\nini = ../templates/django.ini\nthreds = 4\n")
    home = f"set-placeholder = home={top}/templates\n"
    act.vassal.write_text(f"{VASSAL}{home}ini = {name.format(top=top)}\n")
    write(act, emperors=MINE + MINE.replace("blog", "base") + UNKNOWN + GONE)
    assert why_failing(act, None) == "vassals/base.ini, line 3: unknown option 'threds'"


@pytest.mark.parametrize(
    "added", ["inherit = %(home)/django.ini\nset-ph = home={top}/templates", "ini = blog.ini:more"]
)
def test_an_unknown_option_is_found_wherever_uwsgi_reads(act: ActPaths, added: str) -> None:
    """In an inherited file, and in another section; not in what no line includes."""
    top = act.venue.top
    (top / "templates/django.ini").write_text("[uwsgi]\nthreds = 4\n")
    act.vassal.write_text(f"{VASSAL}{added.format(top=top)}\n[more]\nthreds = 4\n")
    write(act, emperors=MINE + UNKNOWN + GONE)
    found = why_failing(act, None)
    assert found.endswith(", line 2: unknown option 'threds'") is added.startswith("inherit")
    assert found.endswith(", line 8: unknown option 'threds'") is added.startswith("ini")


def test_without_any_vassal_file_the_logs_tell_what_they_can(act: ActPaths) -> None:
    act.vassal.unlink()
    write(act, START + BROKEN, MINE + UNKNOWN + GONE)
    assert why_failing(act, None) == NO_MODULE


def test_the_kept_vassal_file_counts_where_there_is_no_other(act: ActPaths) -> None:
    act.vassal.rename(act.kept)
    act.kept.write_text(f"{VASSAL}threds = 4\n")
    write(act, emperors=MINE + UNKNOWN + GONE)
    assert why_failing(act, None) == "kept/blog.ini, line 6: unknown option 'threds'"


def test_a_missing_include_is_found_in_the_vassal_file(act: ActPaths) -> None:
    text = VASSAL.replace("\n\n", "\nini = base.ini\n")
    act.vassal.write_text(f"{text}ini = %(home)/djnago.ini\n")
    missing = (
        "realpath() of /srv/djnago.ini failed: No such file or directory [core/utils.c line 3640]"
    )
    write(act, emperors=f"{MINE}{missing}\n{GONE}")
    assert why_failing(act, None) == "vassals/blog.ini, line 6: there is no file /srv/djnago.ini"


LAUNCHED = "blog.ini starts (pid 810)\n"
DATED = f"2026-11-22 19:03:33 - {LAUNCHED}"


@pytest.mark.parametrize(
    ("own", "emperors", "why"),
    [
        (
            DATED + MINE + UNKNOWN,
            LAUNCHED + GONE,
            "vassals/blog.ini, line 6: unknown option 'threds'",
        ),
        (DATED + MINE + START + BROKEN, LAUNCHED + GONE, NO_MODULE),
        # An earlier start, which failed for another reason.
        (
            START + BROKEN + DATED,
            LAUNCHED + GONE,
            "uWSGI (pid 810) ended without a word while it started",
        ),
        (DATED + "{uwsgi}: error while loading\n", LAUNCHED + GONE, "{uwsgi}: error while loading"),
        (
            DATED + "/V/templates/launch: 1: exec: {uwsgi}: not found\n",
            LAUNCHED + GONE,
            "{uwsgi}: not found",
        ),
        (DATED + MINE + "{uwsgi}: error while loading\n" + START + READY + STOPPED, LAUNCHED, ""),
        # Nothing else in the Emperor's log is about this start, whatever it looks like.
        (DATED + START + READY + STOPPED, LAUNCHED + MINE + START + BROKEN, ""),
        (DATED + START + READY + STOPPED, MINE + UNKNOWN + GONE + LAUNCHED, ""),
        (DATED + START + READY + STOPPED, "blog.ini: not started, because\n" + LAUNCHED, ""),
        (STOPPED, LAUNCHED + GONE + "blog.ini: not started, because\n", "not started, because"),
    ],
)
def test_what_launch_started_speaks_in_its_own_log_only(
    act: ActPaths, own: str, emperors: str, why: str
) -> None:
    act.vassal.write_text(f"{VASSAL}threds = 4\n")
    uwsgi = str(act.venue.top / "bin/uwsgi")
    write(act, own.replace("{uwsgi}", uwsgi), emperors)
    assert why_failing(act, None) == why.replace("{uwsgi}", uwsgi)
    assert gather(act).started == ""


STRANGER = BROKEN.replace("blog", "shop")
PLAIN = START + BROKEN


@pytest.mark.parametrize(
    ("emperors", "why"),
    [
        (MINE + PLAIN + GONE, NO_MODULE),
        (OTHER + STRANGER + MINE + PLAIN + GONE, NO_MODULE),
        (MINE + START + READY + KILLED, f"{WORKER} was killed by signal 9"),
        # From here on: what another Act said, or may have said.
        (MINE + UNKNOWN.replace("threds", "proceses") + GONE, ""),
        (MINE + OTHER + START + STRANGER, ""),
        (MINE + START + STRANGER, ""),
        (MINE + taken(9009), ""),
        (MINE + START + READY + KILLED.replace("812", "912"), ""),
        (MINE + GONE + START + BROKEN, ""),
        (MINE + BROKEN, ""),
        (START + BROKEN, ""),
    ],
)
def test_the_emperors_log_tells_why_where_it_is_certain_whose_it_is(
    act: ActPaths, emperors: str, why: str
) -> None:
    write(act, emperors=emperors)
    assert why_failing(act, None) == why


def test_a_vassal_may_be_told_to_run_the_project_of_another(act: ActPaths) -> None:
    shop = act.venue.act("shop").top
    shop.mkdir(parents=True)
    act.vassal.write_text(f"{VASSAL}chdir = {shop}\n")
    write(act, emperors=MINE + START + STRANGER.replace("/srv/V/acts/shop", str(shop)) + GONE)
    assert why_failing(act, None) == NO_MODULE.replace("/srv/V/acts/blog", str(shop)).replace(
        "blog", "shop"
    )


def test_what_a_comment_says_is_no_evidence(act: ActPaths) -> None:
    act.vassal.write_text(f"{VASSAL}# chdir = /srv/V/acts/shop\n")
    write(act, emperors=MINE + START + STRANGER + GONE)
    assert why_failing(act, None) == ""


def test_files_that_a_vassal_file_includes_are_no_strangers(act: ActPaths) -> None:
    """Their names in the Emperor's log have no directory where the vassal file names none."""
    (act.venue.vassals / "base.ini").write_text("[uwsgi]\nthreds = 4\n")
    act.vassal.write_text(f"{VASSAL}set-ph = what=ba\ninherit = %(what)se.ini\n")
    write(act, emperors=MINE + MINE.replace("blog", "base") + UNKNOWN + GONE)
    assert why_failing(act, None) == "vassals/base.ini, line 2: unknown option 'threds'"


@pytest.mark.parametrize("own_log", [True, False])
def test_a_taken_port_names_its_holder(act: ActPaths, listen: Listen, own_log: bool) -> None:
    port = listen().getsockname()[1]
    act.vassal.write_text(VASSAL.replace("8001", str(port)))
    write(act, taken(port)) if own_log else write(act, emperors=MINE + taken(port))
    holder = f"(pid {os.getpid()})"
    told = why_failing(act, None)
    assert told.startswith(f"port {port} is taken by ")
    assert told.endswith(holder)


def test_a_port_that_an_application_cannot_bind_is_the_acts(act: ActPaths, listen: Listen) -> None:
    address = Address("127.0.0.1", listen().getsockname()[1], "http-socket")
    write(act, START + "OSError: [Errno 98] Address already in use\n")
    assert why_failing(act, address).startswith(f"port {address.port} is taken by ")
    assert why_failing(act, None) == "OSError: [Errno 98] Address already in use"


def test_a_port_that_is_free_again_was_taken_by_another(act: ActPaths, listen: Listen) -> None:
    listener = listen()
    port = listener.getsockname()[1]
    listener.close()
    write(act, taken(port))
    assert why_failing(act, None) == f"port {port} was taken by another program"


def test_an_act_is_not_blamed_for_its_own_port(
    act: ActPaths, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kernel, "is_alive", lambda *_: True)
    port = listen().getsockname()[1]
    own = START.replace("810", str(os.getpid()))
    write(act, own + taken(port))
    assert why_failing(act, None) == f"port {port} was still in use by an earlier run of the Act"
    write(act, own + READY)
    assert why_failing(act, Address("127.0.0.1", port, "http-socket")) == ""


LISTENING = """\
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("command", "place", "blamed"),
    [
        (["uWSGI worker 1", "-c", LISTENING], "acts/blog", False),
        (["uWSGI worker 1", "-c", LISTENING], "acts/shop", True),
        (["uwsgi", "-c", LISTENING, "--ini", "blog.ini"], "acts/shop", False),
        (["uwsgi", "-c", LISTENING, "--ini", "blog.ini"], "..", True),
        # What somebody runs by hand in the project's directory is not the Act.
        (["python", "-c", LISTENING], "acts/blog", True),
    ],
)
def test_an_act_knows_its_own_processes_by_place_and_command(
    act: ActPaths,
    spawn: Spawn,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    place: str,
    blamed: bool,
) -> None:
    monkeypatch.setattr(Kernel, "is_alive", lambda *_: True)
    cwd = act.venue.top / place
    cwd.mkdir(parents=True, exist_ok=True)
    holder = spawn(*command, executable=sys.executable, cwd=cwd)
    assert holder.stdout is not None
    port = int(holder.stdout.readline())
    write(act, START)
    told = why_failing(act, Address("127.0.0.1", port, "http-socket"))
    assert told.endswith(f"(pid {holder.pid})" if blamed else "")
    assert bool(told) is blamed


def test_a_hand_written_act_is_not_blamed_for_its_own_port(act: ActPaths, listen: Listen) -> None:
    port = listen().getsockname()[1]
    write(act, emperors=MINE + START.replace("810", str(os.getpid())) + READY)
    assert why_failing(act, Address("127.0.0.1", port, "http-socket")) == ""


def test_a_port_that_another_has_is_the_reason_where_no_log_tells(
    act: ActPaths, listen: Listen
) -> None:
    port = listen().getsockname()[1]
    write(act, START)
    told = why_failing(act, Address("127.0.0.1", port, "http-socket"))
    assert told.endswith(f"(pid {os.getpid()})")


@pytest.mark.parametrize(
    ("own", "emperors", "why"),
    [
        (START + READY, "", "the master (pid 810) was killed"),
        (START + READY + START.replace("81", "91"), "", "the master (pid 810) was killed"),
        (START + READY + STOPPED, "", ""),
        (START + BROKEN + STOPPED, "", NO_MODULE),
        (START + BROKEN, "", NO_MODULE),
        (START + READY + KILLED + STOPPED, "", f"{WORKER} was killed by signal 9"),
        (START + READY + STOPPED, START + KILLED, f"{WORKER} was killed by signal 9"),
        (START + READY + STOPPED + KILLED.replace("812", "912"), "", ""),
        (taken(9).partition("\n")[0] + "\n", MINE + START + BROKEN + GONE, NO_MODULE),
        ("", "", ""),
    ],
)
def test_the_logs_tell_why_processes_ended(
    act: ActPaths, own: str, emperors: str, why: str
) -> None:
    write(act, own, emperors)
    assert why_ended(act, [810, 812]) == why
    assert why_ended(act, []) == why_ended(act, [5]) == ""


def test_a_master_that_lives_was_not_killed(act: ActPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "is_alive", lambda _, pid: pid == 810)
    write(act, START + READY + KILLED)
    assert why_ended(act, [810, 812]) == f"{WORKER} was killed by signal 9"


def test_several_ends_make_one_line(act: ActPaths) -> None:
    write(
        act, START + READY + KILLED + KILLED.replace("worker 1 (pid: 812)", "worker 2 (pid: 813)")
    )
    assert why_ended(act, iter((812, 813))) == (
        "worker 1 (pid 812) was killed by signal 9; worker 2 (pid 813) was killed by signal 9"
    )


@pytest.mark.parametrize(
    ("own", "pids", "why"),
    [
        (START + READY + KILLED, [812], f"{WORKER} was killed by signal 9 (out of memory)"),
        (START + READY, [812, 810], "the master (pid 810) was killed (out of memory)"),
        (START + SEGFAULT, [812], f"{WORKER} was killed by signal 11 (segmentation fault)"),
    ],
)
def test_out_of_memory_is_said_of_what_the_kernel_killed(
    act: ActPaths, monkeypatch: pytest.MonkeyPatch, own: str, pids: list[int], why: str
) -> None:
    monkeypatch.setattr(Kernel, "killed_for_memory", {812, 810})
    write(act, own)
    assert why_ended(act, pids) == why


CLEANING = """\
2026-11-22 18:58:26 - chdir(): No such file or directory [core/uwsgi.c line 2637]
2026-11-22 18:58:26 - unlink(): No such file or directory [core/uwsgi.c line 1687]
"""
LINKED = "its project there, or type: backstage retire blog"


@pytest.mark.parametrize(
    ("added", "why"),
    [
        ("chdir = {top}/acts/none", "line 6: there is no directory {top}/acts/none; put " + LINKED),
        ("chdir = %(act)", "line 6: there is no directory {top}/vassals/blog; put " + LINKED),
        ("chdir = {top}/acts/none\nchdir = {top}", ""),
        ("home = {top}/none", "line 6: there is no virtual environment {top}/none"),
        ("virtualenv = {top}/env", "line 6: there is no interpreter {top}/env/bin/python, as"),
        ("chdir = $(HOME)/none", ""),
        ("if-env = A\nchdir = {top}/none\nendif =", ""),
    ],
)
def test_what_the_configuration_names_and_is_not_there_comes_first(
    act: ActPaths, added: str, why: str
) -> None:
    """What uWSGI cannot be known to use, as under a condition, does not count."""
    top = act.venue.top
    (top / "env/bin").mkdir(parents=True)
    (top / "env/bin/python").symlink_to("/no/such/python")
    act.vassal.write_text(f"{VASSAL}{added.format(top=top)}\n")
    write(act, START + BROKEN, GONE)
    expected = f"vassals/blog.ini, {why.format(top=top)}" if why else NO_MODULE
    assert why_failing(act, None).startswith(expected)


def test_cleaning_up_is_no_reason(act: ActPaths) -> None:
    write(act, CLEANING)
    assert why_failing(act, None) == "chdir(): No such file or directory"
    write(act, CLEANING.splitlines()[1] + "\n")
    assert why_failing(act, None) == ""


@pytest.mark.parametrize(
    "said", ["cannot open shared object file: No such file or directory", "not found"]
)
def test_a_uwsgi_that_the_system_cannot_execute_is_named(act: ActPaths, said: str) -> None:
    uwsgi = act.venue.top / "bin/uwsgi"
    loader = f"{uwsgi}: error while loading shared libraries: libpython3.9.so.1.0: {said}"
    launch = f"{act.venue.templates}/launch: 60: exec: {uwsgi}: {said}"
    for line in (loader, launch):
        write(act, START + BROKEN, f"{MINE}{GONE}{line}\n{GONE}")
        assert why_failing(act, None) == line[line.index(f"{uwsgi}: ") :]
        write(act, START + BROKEN, f"{line}\n{GONE}{MINE}{GONE}")
        assert why_failing(act, None) == NO_MODULE
    uwsgi.unlink()
    assert why_failing(act, None) == f"{uwsgi}: does not exist; no Act can start"


def test_a_start_without_a_word_is_not_explained_by_the_one_before(act: ActPaths) -> None:
    later = MINE + GONE.replace("810", "910")
    write(act, START + READY, later)
    assert why_failing(act, None) == "uWSGI (pid 910) ended without a word while it started"
    write(act, START.splitlines()[0], later)
    assert why_failing(act, None) == "uWSGI (pid 910) ended without a word while it started"
    write(act, START + BROKEN, MINE + GONE)
    assert why_failing(act, None) == NO_MODULE
