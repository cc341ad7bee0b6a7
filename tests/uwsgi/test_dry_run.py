"""Edits that cannot work, reported with their line; the real uWSGI reads and changes nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.facts.faults import Fault
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi import dry_run
from backstage.uwsgi.ini import VassalFile
from tests import acts_on_disk
from tests.conftest import Listen, Spawn
from tests.own_ports import own_ports

pytestmark = acts_on_disk.needs_uwsgi

TEMPLATE = """\
[uwsgi]
set-placeholder = venue={venue}
strict = true
chdir = %(venue)/acts/%(act)
module = %(act).wsgi:application
static-map = /static=%(venue)/static
stats = %(venue)/run/%(act).stats
vacuum = true
"""
VASSAL = """\
# ours
[uwsgi]
http-socket = 127.0.0.1:{port}
processes = 1
set-placeholder = act=%n
ini = {venue}/templates/django.ini
"""

Rehearse = Callable[..., str]


def sentence(fault: Fault | None) -> str:
    """A fault as text; '' if none was found."""
    return str(fault) if fault else ""


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    """An Act whose vassal file can work, in a Venue that has a uWSGI and a Python."""
    venue = VenuePaths(tmp_path)
    for directory in ("bin", "run", "vassals", "templates", "acts/blog/blog"):
        (tmp_path / directory).mkdir(parents=True)
    acts_on_disk.link_programs(tmp_path)
    (venue.templates / "django.ini").write_text(TEMPLATE.format(venue=tmp_path))
    (tmp_path / "acts/blog/blog/__init__.py").touch()
    (tmp_path / "acts/blog/blog/wsgi.py").write_text("raise SystemExit('imported')")
    port = own_ports().take()
    paths = venue.act("blog")
    paths.vassal.write_text(VASSAL.format(venue=tmp_path, port=port))
    return paths


@pytest.fixture
def rehearse(act: ActPaths) -> Rehearse:
    """Edit the vassal file and check it, as if the previous file were running."""
    before = act.vassal.read_text()

    def edit(added: str = "", old: str = "", new: str = "") -> str:
        act.vassal.write_text(before.replace(old, new) + added)
        return sentence(dry_run.fault(act, VassalFile("blog", before)))

    return edit


def test_what_the_system_has_run_out_of_is_no_fault_of_the_file(
    act: ActPaths, rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when this process has too many files open to try it: it can be tried later."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    (act.venue.top / "more.ini").write_text("[uwsgi]\nmaster = true\n")
    for function in ("dry_run.programs.run", "dry_run.contents", "includes.open_regular"):
        with monkeypatch.context() as patch:
            patch.setattr(f"backstage.uwsgi.{function}", refuse)
            with pytest.raises(OSError, match="Too many open files"):
                rehearse(f"ini = {act.venue.top}/more.ini\n")


def test_a_file_that_cannot_be_checked_counts_as_faulty(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("backstage.uwsgi.dry_run.programs.run", refuse)
    why = "vassals/blog.ini: the file cannot be checked: Permission denied"
    assert rehearse("max-requests = 77\nmaster = true\n") == why


@pytest.mark.parametrize("running", [True, False])
def test_nothing_speaks_against_what_can_work(act: ActPaths, running: bool) -> None:
    file = VassalFile("blog", act.vassal.read_text())
    assert dry_run.fault(act, file if running else None) is None


@pytest.mark.parametrize(
    "added",
    [
        "threads = 4\nenv = A=b\nmaster\nprocesses = %k\n",
        "if-exists = /no/such\nini = /no/such.ini\nprocesses = many\nendif =\n",
        "processes = $(HOME)\nchdir = $(HOME)/nowhere\nstatic-map = $(HOME)\n",
        "module = blog.wsgi:application.inner\n",
        "wsgi-file = blog/wsgi.py\n",
        "pythonpath = %(venue)\nmodule = acts.blog.blog.wsgi\n",
        "module = some/path:app\n",
        "socket = run/blog.sock\nhttp-socket = 127.0.0.1:0\n",
        "[other]\nthreds = 4\n",
    ],
)
def test_edits_that_can_work(rehearse: Rehearse, added: str) -> None:
    assert rehearse(added) == ""


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("threds = 4", "unknown option 'threds'; did you mean 'threads'?"),
        ("zzyzx = 4", "unknown option 'zzyzx'"),
        ("threads 4", "unknown option 'threads 4'; did you mean 'threads'?"),
        ("ini = no.ini", "cannot read no.ini: No such file or directory"),
        ("include = %dno.ini", "cannot read {venue}/vassals/no.ini: No such file or directory"),
        ("ini = blog.ini", "blog.ini includes itself"),
        ("ini = %(venue)/x.ini", "cannot read %(venue)/x.ini: No such file or directory; "
         "uWSGI does not expand placeholders here"),
        ("set-placeholder = threads=4", "you cannot use threads as a placeholder, "
         "it is already available as an option"),
        ("set-ph = colour", "invalid placeholder/--set value"),
        ("need-plugin = zzyzx", 'unable to load plugin "zzyzx"'),
        ("threads = four", "threads must be a number, not 'four'"),
        ("processes = -1", "processes must be a number, not '-1'"),
        ("processes = 0", "without workers it answers no request"),
        ("workers = 0", "without workers it answers no request"),
        ("cheaper = 1", "cheaper must be lower than processes, which is 1"),
        ("static-map = /static", "invalid document root in static map, syntax mountpoint=docroot"),
        ("cron = 1 2 3 true", "invalid cron syntax"),
        ("chmod-socket = 9z", "invalid chmod value: 9z"),
        ("http-socket = :70000", "port 70000 is above 65535"),
        ("http-socket = 127.0.0.1:http", "'127.0.0.1:http' has no port"),
        ("http-socket = 127.0.0.1:8001x", "'127.0.0.1:8001x' has no number as its port"),
        ("http-socket = 203.0.113.1:8009",
         "cannot bind 203.0.113.1:8009: Cannot assign requested address"),
        ("chdir = no", "no directory {venue}/vassals/no"),
        (f"chdir = /{'x' * 300}", f"/{'x' * 300}: File name too long"),
        ("chdir = %(nobody)", "the placeholder %(nobody) is not set"),
        ("wsgi-file = no.py", "no file {venue}/acts/blog/no.py"),
        ("venv = %d../no", "no virtual environment in {venue}/no"),
        ("module = blog.wgsi:application", "no module 'blog.wgsi' in {venue}/acts/blog"),
        ("wsgi = blgo.wsgi", "no module 'blgo.wsgi' in {venue}/acts/blog"),
    ],
)  # fmt: skip
def test_edits_that_cannot_work(act: ActPaths, rehearse: Rehearse, added: str, told: str) -> None:
    expected = f"vassals/blog.ini, line 7: {told.format(venue=act.venue.top)}"
    assert rehearse(f"{added}\n") == expected


def test_numbers_of_workers_that_uwsgi_accepts(rehearse: Rehearse) -> None:
    """Daemons need no workers, and of several lines the last is in force."""
    assert rehearse("processes = 0\nattach-daemon = sleep 9\n") == ""
    assert rehearse("processes = 0\nworkers = 2\ncheaper = 1\n") == ""
    assert rehearse("threads = 0\nharakiri = 0\n") == ""
    assert rehearse("http = 127.0.0.1:0,x.crt,x.key\n") == ""


def test_a_fault_is_a_value(act: ActPaths) -> None:
    """Callers get its place without parsing a message."""
    (act.venue.templates / "django.ini").write_text("[uwsgi]\nstrict = true\nthreds = 4\n")
    assert dry_run.fault(act) == Fault(
        *("templates/django.ini", 3, "threds", "unknown option 'threds'", "did you mean 'threads'?")
    )
    act.vassal.write_text("")
    assert dry_run.fault(act) == Fault("vassals/blog.ini", None, "", "the file is empty")


def test_what_is_wrong_in_an_included_file_is_told_there(act: ActPaths, rehearse: Rehearse) -> None:
    (act.venue.templates / "more.ini").write_text("\n[uwsgi]\nmodul = x\n")
    assert rehearse("ini = ../templates/more.ini\n") == (
        "templates/more.ini, line 3: unknown option 'modul'; did you mean 'module'?"
    )
    told = rehearse(old="act=%n", new="act=shop")
    assert told == f"templates/django.ini, line 4: no directory {act.venue.top}/acts/shop"


def test_an_endless_inclusion_is_refused_whatever_it_depends_on(rehearse: Rehearse) -> None:
    told = "vassals/blog.ini, line 8: blog.ini includes itself"
    assert rehearse("if-env = A\nini = blog.ini\nendif =\n") == told


def test_unknown_options_do_no_harm_where_uwsgi_is_not_strict(rehearse: Rehearse) -> None:
    assert rehearse("strict = false\n", old="processes", new="proceses") == ""


def test_a_uwsgi_that_was_too_busy_to_list_its_options_is_asked_again(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "_OPTIONS", {})
    told = "vassals/blog.ini, line 4: unknown option 'proceses'"
    with monkeypatch.context() as busy:
        tried = dry_run._tried
        busy.setattr(
            dry_run,
            "_tried",
            lambda words, *rest: (-1, "") if "--help" in words else tried(words, *rest),
        )
        assert rehearse(old="processes", new="proceses") == told
    assert rehearse(old="processes", new="proceses") == f"{told}; did you mean 'processes'?"


def test_an_unknown_option_before_strict_counts_too(rehearse: Rehearse) -> None:
    told = "vassals/blog.ini, line 4: unknown option 'proceses'; did you mean 'processes'?"
    assert rehearse(old="processes", new="proceses") == told


def test_another_section_is_read_where_it_is_included(rehearse: Rehearse) -> None:
    assert rehearse("ini = :more\n[more]\nprocesses = many\n") == ""
    told = rehearse("ini = blog.ini:more\n[more]\nthreds = 4\n")
    assert told == "vassals/blog.ini, line 9: unknown option 'threds'; did you mean 'threads'?"


def test_a_lock_that_the_running_act_has_is_not_tried(act: ActPaths, rehearse: Rehearse) -> None:
    with (act.venue.run / "lock").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert rehearse(f"flock = {file.name}\n") == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "vassals/blog.ini: the file is empty"),
        (b"threads = 4\n", "vassals/blog.ini, line 1: no options in the section [uwsgi]"),
        (b"[uwsgi] ; mine\na = 4\n", "vassals/blog.ini, line 1: no options in the section [uwsgi]"),
        (b"[uwsgi]\n# caf\xe9\na = 4\n", "vassals/blog.ini, line 2: byte 0xe9 is not UTF-8"),
    ],
)
def test_files_that_say_nothing(act: ActPaths, content: bytes, told: str) -> None:
    act.vassal.write_bytes(content)
    assert str(dry_run.fault(act)) == told


def test_a_file_that_is_gone_is_no_fault(act: ActPaths) -> None:
    act.vassal.unlink()
    assert dry_run.fault(act) is None


def test_a_port_that_another_program_holds(
    act: ActPaths, rehearse: Rehearse, listen: Listen
) -> None:
    port = listen().getsockname()[1]
    told = rehearse(f"http-socket = 127.0.0.1:{port}\n")
    assert told.startswith(f"vassals/blog.ini, line 7: port {port} is taken by ")
    assert told.endswith(f"(pid {os.getpid()})")
    assert "port" in rehearse(f"set-placeholder = port={port}\n")


def test_the_port_that_the_act_has_is_not_asked_for(act: ActPaths, listen: Listen) -> None:
    file = VassalFile("blog", act.vassal.read_text())
    assert file.address
    listen(port=file.address.port)
    assert dry_run.fault(act, file) is None
    assert f"port {file.address.port} is taken" in sentence(dry_run.fault(act))


def test_a_queue_longer_than_the_system_allows(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "somaxconn").write_text("128\n")
    monkeypatch.setattr(dry_run, "_SOMAXCONN", tmp_path / "somaxconn")
    told = (
        "vassals/blog.ini, line 7: 129 is too long a queue: the limit is 128 (net.core.somaxconn)"
    )
    assert rehearse("listen = 129\n") == told
    assert rehearse("listen = 128\n") == ""


def test_only_a_changed_application_is_looked_for(act: ActPaths) -> None:
    """A running application may have lost its files; the edit is not to blame."""
    before = VassalFile("blog", act.vassal.read_text())
    (act.top / "blog" / "wsgi.py").unlink()
    assert dry_run.fault(act, before) is None
    assert "no module 'blog.wsgi'" in sentence(dry_run.fault(act))


@pytest.mark.parametrize(
    "added",
    [
        "",
        "threds = 4\n",
        "exec-as-user-atexit = touch {run}/made\nhook-as-user-atexit = write:{run}/made x\n",
        "exec-asap = touch {run}/made\nhook-asap = write:{run}/made x\n",
        "logto = {run}/made\npidfile = {run}/made\nsafe-pidfile2 = {run}/made\n",
        "daemonize = {run}/made\nspooler = {run}/made\nsocket = {run}/made\n",
        "fallback-config = {run}/other.ini\nthreds = 4\n",
        "ini = exec://touch {run}/made\n",
        "env = A=@(exec://touch {run}/made)\n",
    ],
)
def test_nothing_is_touched(act: ActPaths, rehearse: Rehearse, added: str) -> None:
    """Above all, the sockets of the running Act remain, despite `vacuum`."""
    run = act.venue.run
    (run / "other.ini").write_text(f"[uwsgi]\nexec-asap = touch {run}/made\n")
    act.stats.touch()
    pid = run / "blog.pid"
    pid.write_text("1")
    rehearse(f"pidfile2 = {pid}\n" + added.format(run=run))
    assert {path.name for path in run.iterdir()} == {"other.ini", "blog.stats", "blog.pid"}
    assert pid.read_text() == "1"


def test_no_process_is_signalled(act: ActPaths, rehearse: Rehearse, spawn: Spawn) -> None:
    bystander = spawn("sleep", "60")
    pid = act.venue.run / "blog.pid"
    pid.write_text(str(bystander.pid))
    for option in ("stop", "set = reload", "pause"):
        assert rehearse(f"{option}={pid}\n") == ""
    (act.venue.templates / "more.ini").write_text(f"[uwsgi]\nstop = {pid}\n")
    for option in ("ini", "include", "inherit"):
        assert rehearse(f"{option} = {act.venue.templates}/more.ini\n") == ""
    with pytest.raises(subprocess.TimeoutExpired):
        bystander.wait(0.05)


def test_a_rehearsal_that_hangs_tells_nothing(
    act: ActPaths, rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "_PATIENCE", 0.05)
    uwsgi = act.venue.top / "bin" / "uwsgi"
    uwsgi.unlink()
    uwsgi.write_text(
        f"#!{sys.executable}\nimport time\ntime.sleep(2)\nraise SystemExit('too late')\n"
    )
    uwsgi.chmod(0o755)
    assert rehearse("threds = 4\n") == ""


@pytest.fixture
def rehearse_text(act: ActPaths) -> Rehearse:
    """Check another text while the file stays unchanged; the check leaves no file."""
    before = act.vassal.read_text()

    def attempt(added: str = "", old: str = "", new: str = "") -> str:
        text = before.replace(old, new) + added
        fault = dry_run.fault_in(text, act, VassalFile("blog", before))
        assert [path.name for path in act.vassal.parent.iterdir()] == ["blog.ini"]
        assert act.vassal.read_text() == before
        assert not list(act.venue.run.iterdir())
        return sentence(fault)

    return attempt


@pytest.mark.parametrize(
    "added",
    [
        "",
        "threads = 4\nmaster\nprocesses = %k\nlog-date = %%Y\n",
        "ini = %d../templates/%n.more\n",
        "ini = ../templates/capitals.ini\n",
        "chdir = %d../acts/%n\n",
        "ini = blog.ini:more\n[more]\nthreads = 4\n",
        "ini = %p:more\n[more]\nthreads = 4\nini = %d../templates/%n.more\n",
    ],
)
def test_a_text_that_can_work(act: ActPaths, rehearse_text: Rehearse, added: str) -> None:
    """`%n` and the like mean what they will mean in vassals/, in included files too."""
    (act.venue.templates / "blog.more").write_text("[uwsgi]\nthreads = 4\n")
    capitals = "[uwsgi]\nini = %D../templates/%N.more\n"
    (act.venue.templates / "capitals.ini").write_text(capitals)
    assert rehearse_text(added) == ""


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("threds = 4", "line 7: unknown option 'threds'; did you mean 'threads'?"),
        ("processes = many", "line 7: processes must be a number, not 'many'"),
        ("ini = %dno.ini", "line 7: cannot read {venue}/vassals/no.ini: No such file or directory"),
        ("set-ph = colour", "line 7: invalid placeholder/--set value"),
        ("chdir = %d../acts/%n%%", "line 7: no directory {venue}/acts/blog%"),
        ("ini = blog.ini", "line 7: blog.ini includes itself"),
        ("ini = %p:more\n[more]\nthreds = 4",
         "line 9: unknown option 'threds'; did you mean 'threads'?"),
        ("# caf\udce9", "line 7: byte 0xe9 is not UTF-8"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_work(
    act: ActPaths, rehearse_text: Rehearse, added: str, told: str
) -> None:
    expected = f"vassals/blog.ini, {told.format(venue=act.venue.top)}"
    assert rehearse_text(f"{added}\n") == expected


def test_a_text_is_tried_also_where_there_is_no_file(act: ActPaths) -> None:
    text = act.vassal.read_text()
    act.vassal.unlink()
    own = "ini = blog.ini:more\n[more]\nthreds = 4\n"
    assert dry_run.fault_in(text, act) is None
    assert sentence(dry_run.fault_in(text + own, act)).startswith(
        "vassals/blog.ini, line 9: unknown"
    )


def test_the_ports_that_the_act_has_are_not_asked_for_in_a_text_either(
    act: ActPaths, listen: Listen, rehearse_text: Rehearse
) -> None:
    file = VassalFile("blog", act.vassal.read_text())
    assert file.address
    listen(port=file.address.port)
    taken = listen().getsockname()[1]
    assert rehearse_text("threads = 4\n") == ""
    assert f"port {taken} is taken by" in rehearse_text(f"http-socket = 127.0.0.1:{taken}\n")
