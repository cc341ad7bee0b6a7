"""The lines that uWSGI reads for a vassal, through includes; no fault in them raises an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.layout.paths import ActPaths, VenuePaths
from backstage.uwsgi import includes
from backstage.uwsgi.includes import Line, Script

Read = Callable[..., Script]


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    """An Act that consists of files only."""
    for directory in ("vassals", "templates"):
        (tmp_path / directory).mkdir()
    return VenuePaths(tmp_path).act("blog")


@pytest.fixture
def read(act: ActPaths) -> Read:
    """Write some lines to the Act's vassal file and read it."""

    def read_it(lines: str, late: bool = False) -> Script:
        text = f"[uwsgi]\n{lines}\n"
        act.vassal.write_text(text)
        read_some = includes.read_all if late else includes.read
        return read_some(act.venue, act.vassal, text)

    return read_it


def include(act: ActPaths, name: str, text: str) -> None:
    (act.venue.templates / name).write_text(text)


def shown(script: Script) -> list[str]:
    return [str(line.blame(f"{line.key}={line.value}")) for line in script.lines]


# Reading


def test_lines_come_in_the_order_in_which_uwsgi_reads_them(act: ActPaths, read: Read) -> None:
    """Included lines follow the line that includes them, and paths resolve as in uWSGI."""
    include(act, "outer.ini", "# ours\n[uwsgi]\nb = 2\ninclude = ../templates/inner.ini\nd = 4\n")
    include(act, "inner.ini", "[uwsgi]\nc = 3\n[other]\nx = 0\n")
    script = read("a = 1\nini = ../templates/outer.ini\ne = 5")
    assert shown(script) == [
        "vassals/blog.ini, line 2: a=1",
        "vassals/blog.ini, line 3: ini=../templates/outer.ini",
        "templates/outer.ini, line 3: b=2",
        "templates/outer.ini, line 4: include=../templates/inner.ini",
        "templates/inner.ini, line 2: c=3",
        "templates/outer.ini, line 5: d=4",
        "vassals/blog.ini, line 4: e=5",
    ]


def test_a_file_outside_of_the_venue_is_shown_whole(
    read: Read, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("elsewhere") / "base.ini"
    base.write_text("[uwsgi]\na = 1\n")
    assert shown(read(f"ini = {base}"))[1:] == [f"{base}, line 2: a=1"]


def test_a_section_may_be_included_alone(act: ActPaths, read: Read) -> None:
    """The section may be in another file or in the same."""
    include(act, "base.ini", "[uwsgi]\na = 1\n[more]\nb = 2\n")
    script = read("ini = ../templates/base.ini:more\nini = blog.ini:more\n[more]\nc = 3")
    assert [line.key for line in script.lines] == ["ini", "b", "ini", "c"]
    assert not any(line.unread for line in script.lines)


def test_signs_mean_the_file_they_stand_in_and_capitals_the_first(
    act: ActPaths, read: Read
) -> None:
    include(act, "base.ini", "[uwsgi]\na = %n of %N in %d\n")
    for option in ("ini", "inherit"):
        script = read(f"{option} = %d../templates/base.ini", late=True)
        assert script.lines[-1].value == f"base of blog in {act.venue.templates}/"


def test_a_file_may_be_included_twice(act: ActPaths, read: Read) -> None:
    """It is circular only where it includes itself."""
    include(act, "base.ini", "[uwsgi]\na = 1\n")
    script = read("ini = ../templates/base.ini\nini = ../templates/base.ini")
    assert [line.key for line in script.lines] == ["ini", "a", "ini", "a"]
    assert not any(line.circular for line in script.lines)


def test_what_includes_itself_is_read_once(act: ActPaths, read: Read) -> None:
    """This holds through another file too; the line that closes the circle is blamed."""
    include(act, "base.ini", "[uwsgi]\nini = blog.ini\nb = 2\n")
    script = read("ini = ../templates/base.ini\na = 1")
    assert [line.key for line in script.lines] == ["ini", "ini", "b", "a"]
    (closing,) = (line for line in script.lines if line.circular)
    told = str(closing.blame(closing.unread))
    assert told == "templates/base.ini, line 2: blog.ini includes itself"


def test_files_that_include_each_other_again_and_again_are_not_all_read(
    act: ActPaths, read: Read
) -> None:
    """Thirty files of two lines each mean a billion lines."""
    for number in range(30):
        include(act, f"{number}.ini", f"[uwsgi]\nini = %d{number + 1}.ini\n" * 2)
    include(act, "30.ini", "[uwsgi]\na = 1\n")
    script = read("ini = ../templates/0.ini")
    assert len(script.lines) < 5000
    endless = next(line for line in script.lines if line.circular)
    assert endless.unread == "more than 1000 files"


def test_a_file_without_end_is_not_read_to_its_end(act: ActPaths, read: Read) -> None:
    include(act, "long.ini", "[uwsgi]\na = 1\n")
    with (act.venue.templates / "long.ini").open("r+b") as file:
        file.truncate(2**40)
    assert [line.key for line in read("ini = ../templates/long.ini").lines][:2] == ["ini", "a"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.ini", "cannot read no.ini: No such file or directory"),
        ("../templates", "cannot read ../templates: Is a directory"),
        ("a\0b.ini", "cannot read a\0b.ini: No such file or directory"),
        (
            "%(home)/no.ini",
            "cannot read %(home)/no.ini: No such file or directory; "
            "uWSGI does not expand placeholders here",
        ),
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(read: Read, name: str, why: str) -> None:
    script = read(f"ini = {name}\na = 1")
    assert [(line.key, line.unread) for line in script.lines] == [("ini", why), ("a", "")]
    assert not script.lines[0].circular


def test_bytes_that_are_no_text_are_read_all_the_same(act: ActPaths, read: Read) -> None:
    (act.venue.templates / "base.ini").write_bytes(b"[uwsgi]\n# caf\xe9\na = \xff\n")
    assert read("ini = ../templates/base.ini").lines[-1].value == "\N{REPLACEMENT CHARACTER}"


def test_an_inherited_file_is_read_last_when_all_placeholders_are_known(
    act: ActPaths, read: Read
) -> None:
    """uWSGI does the same; the includes of the inherited file are read with it."""
    include(act, "base.ini", "[uwsgi]\nset-placeholder = home=../templates\nb = 2\n")
    include(act, "late.ini", "[uwsgi]\nc = 3\nini = ../templates/base.ini\ninherit = %(more)\n")
    include(act, "more.ini", "[uwsgi]\nd = 4\n")
    more = "set-placeholder = more=../templates/more.ini"
    lines = f"inherit = %(home)/late.ini\n{more}\nini = ../templates/base.ini\na = 1"
    script = read(lines, late=True)
    placeholder = "set-placeholder"
    assert [line.key for line in script.lines] == [
        *("inherit", placeholder, "ini", placeholder, "b", "a"),
        *("c", "ini", placeholder, "b", "inherit", "d"),
    ]
    assert not any(line.unread for line in script.lines)
    assert read(lines).lines == script.lines[:6]


def test_what_inherits_itself_is_read_no_third_time(act: ActPaths, read: Read) -> None:
    include(act, "base.ini", "[uwsgi]\na = 1\ninherit = ../templates/base.ini\n")
    script = read("inherit = ../templates/base.ini", late=True)
    assert [line.key for line in script.lines] == ["inherit", "a", "inherit"]
    assert len(read("inherit = blog.ini", late=True).lines) == 2
    assert len(read("inherit = no.ini", late=True).lines) == 1


def test_a_file_meant_by_a_placeholder_is_known_although_uwsgi_refuses_it(
    act: ActPaths, read: Read
) -> None:
    include(act, "base.ini", "[uwsgi]\na = 1\n")
    lines = "ini = %(home)/base.ini\nset-placeholder = home=../templates"
    script = read(lines, late=True)
    assert [line.key for line in script.lines] == ["ini", "set-placeholder", "a"]
    assert script.lines[0].unread.endswith("uWSGI does not expand placeholders here")
    assert read(lines).lines == script.lines[:2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ini", "exec://cat base.ini"),
        ("ini", ":more"),
        ("include", "../templates/base.yaml"),
        ("env", "A=@(exec://true)"),
        ("config", "../templates/base.ini"),
        ("flock", "x"),
        ("set", "stop=x"),
    ],
)
def test_what_is_more_than_an_ini_hides_and_is_not_read(
    act: ActPaths, read: Read, key: str, value: str
) -> None:
    for name in ("base.ini", "base.yaml"):
        include(act, name, "[uwsgi]\na = 1\n")
    (line,) = read(f"{key} = {value}").lines
    assert line.hides
    assert not line.unread


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ini", "base"),
        ("inherit", "base.yaml"),
        ("set", "a=stop"),
        ("env", "A=http://x"),
        ("a", ":more"),
    ],
)
def test_what_hides_nothing(key: str, value: str) -> None:
    assert not Line("", 1, key, value).hides


# Meaning


def test_sections_of_its_own_are_read_from_the_text_that_is_given(act: ActPaths) -> None:
    """While an edit is checked, the file on disk is different."""
    act.vassal.write_text("[uwsgi]\na = 1\n")
    text = "[uwsgi]\nini = blog.ini:more\n[more]\nb = 2\n"
    assert shown(includes.read(act.venue, act.vassal, text)) == [
        *("vassals/blog.ini, line 2: ini=blog.ini:more", "vassals/blog.ini, line 4: b=2")
    ]


def test_values_have_the_first_meaning_of_their_placeholders(read: Read) -> None:
    script = read("a = %(x)/%(y)\nset-ph = x=1\nset = x=2")
    assert script.values("a", "set") == [("a", "1/%(y)"), ("set", "x=2")]
    (line,) = script.all("a")
    assert script.unset(line) == "%(y)"
    assert script.unset(script.all("set")[0]) == ""


def test_of_options_that_mean_the_same_the_last_line_counts(read: Read) -> None:
    script = read("venv = 1\nhome = 2\nvenv = 3\nother = 4")
    found = script.last("home", "venv")
    assert found
    assert found.value == "3"
    assert script.last("virtualenv") is None
    assert [line.value for line in script.all("venv", "home")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("a/%(b)", True),
        ("$(HOME)", False),
        ("@(file)", False),
        ("%(b + 1)", False),
        ("fd://3", False),
        ("%k", False),
    ],
)
def test_only_uwsgi_can_fill_in_what_lies_outside(read: Read, value: str, known: bool) -> None:
    script = read(f"a = {value}")
    assert script.knows(script.lines[0]) is known


@pytest.mark.parametrize("logic", ["if-exists = x", "if-not-env = x", "for = 1 2"])
def test_logic_makes_branches(read: Read, logic: str) -> None:
    assert read(f"{logic}\na = 1").branches
    assert not read("ifa = x\nforce = 1\na = if").branches


@pytest.mark.parametrize(
    ("lines", "strict"),
    [
        ("a = 1", False),
        ("strict = true", True),
        ("strict", True),
        ("strict = true\nstrict = No", False),
    ],
)
def test_strict_is_what_the_last_line_says(read: Read, lines: str, strict: bool) -> None:
    assert read(lines).strict is strict


def test_addresses_are_those_of_sockets_and_of_a_daemon(read: Read) -> None:
    script = read(
        "http-socket = [::1]:%(p)\nsocket = run/a:b.sock\nsocket = :x\nhttp = $(HOST):1\n"
        "stats = :2\nset-placeholder = p=8001\nset-placeholder = port=8002\nhttps = 8003"
    )
    told = [(line.key, value, match["port"]) for line, value, match in script.addresses()]
    assert told == [
        ("http-socket", "[::1]:8001", "8001"),
        ("socket", ":x", ""),
        ("set-placeholder", "127.0.0.1:8002", "8002"),
    ]


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("need-plugin", "zzyzx", 'unable to load plugin "zzyzx"'),
        ("cron", "1", 'invalid value for "cron"'),
        ("set-placeholder", "threads=4", "you cannot use threads as a placeholder"),
        ("set-ph", "colour", "invalid placeholder/--set value"),
    ],
)
def test_a_complaint_fits_the_line_whose_words_it_has(key: str, value: str, complaint: str) -> None:
    assert Line("", 1, key, value).fits(complaint)
    assert not Line("", 1, "set-ph", "colours=b").fits(complaint)
    assert not Line("", 1, "a", "b").fits(complaint)


@pytest.mark.parametrize(
    ("lines", "others", "alike"),
    [
        ("threads = 4", "threads = 8", True),
        ("threads = 4", "threds = 4", False),
        ("threads = 4", "threads = 4\nmaster = true", False),
        ("strict = true", "strict = false", False),
        ("ini = one.ini", "ini = two.ini", False),
        ("set-placeholder = a=1", "set-placeholder = a=2", True),
        ("set-placeholder = a=1", "set-placeholder = b=1", False),
        ("set-placeholder = a=1", "set-placeholder = a", False),
    ],
)
def test_scripts_of_one_shape_are_read_alike(
    read: Read, lines: str, others: str, alike: bool
) -> None:
    assert (read(lines).shape == read(others).shape) is alike
