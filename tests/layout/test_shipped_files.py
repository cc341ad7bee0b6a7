"""The files shipped with the library, and projects rendered from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.layout.shipped_files import File, configuration, project_files, shelf


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("emperor", "emperor.ini"),
        ("emperor", "venue.yaml"),
        ("vassal_templates", "vassal.ini"),
        ("vassal_templates", "django.ini"),
        ("scaffolds", "django/manage.py-tpl"),
        ("scaffolds", "django/.env.example"),
    ],
)
def test_every_shelf_is_found(name: str, file: str) -> None:
    assert (shelf(name) / file).is_file()


def test_only_markers_that_are_given_are_filled_in() -> None:
    text = configuration("vassal_templates", "vassal.ini", act="blog", port="8001")
    assert "# The Act blog." in text
    assert "http-socket = 127.0.0.1:8001\n" in text
    assert "ini = @VENUE@/templates/django.ini" in text


@pytest.mark.parametrize(
    ("shelf_name", "file"),
    [
        ("emperor", "emperor.ini"),
        ("emperor", "venue.yaml"),
        ("vassal_templates", "vassal.ini"),
        ("vassal_templates", "django.ini"),
    ],
)
def test_no_marker_is_left(shelf_name: str, file: str) -> None:
    markers = {"act": "blog", "port": "8001", "ports": "8001-8999", "venue": "/srv/V"}
    markers["uwsgi"] = "/srv/V/bin/uwsgi"
    assert "@" not in configuration(shelf_name, file, **markers)


def test_a_value_is_put_in_as_it_stands() -> None:
    """A backslash or marker in it has no special meaning."""
    text = configuration("vassal_templates", "vassal.ini", venue=r"/srv/\1 @ACT@", act="blog")
    assert r"ini = /srv/\1 @ACT@/templates/django.ini" in text


def test_a_template_is_rendered_by_djangos_convention(tmp_path: Path) -> None:
    """Names, suffixes and variables are replaced; all other bytes and the mode are kept."""
    code = b"name = '{{ project_name }}'\nother = '{{ unknown }}' + '{{project_name}}'\n"
    sources = {
        "project_name/settings.py-tpl": (code, 0o644),
        "project_name/deep/project_name.txt": (b"{{ project_name }}\n", 0o600),
        "manage.py-tpl": (b"#!{{ a }}{{ b }}\r\n", 0o755),
        "logo.png": (b"\x89PNG\xff{{ project_name }}", 0o644),
        ".gitignore": (b"", 0o644),
    }
    for name, (content, mode) in sources.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    (tmp_path / "empty").mkdir()

    files = project_files(tmp_path, {"project_name": "blog", "a": "{{ b }}", "b": r"\g<0>"})

    assert sorted(files, key=lambda file: file.path) == [
        File(Path(".gitignore"), b"", 0o644),
        File(Path("blog/deep/blog.txt"), b"{{ project_name }}\n", 0o600),
        File(
            Path("blog/settings.py"),
            b"name = 'blog'\nother = '{{ unknown }}' + '{{project_name}}'\n",
            0o644,
        ),
        File(Path("logo.png"), b"\x89PNG\xff{{ project_name }}", 0o644),
        File(Path("manage.py"), rb"#!{{ b }}\g<0>" + b"\r\n", 0o755),
    ]


def test_the_bundled_scaffold_is_a_project() -> None:
    variables = {"project_name": "blog", "django_version": "5.2.19", "docs_version": "5.2"}
    files = {
        str(file.path): file for file in project_files(shelf("scaffolds") / "django", variables)
    }
    assert files.keys() >= {
        *("manage.py", ".env.example", ".gitignore", "templates/welcome.html"),
        *("blog/__init__.py", "blog/settings.py", "blog/urls.py", "blog/wsgi.py", "blog/asgi.py"),
    }
    assert files["manage.py"].mode & 0o111
    for name, file in files.items():
        assert "project_name" not in name
        if name.endswith(".py"):
            assert b"{{" not in file.content, name
            compile(file.content, name, "exec")
