"""The variables of .env in the environment of everything that runs a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.errors import CheckFailed
from backstage.shortcuts import new_act
from backstage.venue import Venue

from .calling import call
from .conftest import fetch

pytestmark = pytest.mark.slow

# A project that reads no .env by itself: its variables are those of its process when it is loaded.
WSGI = """\
import json, os
SEEN = dict(os.environ)
NEEDED = os.environ.get("NEEDED", "yes")
assert NEEDED == "yes", "NEEDED is " + NEEDED
def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(SEEN).encode()]
"""


@pytest.fixture(scope="module")
def bare(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "bare", start=False)
    (act.paths.top / "bare" / "wsgi.py").write_text(WSGI)
    text = act.vassal_text
    act.rewrite(f"{text}env = FIXED=vassal\nset-placeholder = health=/\n", based_on=text)
    yield act
    venue.paths.env_file.unlink(missing_ok=True)


def seen(act: Act) -> dict[str, str]:
    found: dict[str, str] = json.loads(fetch(act)[1])
    return found


def test_they_are_read_at_each_load(venue: Venue, bare: Act) -> None:
    """Those of the vassal file come first, then the Act's, then the Venue's."""
    venue.paths.env_file.write_text("SHARED=venue\nOWN=venue\nFIXED=venue\n")
    bare.paths.env_file.write_text("OWN='act'\nFIXED=act\nGOES=soon\n")
    bare.start()
    told = seen(bare)
    assert (told["SHARED"], told["OWN"], told["FIXED"]) == ("venue", "act", "vassal")
    master = bare.pid
    bare.env.set(OWN="new")
    bare.env.unset("GOES")
    bare.restart()
    assert bare.pid == master
    told = seen(bare)
    assert (told["OWN"], "GOES" in told) == ("new", False)
    assert "SHARED" not in Path(f"/proc/{bare.pid}/environ").read_text()


def test_an_application_that_the_master_loads_reads_them_too(venue: Venue, bare: Act) -> None:
    """What was removed is gone, although a reload keeps the environment of the master."""
    text = bare.vassal_text
    bare.env.set(LATER="here")
    bare.rewrite(f"{text}lazy-apps = false\n", based_on=text)
    assert seen(bare)["LATER"] == "here"
    bare.env.unset("LATER")
    bare.restart()
    assert "LATER" not in seen(bare)
    bare.rewrite(text, based_on=bare.vassal_text)


def test_commands_of_the_project_get_the_same(venue: Venue, bare: Act) -> None:
    venue.paths.env_file.write_text("SHARED=venue\n")
    bare.env.set(OWN="act", FIXED="act")
    show = "import os; print(*(os.environ[name] for name in ('SHARED', 'OWN', 'FIXED')))"
    done = call("manage", "bare", "shell", "-v", "0", "-c", show, cwd=venue.path)
    assert done.stdout == "venue act vassal\n"


def test_new_code_is_tried_with_them(venue: Venue, bare: Act) -> None:
    bare.start()
    bare.env.set(NEEDED="no")
    with pytest.raises(CheckFailed, match="NEEDED is no"):
        bare.restart()
    bare.env.unset("NEEDED")
    bare.restart()
