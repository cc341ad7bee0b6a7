"""Bad input and a hostile machine: a clear error each, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.errors import (
    ActFailed,
    BackstageError,
    CannotWrite,
    EnvironmentFailed,
    NameNotAllowed,
    PortUnavailable,
)
from backstage.shortcuts import new_act, new_venue
from backstage.venue import Venue

from .conftest import MakeVenue, fetch, processes_within

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and unsharing need root")

# Brings up the loopback interface of a fresh network namespace, where everything else is missing.
LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 1))
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(file: Path) -> None:
    """Write to a file until the disk is full to the last byte."""
    for size in (1_000_000, 1000, 1):
        with file.open("ab", buffering=0) as stream, contextlib.suppress(OSError):
            while stream.write(bytes(size)) == size:
                pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-dash", "a/b", "/abs", "new\nline", "per%cent", "dol$lar"),
        *("class", "None", "json", "django", "asgiref", "test", "emperor", "has space", "a.b"),
        *("1st", "my-site", "x" * 65, "café", "tab\t", "[uwsgi]", "a=b"),
    ],
)
def test_names_no_act_can_have(venue: Venue, name: str) -> None:
    before = sorted(venue.path.rglob("acts/*"))
    with pytest.raises(NameNotAllowed) as caught:
        new_act(venue, name)
    assert repr(name) in str(caught.value)
    assert sorted(venue.path.rglob("acts/*")) == before


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-dash", "a/b", "new\nline", "per%cent", "dol$lar", "a" * 65]
)
def test_names_no_venue_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameNotAllowed):
        new_venue(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_place_too_deep_for_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 40) / ("e" * 40)
    deep.mkdir(parents=True)
    with pytest.raises(NameNotAllowed, match="the limit is 107"):
        new_venue("venue", deep)
    assert not list(deep.iterdir())


def test_a_place_that_uwsgi_would_misread(tmp_path: Path) -> None:
    odd = tmp_path / "50%off"
    odd.mkdir()
    with pytest.raises(NameNotAllowed, match="'%'"):
        new_venue("venue", odd)


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.99", "/no/such/python", "/bin/ls", "perl"])
def test_no_such_interpreter(tmp_path: Path, python: str) -> None:
    with pytest.raises(EnvironmentFailed, match=python):
        new_venue("venue", tmp_path, python=python)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_requirements_are_installed(stage: Path, tmp_path: Path) -> None:
    listed = new_venue("listed", stage, requirements=["six"], start=False)
    assert (listed.paths.site_packages / "six.py").exists()
    file = tmp_path / "requirements.txt"
    file.write_text("six>=1.16\n")
    filed = new_venue("filed", stage, requirements=str(file), start=False)
    assert (filed.paths.site_packages / "six.py").exists()


@pytest.mark.slow
def test_requirements_that_cannot_be_had(tmp_path: Path) -> None:
    for wanted in (["backstage-has-no-such-thing==1"], "/no/such/requirements.txt"):
        with pytest.raises(EnvironmentFailed, match=r"no-such-thing|no requirements file"):
            new_venue("venue", tmp_path, requirements=wanted)
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
@needs_root
def test_without_a_network_the_librarys_own_environment_suffices(stage: Path) -> None:
    code = LOOPBACK_UP + (
        "import sys, urllib.request\nfrom backstage.shortcuts import *\n"
        "venue = new_venue('offline', sys.argv[1])\nact = new_act(venue, 'blog')\n"
        "print(urllib.request.urlopen(act.url).status)\nvenue.stop()"
    )
    words = ["unshare", "--net", sys.executable, "-c", code, str(stage)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.stdout == "200\n", done.stderr


@pytest.mark.slow
@needs_root
def test_without_a_network_and_with_cold_caches(tmp_path: Path) -> None:
    code = (
        "import sys; from backstage.shortcuts import *\n"
        "new_venue('venue', sys.argv[1], requirements=['six'])"
    )
    place = tmp_path / "place"
    place.mkdir()
    cold = {"UV_CACHE_DIR": str(tmp_path / "uv"), "UV_HTTP_RETRIES": "0"}
    words = ["unshare", "--net", sys.executable, "-c", code, str(place)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=240, env={**os.environ, **cold}
    )
    assert "EnvironmentFailed: cannot install six" in done.stderr
    assert "check the network" in done.stderr
    assert not list(place.iterdir())


@pytest.mark.slow
@needs_root
def test_a_full_disk(disk: Path) -> None:
    filler = disk / "filler"
    filler.write_bytes(bytes(150_000_000))
    with pytest.raises(BackstageError, match="No space left") as caught:
        new_venue("venue", disk)
    assert isinstance(caught.value, CannotWrite | EnvironmentFailed)
    assert [path.name for path in disk.iterdir()] == ["filler"]
    filler.unlink()
    venue = new_venue("venue", disk)
    act = new_act(venue, "first")
    fill(filler)
    with pytest.raises((CannotWrite, ActFailed), match="No space left"):
        new_act(venue, "second")
    assert [path.name for path in venue.paths.acts.iterdir()] == ["first"]
    assert [entry.name for entry in venue] == ["first"]
    assert fetch(act)[0] == 200
    filler.unlink()
    assert fetch(new_act(venue, "second"))[0] == 200
    venue.stop()
    assert not processes_within(disk)


def test_no_permission(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = tmp_path / "closed"
    place.mkdir()
    if os.geteuid() == 0:
        # Nothing but the mount itself stops root.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], check=True)
        request.addfinalizer(lambda: subprocess.run(["umount", place], check=True))
    else:
        place.chmod(0o500)
    with pytest.raises(CannotWrite, match=r"Read-only file system|Permission denied") as caught:
        new_venue("venue", place)
    assert str(caught.value).startswith(f"cannot create the Venue {place}/venue: ")
    assert str(place / "venue") in str(caught.value.filename)


@pytest.mark.slow
def test_a_range_used_up(make_venue: MakeVenue) -> None:
    venue = make_venue()
    only = new_act(venue, "only", start=False).get_uwsgi_port()
    venue.paths.settings.write_text(f"ports: {only}-{only}\n")
    with pytest.raises(PortUnavailable, match=r"widen `ports` in .*venue\.yaml"):
        new_act(venue, "more")
    assert [act.name for act in venue] == ["only"]
    assert [path.name for path in venue.paths.acts.iterdir()] == ["only"]


@pytest.mark.slow
def test_an_act_that_cannot_start_is_not_made(
    venue: Venue, tmp_path: Path, fresh_name: str
) -> None:
    package = tmp_path / "project_name"
    package.mkdir()
    (package / "settings.py-tpl").write_text("SECRET_KEY = 'x'\n")
    (package / "wsgi.py-tpl").write_text("raise RuntimeError('broken on purpose')\n")
    with pytest.raises(ActFailed, match="broken on purpose"):
        new_act(venue, fresh_name, template=tmp_path)
    assert fresh_name not in venue
    left = {path.name for path in venue.path.glob(f"*/*{fresh_name}*")}
    assert left == {f"{fresh_name}.failed.log"}
