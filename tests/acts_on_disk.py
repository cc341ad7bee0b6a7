"""Acts that tests begin with: only their files, in a Venue that has no Emperor."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from backstage.facts.sightings import Vassal
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi.stats import EmperorStats

from .own_ports import own_ports

UWSGI = Path(sys.executable).parent / "uwsgi"
needs_uwsgi = pytest.mark.skipif(not UWSGI.exists(), reason="no uWSGI beside this Python")


def with_project(top: Path) -> ActPaths:
    """An Act `blog` that has a Django project and no vassal file yet."""
    for name in ("vassals", "kept", "templates", "acts/blog/blog"):
        (top / name).mkdir(parents=True)
    act = VenuePaths(top).act("blog")
    act.manage.touch()
    return act


def with_vassal(top: Path, mtime_ns: int) -> ActPaths:
    """An Act `blog` with a vassal file of that mtime, kept too, which the real uWSGI can read."""
    for name in ("bin", "run", "vassals", "kept"):
        (top / name).mkdir()
    link_programs(top)
    act = VenuePaths(top).act("blog")
    port = own_ports().take()
    text = f"[uwsgi]\nstrict = true\nhttp-socket = 127.0.0.1:{port}\nthreads = 4\n"
    for path in (act.vassal, act.kept):
        path.write_text(text)
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return act


def link_programs(top: Path) -> None:
    """Give a Venue the uWSGI and the Python that run these tests."""
    (top / "bin/uwsgi").symlink_to(UWSGI)
    (top / "bin/python").symlink_to(sys.executable)


def reported(*, last_mod: int, pid: int) -> EmperorStats:
    """The report of an Emperor that runs `blog` and has acted on its file of that second."""
    vassal = Vassal(
        pid=pid,
        ready=True,
        accepting=True,
        cursed=False,
        on_demand=False,
        respawns=0,
        last_mod=last_mod,
    )
    return EmperorStats(pid=700, vassals={"blog.ini": vassal}, blacklist={})
