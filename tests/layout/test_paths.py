"""The paths of a Venue, and their maximum length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.errors import NameNotAllowed
from backstage.layout.paths import VenuePaths

LAYOUT = {
    "settings": "venue.yaml",
    "building": ".building",
    "python": "bin/python",
    "emperor_ini": "emperor.ini",
    "emperor_lock": ".emperor.lock",
    "emperor_pid": "run/emperor.pid",
    "emperor_stats": "run/emperor.stats",
    "emperor_log": "log/emperor.log",
    "acts": "acts",
    "templates": "templates",
    "vassals": "vassals",
    "kept": "kept",
    "retired": "retired",
    "run": "run",
    "log": "log",
    "shared_socket": "shared/socket",
}
ACT_LAYOUT = {
    "top": "acts/blog",
    "unfinished": "acts/.blog.building",
    "preparing": "kept/blog.preparing",
    "env_file": "acts/blog/.env",
    "manage": "acts/blog/manage.py",
    "vassal": "vassals/blog.ini",
    "kept": "kept/blog.ini",
    "stats": "run/blog.stats",
    "lock": "run/blog.lock",
    "log": "log/blog.log",
}
# The most bytes that a socket's path may have.
ROOM = 107


@pytest.mark.parametrize(("noun", "place"), LAYOUT.items())
def test_layout_of_a_venue(noun: str, place: str) -> None:
    """No path may change, because new versions must find Venues made by old ones."""
    assert getattr(VenuePaths(Path("/srv/MyVenue")), noun) == Path("/srv/MyVenue") / place


@pytest.mark.parametrize(("noun", "place"), ACT_LAYOUT.items())
def test_layout_of_an_act(noun: str, place: str) -> None:
    act = VenuePaths(Path("/srv/MyVenue")).act("blog")
    assert getattr(act, noun) == Path("/srv/MyVenue") / place


def test_site_packages_follow_the_environments_python(tmp_path: Path) -> None:
    venue = VenuePaths(tmp_path)
    assert venue.site_packages == tmp_path / "lib"
    site_packages = tmp_path / "lib" / "python3.13" / "site-packages"
    site_packages.mkdir(parents=True)
    assert venue.site_packages == site_packages


def act_called(name: str) -> Callable[[Path], None]:
    return lambda top: VenuePaths(top).act(name).check_socket_room()


@pytest.mark.parametrize(
    ("below_top", "check"),
    [
        ("/run/emperor.stats", lambda top: VenuePaths(top).check_socket_room()),
        ("/run/blog.stats", act_called("blog")),
        ("/run/a_much_longer_name.stats", act_called("a_much_longer_name")),
    ],
)
def test_a_socket_path_has_room_for_107_bytes(
    below_top: str, check: Callable[[Path], None]
) -> None:
    """The limit counts bytes, not characters; the error names the length."""
    fits = ROOM - len(below_top)
    check(Path("/" + "v" * (fits - 1)))
    check(Path("/" + "v" * (fits - 3) + "ü"))
    for top in ("/" + "v" * fits, "/" + "v" * (fits - 2) + "ü"):
        with pytest.raises(NameNotAllowed, match="would have 108 bytes"):
            check(Path(top))
