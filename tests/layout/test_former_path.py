"""The former path of a Venue is replaced where it is named, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.former_path import FormerPath

PATH = FormerPath(Path("/srv/Drei"), Path("/srv/Vier und"))


@pytest.mark.parametrize(
    "text",
    [
        *("/srv/Drei", "/srv/Drei/bin", "a=/srv/Drei:b", "'/srv/Drei'", '"/srv/Drei/x"'),
        *("sqlite:////srv/Drei/db", "It is in /srv/Drei.", "/srv/Drei\n", "file:///srv/Drei"),
    ],
)
def test_it_is_replaced_where_it_is_named(text: str) -> None:
    assert PATH.replaced(text) == text.replace("/srv/Drei", "/srv/Vier und")
    assert PATH.lines(text) == [1]


@pytest.mark.parametrize(
    "text", ["/srv/Drei2", "/srv/Drei-old/x", "/srv/Drei.bak", "/x/srv/Drei", "srv/Drei", ""]
)
def test_other_paths_stay(text: str) -> None:
    assert PATH.replaced(text) == text
    assert PATH.lines(text) == []


def test_a_venue_may_go_into_a_directory_of_its_own_name() -> None:
    path = FormerPath(Path("/srv/V"), Path("/srv/V/V"))
    assert path.replaced("/srv/V/bin:/srv/V") == "/srv/V/V/bin:/srv/V/V"
    assert path.target(Path("/srv/V/acts")) == Path("/srv/V/V/acts")


def test_a_shell_gets_one_word() -> None:
    assert PATH.replaced_in_shell("x=/srv/Drei\n") == "x='/srv/Vier und'\n"
    back = FormerPath(PATH.after, PATH.before)
    assert back.replaced_in_shell("x='/srv/Vier und'\n") == "x=/srv/Drei\n"


def test_all_texts_of_a_record_change() -> None:
    value = {"a": ["/srv/Drei", 1, None], "b": {"c": "/srv/Drei/x"}}
    new = {"a": ["/srv/Vier und", 1, None], "b": {"c": "/srv/Vier und/x"}}
    assert PATH.replaced_within(value) == new


def test_links_elsewhere_stay() -> None:
    assert PATH.target(Path("/srv/Drei/acts/x")) == Path("/srv/Vier und/acts/x")
    for other in ("/srv/Drei2/x", "acts/x", "../Drei/x", "/usr/bin/python3"):
        assert PATH.target(Path(other)) is None
