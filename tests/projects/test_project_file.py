"""project.yaml: written for people, read strictly, and changed without touching their lines."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.errors import SettingsError
from backstage.projects import project_file
from backstage.projects.project_file import ProjectFile

WHOLE = ProjectFile(
    source="/home/me/my shop",
    ref="v1.4",
    manage="src/manage.py",
    settings="config.settings.production",
    wsgi="config.wsgi:application",
    asgi="config.asgi:application",
    python="3.12",
    build=("npm ci && npm run build",),
    static={"/static/": "staticfiles", "/assets/": "/srv/assets"},
    media={"/media/": "../data/media"},
    databases={"default": "../data/db.sqlite3", "logs": "postgresql://db.test/logs"},
    data=("db.sqlite3", "uploads"),
    files={"shop/local.py": "local settings.py"},
    companions={"worker": "celery -A shop worker -Q 'a: b' # c"},
    health="/healthz",
    keep="5",
)
EDITED = """\
# Mine.
source: "../shop"   # the main one

# About settings.
settings: shop.settings # for users
static:
  /static/: out   # collected
  # old:
  #  /old/: x

# About companions.
companions: {a: b}
health: /up
# The end.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.yaml"


def fault(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        project_file.read(path)
    return str(refused.value).removeprefix(f"{path}, ")


def test_what_is_written_is_read_back(path: Path) -> None:
    assert all(WHOLE.value(each.name) for each in fields(ProjectFile))
    path.write_text(WHOLE.text())
    assert project_file.read(path) == WHOLE


def test_each_key_has_a_comment_that_says_where_it_was_found(path: Path) -> None:
    lines = WHOLE.text({"settings": "Procfile", "wsgi": "evil\nkeep: 1"}).splitlines()
    keys = [number for number, line in enumerate(lines) if line[:1].isalpha()]
    assert len(keys) == len(fields(ProjectFile))
    assert all(lines[number - 1].startswith("# ") for number in keys)
    at = lines.index("settings: config.settings.production")
    assert lines[at - 1] == "# The settings module (DJANGO_SETTINGS_MODULE). Found in Procfile."
    assert "evil" not in "".join(lines)


def test_an_empty_file_says_nothing(path: Path) -> None:
    path.write_text("# Nothing.\n")
    assert project_file.read(path) == ProjectFile()
    assert [line for line in ProjectFile().text().splitlines() if not line.startswith("#")] == []


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable() and text.strip()))
def test_any_line_can_be_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    known = ProjectFile(source=text, build=(text,), static={"/s/": text})
    path.write_text(known.text(), encoding="utf-8")
    assert project_file.read(path) == known


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seting: x", "line 1: unknown key 'seting'; did you mean settings?"),
        ("\nzzz: x", "line 2: unknown key 'zzz'; known keys: source, ref, manage, "),
        ("ref: a\nref: b", "line 2: 'ref' is already in line 1; remove one of the two"),
        ("settings: a-b", "line 1: settings must be a module such as shop.settings, not 'a-b'"),
        ("wsgi: a.b", "line 1: wsgi must be an application such as shop.wsgi:application"),
        ("health: up", "line 1: health must be a path such as /healthz, not 'up'"),
        ("keep: 0", "line 1: keep must be a number from 1 to 999, not '0'"),
        ("build: x", "line 1: build must be a list of at most 200 lines"),
        ("static: [x]", "line 1: static must be lines of `key: value`"),
        (
            "static:\n  out: /x",
            "line 2: a URL of static must be a path such as /healthz, not 'out'",
        ),
        ("databases:\n  a b: c", "line 2: a name in databases must be a word, not 'a b'"),
        ("data:\n  - ok\n  - ../x", "line 3: data must name what is in the project, not '../x'"),
        ("files: {/etc/x: y}", "line 1: files must name what is in the project, not '/etc/x'"),
        ('source: "a\\nb"', "line 1: source must be one line, not 'a\\nb'"),
        ("source:", "line 1: source must be one line, not ''"),
        ("- x", "line 1: project.yaml must be lines of `key: value`"),
        ("a: [", "line 1: not valid YAML"),
    ],
)
def test_a_fault_is_told_with_its_line(path: Path, text: str, told: str) -> None:
    assert fault(path, text).startswith(told)


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"source": "../b"}, 'source: "../shop"   # the main', "source: ../b   # the main"),
        ({"settings": "shop.x"}, "shop.settings # for", "shop.x # for"),
        ({"health": "/b"}, "health: /up", "health: /b"),
        ({"static": {"/s/": "o"}}, "  /static/: out   # collected\n", "  /s/: o\n"),
        ({"companions": {"c": "d"}}, "companions: {a: b}", "companions:\n  c: d"),
        ({"settings": ""}, "settings: shop.settings # for users\n", ""),
        ({"companions": {}}, "companions: {a: b}\n", ""),
        ({"health": "/up", "source": "../shop"}, "", ""),
        (
            {"ref": "v2", "keep": "3"},
            "# The end.\n",
            "# The end.\n\n# The branch, tag or commit of it.\nref: v2\n\n"
            "# How many releases are kept.\nkeep: 3\n",
        ),
    ],
)
def test_a_change_leaves_all_other_lines(
    path: Path, changes: dict[str, project_file.Value], before: str, after: str
) -> None:
    path.write_text(EDITED)
    text = project_file.changed(path, changes)
    assert text == EDITED.replace(before, after, 1)
    former = project_file.read(path)
    path.write_text(text)
    now = project_file.read(path)
    assert {key: now.value(key) for key in changes} == changes
    others = [each.name for each in fields(ProjectFile) if each.name not in changes]
    assert [now.value(each) for each in others] == [former.value(each) for each in others]


def test_a_value_without_a_line_of_its_own_can_be_changed(path: Path) -> None:
    """Whatever its style: over several lines, or at the end of a file without a newline."""
    path.write_text("# Mine.\nbuild:\n- a\n- b\nhealth: >-\n  /up\nref: 'x\n  y'")
    changes: dict[str, project_file.Value] = {"health": "/b", "build": ("c",), "ref": "z"}
    path.write_text(project_file.changed(path, changes))
    assert project_file.read(path) == ProjectFile(health="/b", build=("c",), ref="z")
    assert path.read_text() == "# Mine.\nbuild:\n  - c\nhealth: /b\nref: z"


def test_a_faulty_file_or_change_is_refused(path: Path) -> None:
    path.write_text("health: up\n")
    with pytest.raises(SettingsError, match="line 1: health must"):
        project_file.changed(path, {"ref": "a"})
    path.write_text("health: /up\n")
    with pytest.raises(SettingsError, match="settings must be a module"):
        project_file.changed(path, {"settings": "a-b"})


@pytest.mark.parametrize("text", ["{health: /up, ref: a}", "ref: &x a\nsource: *x\nhealth: /up\n"])
def test_a_file_without_lines_of_its_own_is_written_anew(path: Path, text: str) -> None:
    path.write_text(text)
    before = project_file.read(path)
    path.write_text(project_file.changed(path, {"ref": "b"}))
    assert project_file.read(path) == replace(before, ref="b")
