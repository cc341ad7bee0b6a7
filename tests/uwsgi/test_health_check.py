"""Which health check an Act has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstage.facts.health import HealthCheck
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.layout.shipped_files import shelf
from backstage.uwsgi.health_check import check_of

HTTP = "http-socket = 127.0.0.1:8001\n"


@pytest.fixture
def blog(tmp_path: Path) -> ActPaths:
    venue = VenuePaths(tmp_path)
    for directory in (venue.vassals, venue.kept, venue.templates):
        directory.mkdir()
    venue.settings.write_text("ports: 8001-8999\n")
    return venue.act("blog")


def write(blog: ActPaths, text: str, *, template: str = "", settings: str = "") -> None:
    template_file = blog.venue.templates / "django.ini"
    template_file.write_text(f"[uwsgi]\n{template}")
    blog.vassal.write_text(f"[uwsgi]\n{text}ini = {template_file}\n")
    if settings:
        blog.venue.settings.write_text(f"acts: {{blog: {{health: {settings}}}}}\n")


def test_an_act_that_speaks_http_is_asked_for_its_first_page(blog: ActPaths) -> None:
    write(blog, HTTP)
    assert check_of(blog) == HealthCheck(path="/")


@pytest.mark.parametrize(
    "text",
    ["socket = 127.0.0.1:3031\n", "attach-daemon2 = cmd=worker\n", "https = 127.0.0.1:1,a,b\n"],
)
def test_an_act_that_does_not_speak_http_is_not_asked(blog: ActPaths, text: str) -> None:
    write(blog, text)
    assert not check_of(blog)


def test_the_vassal_file_names_the_path_and_comes_before_its_template(blog: ActPaths) -> None:
    template = "set-placeholder = health=/from-template\n"
    write(blog, HTTP, template=template)
    assert check_of(blog).path == "/from-template"
    write(blog, HTTP + "set-placeholder = health=/readyz\n", template=template)
    assert check_of(blog).path == "/readyz"


def test_venue_yaml_comes_between_the_vassal_file_and_its_template(blog: ActPaths) -> None:
    template = "set-placeholder = health=/from-template\n"
    write(blog, HTTP, template=template, settings="/up")
    assert check_of(blog).path == "/up"
    write(blog, HTTP, template=template, settings="none")
    assert not check_of(blog)
    write(blog, HTTP + "set-placeholder = health=/own\n", template=template, settings="/up")
    assert check_of(blog).path == "/own"
    write(blog, HTTP + "set-placeholder = health=none\n", template=template, settings="/up")
    assert not check_of(blog)


def test_a_project_of_our_scaffold_is_asked_whether_it_is_ready(blog: ActPaths) -> None:
    """Not one that only has a module of that name."""
    module = blog.top / "blog" / "health.py"
    module.parent.mkdir(parents=True)
    write(blog, HTTP)
    module.write_text("def answer(): ...\n")
    assert check_of(blog).path == "/"
    module.write_bytes((shelf("scaffolds") / "django/project_name/health.py-tpl").read_bytes())
    assert check_of(blog).path == "/readyz"
    for line, path in (
        ("socket = 127.0.0.1:3031\n", "/readyz"),
        ("uwsgi-socket = /tmp/blog.sock\n", "/readyz"),
        ("set-placeholder = port=8005\n", ""),
    ):
        write(blog, line)
        assert check_of(blog).path == path
    write(blog, HTTP)
    module.unlink()
    os.mkfifo(module)
    assert check_of(blog).path == "/"


def test_the_kept_file_counts_while_the_act_is_stopped(blog: ActPaths) -> None:
    write(blog, HTTP + "set-placeholder = health=/readyz\n")
    blog.vassal.rename(blog.kept)
    assert check_of(blog).path == "/readyz"


@pytest.mark.parametrize("path", ["readyz", "/a b", "/a\x07", "", "http://example.org/"])
def test_a_path_that_no_request_can_have_is_not_used(blog: ActPaths, path: str) -> None:
    write(blog, HTTP + f"set-placeholder = health={path}\n")
    assert check_of(blog).path == "/"


def test_a_venue_yaml_that_cannot_be_read_asks_nothing(blog: ActPaths) -> None:
    write(blog, HTTP)
    blog.venue.settings.write_text("ports: [\n")
    assert not check_of(blog)
