"""Ports that several Acts want, that others hold, and that the network can reach."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backstage.doctor import ports
from backstage.doctor.finding import Finding, Severity
from backstage.layout import registry
from backstage.layout.paths import VenuePaths
from backstage.status.survey import Survey
from tests.conftest import Listen, Spawn
from tests.own_ports import own_ports


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VenuePaths:
    """A Venue without an Emperor, on a host that knows of no other."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return make_venue(tmp_path / "one")


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    return own_ports().take()


def make_venue(top: Path) -> VenuePaths:
    venue = VenuePaths(top)
    for directory in (venue.vassals, venue.kept, venue.templates, venue.run):
        directory.mkdir(parents=True)
    venue.settings.touch()
    registry.register(top)
    return venue


def want(venue: VenuePaths, name: str, address: str, *more: str, kept: bool = False) -> None:
    act = venue.act(name)
    lines = ["[uwsgi]", f"http-socket = {address}", *more]
    (act.kept if kept else act.vassal).write_text("\n".join(lines) + "\n")


def examine(paths: VenuePaths, *names: str) -> list[Finding]:
    survey = Survey(paths)
    return list(ports.examine(paths, survey.look_at(names or sorted(survey.names()))))


def test_each_act_with_a_port_of_its_own(paths: VenuePaths, port: int) -> None:
    want(paths, "blog", f"127.0.0.1:{port}")
    want(paths, "shop", "127.0.0.1:1")
    assert [str(told) for told in examine(paths)] == ["ok: ports: each Act has its own"]


def test_no_act_has_no_port(paths: VenuePaths) -> None:
    assert examine(paths) == []


@pytest.mark.parametrize(
    ("other", "clash"),
    [
        *(("127.0.0.1", True), ("", True), ("0.0.0.0", True), ("[::]", True)),
        *(("10.0.0.5", False), ("[::1]", False)),
    ],
)
def test_two_acts_with_one_port(paths: VenuePaths, port: int, other: str, clash: bool) -> None:
    """Only on one address, or where one of the two wants every address."""
    want(paths, "blog", f"127.0.0.1:{port}")
    want(paths, "shop", f"{other}:{port}")
    told = [finding for finding in examine(paths) if finding.severity is Severity.TROUBLE]
    if clash:
        (found,) = told
        assert found.subject == "shop"
        assert found.what == f"wants port {port}, and so does blog; only one of them can run"
        assert found.command == "backstage edit shop"
    else:
        assert not told


def test_an_act_that_is_stopped_keeps_its_port(paths: VenuePaths, port: int) -> None:
    want(paths, "blog", f"127.0.0.1:{port}")
    want(paths, "shop", f"127.0.0.1:{port}", kept=True)
    (found,) = examine(paths)
    assert found.severity is Severity.WARNING


def test_what_is_kept_is_no_second_act(paths: VenuePaths, port: int) -> None:
    want(paths, "blog", f"127.0.0.1:{port}")
    want(paths, "blog", f"127.0.0.1:{port}", kept=True)
    assert examine(paths)[0].severity is Severity.OK


def test_an_act_of_another_venue(paths: VenuePaths, tmp_path: Path, port: int) -> None:
    """It is told by its Venue, and the remedy is for the one that is examined."""
    other = make_venue(tmp_path / "another")
    want(paths, "blog", f"127.0.0.1:{port}")
    want(other, "shop", f"127.0.0.1:{port}")
    want(other, "mall", f"127.0.0.1:{port}")
    found = examine(paths)
    assert [finding.subject for finding in found] == ["blog", "blog"]
    assert f"and so does shop of {other.top}" in found[1].what
    assert found[0].remedy != found[1].remedy


def test_only_what_concerns_the_acts_in_question(paths: VenuePaths, port: int) -> None:
    for name in ("blog", "shop"):
        want(paths, name, f"127.0.0.1:{port}")
    want(paths, "api", "127.0.0.1:1")
    assert [finding.severity for finding in examine(paths, "api")] == [Severity.OK]


def test_ports_that_are_used_up(paths: VenuePaths, port: int) -> None:
    paths.settings.write_text(f"ports: {port}-{port}\n")
    for name in ("blog", "shop"):
        want(paths, name, f"127.0.0.1:{port}")
    (found,) = examine(paths)
    assert "widen `ports`" in str(found.remedy)


def test_a_port_that_another_program_has(paths: VenuePaths, spawn: Spawn, port: int) -> None:
    """Trouble for an Act that shall run, a warning for one that is stopped."""
    server = f"import socket; s = socket.create_server(('127.0.0.1', {port})); print(); input()"
    holder = spawn(sys.executable, "-c", server)
    assert holder.stdout
    holder.stdout.readline()
    want(paths, "blog", f"127.0.0.1:{port}")
    (found,) = examine(paths)
    assert (found.severity, found.subject) == (Severity.TROUBLE, "blog")
    assert found.what.startswith(f"its port {port} is taken by ")
    assert found.what.endswith(f"(pid {holder.pid})")
    paths.act("blog").vassal.rename(paths.act("blog").kept)
    (found,) = examine(paths)
    assert found.severity is Severity.WARNING


def test_a_port_that_only_looks_held(paths: VenuePaths, listen: Listen) -> None:
    """On another address of this machine."""
    port = listen("127.0.0.2").getsockname()[1]
    want(paths, "blog", f"127.0.0.1:{port}")
    assert examine(paths)[0].severity is Severity.OK


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        *(("http-socket = :{port}", Severity.WARNING), ("http = 0.0.0.0:{port}", Severity.WARNING)),
        *(("http-socket = [::]:{port}", Severity.WARNING),),
        *(("http-socket = 10.0.0.5:{port}", Severity.NOTE),),
        *(("socket = :{port}", Severity.TROUBLE), ("socket = 10.0.0.5:{port}", Severity.TROUBLE)),
        *(("http-socket = 127.0.0.1:{port}", None), ("http-socket = localhost:{port}", None)),
        *(("http-socket = [::1]:{port}", None), ("socket = %d../run/blog.sock", None)),
        *(("set-placeholder = port={port}", None),),
    ],
)
def test_who_can_reach_it(
    paths: VenuePaths, port: int, line: str, severity: Severity | None
) -> None:
    paths.act("blog").vassal.write_text(f"[uwsgi]\nthreads = 2\n{line.format(port=port)}\n")
    found = [told for told in examine(paths) if told.severity is not Severity.OK]
    assert [told.severity for told in found] == ([severity] if severity else [])
    for told in found:
        assert told.what.startswith("vassals/blog.ini, line 3: ")
        assert f" = 127.0.0.1:{port}" in str(told.remedy)
        assert told.command == "backstage edit blog"


def test_what_a_template_opens(paths: VenuePaths, port: int) -> None:
    (paths.templates / "django.ini").write_text(f"[uwsgi]\nsocket = 0.0.0.0:{port}\n")
    want(paths, "blog", "127.0.0.1:1", f"ini = {paths.templates}/django.ini")
    found = examine(paths)[-1]
    assert found.what.startswith("templates/django.ini, line 2: socket = ")
    assert not found.command
