"""Allowed names, and suggestions for the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstage.errors import NameNotAllowed
from backstage.layout.names import (
    check_act_name,
    check_not_importable,
    check_venue_name,
    check_venue_path,
)


@pytest.mark.parametrize("name", ["blog", "blog2", "Blog", "_x", "a", "a" * 64, "match", "Emperor"])
def test_act_names_that_are_fine(name: str) -> None:
    check_act_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "Python package"),
        ("my-blog", "try 'my_blog'"),
        ("2blog", "try 'blog'"),
        ("my blog!", "try 'my_blog'"),
        ("../etc", "try 'etc'"),
        ("a/b", "try 'a_b'"),
        ("blog.ini", "try 'blog_ini'"),
        ("blog\n", "try 'blog'"),
        ("blog\nmodule = evil", "try 'blog_module_evil'"),
        ("%(act)", "try 'act'"),
        (".blog", "try 'blog'"),
        ("blög", "try 'bl_g'"),
        ("日本", "Python package"),
        ("a" * 65, "65 characters"),
        ("class", "try 'class_site'"),
        ("None", "try 'None_site'"),
        ("emperor", "the Emperor's own"),
        # Its source would be among the published files.
        ("static", "try 'static_site'"),
        ("staticfiles", "try 'staticfiles_site'"),
    ],
)
def test_act_names_that_are_refused(name: str, why: str) -> None:
    """The error carries the name and suggests another."""
    with pytest.raises(NameNotAllowed) as caught:
        check_act_name(name)
    assert caught.value.name == name
    assert why in caught.value.why
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["2cla-ss", "-"])
def test_nothing_is_suggested_that_would_be_refused_too(name: str) -> None:
    with pytest.raises(NameNotAllowed) as caught:
        check_act_name("1class" if name == "2cla-ss" else name)
    assert "try" not in caught.value.why


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("blog", False),
        ("django", True),
        ("six", True),
        ("_speed", True),
        ("json", True),
        ("site", True),
        ("test", True),
        ("djang", False),
        ("spee", False),
    ],
)
def test_a_module_that_exists_is_no_name_for_an_act(tmp_path: Path, name: str, taken: bool) -> None:
    """These are Python's modules and the environment's packages, modules and extensions."""
    (tmp_path / "django").mkdir()
    for file in ("six.py", "_speed.cpython-311-x86_64-linux-gnu.so"):
        (tmp_path / file).touch()
    if not taken:
        check_not_importable(name, tmp_path)
        return
    with pytest.raises(NameNotAllowed, match=f"try '{name}_site'"):
        check_not_importable(name, tmp_path)


@pytest.mark.parametrize("name", ["MyVenue", "my venue", "2026", "_v", "a.b-c+d@e=f,g", "v" * 64])
def test_venue_names_that_are_fine(name: str) -> None:
    check_venue_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "/abs", "-x", " x", "a\n", "a$b", "a%b", "ü", "v" * 65],
)
def test_venue_names_that_are_refused(name: str) -> None:
    with pytest.raises(NameNotAllowed) as caught:
        check_venue_name(name)
    assert caught.value.name == name


@pytest.mark.parametrize("path", ["/srv/my venue", "/srv/ünï", "/srv/a.b-c+d@e=f,g"])
def test_venue_paths_that_are_fine(path: str) -> None:
    check_venue_path(Path(path))


@pytest.mark.parametrize("character", ["%", "$", ":", "\\", '"', "'", "\n", "\t", "\x7f", "\udce9"])
def test_what_uwsgi_would_read_as_something_else_is_refused(character: str) -> None:
    """The error names the character."""
    with pytest.raises(NameNotAllowed) as caught:
        check_venue_path(Path(f"/srv/a{character}b/MyVenue"))
    assert repr(character) in caught.value.why


@pytest.mark.parametrize("check", [check_act_name, check_venue_name])
def test_a_name_is_a_text(check: Callable[[Any], None]) -> None:
    with pytest.raises(TypeError, match="a name is a str, not None"):
        check(None)
