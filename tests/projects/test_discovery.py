"""What files tell of the project in them, in the layouts that projects really have."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import ProjectRefused
from backstage.projects.discovery import Unknown, discover
from backstage.projects.manage import Manage

from .trees import RUNS, manage_py, plain, plant, wsgi_py

SETTINGS = "INSTALLED_APPS = []\n"


def settings_of(top: Path) -> str:
    return discover(top).settings


# Where manage.py is


def test_a_new_project(tmp_path: Path) -> None:
    found = discover(plant(tmp_path, plain()))
    assert found.manage == Manage(file="manage.py")
    assert (found.settings, found.wsgi, found.asgi) == (
        "shop.settings",
        "shop.wsgi:application",
        "",
    )
    assert found.unknown == ()
    assert found.origins["wsgi"] == "shop/settings.py"


@pytest.mark.parametrize("below", ["", "src/", "a b/ü/"])
def test_the_shallowest_manage_py_counts(tmp_path: Path, below: str) -> None:
    deeper = plain("other", f"{below}apps/other/")
    found = discover(plant(tmp_path, {**deeper, **plain(below=below)}))
    assert found.manage == Manage(file=f"{below}manage.py", directory=below.rstrip("/"))
    assert found.settings == "shop.settings"


def test_two_that_are_equally_deep_are_refused_with_what_to_type(tmp_path: Path) -> None:
    plant(tmp_path, {**plain("one", "one/"), **plain("two", "two/")})
    with pytest.raises(ProjectRefused) as refused:
        discover(tmp_path)
    assert refused.value.found == ("one/manage.py", "two/manage.py")
    assert str(refused.value) == (
        f"{tmp_path} has several of a manage.py equally deep: one/manage.py and two/manage.py. "
        "Type: --manage one/manage.py"
    )
    told = discover(tmp_path, manage="two/manage.py")
    assert (told.manage, told.settings) == (
        Manage(file="two/manage.py", directory="two"),
        "two.settings",
    )
    with pytest.raises(ProjectRefused, match=r"has no three/manage.py"):
        discover(tmp_path, manage="three/manage.py")


def test_examples_templates_and_others_scripts_are_no_project(tmp_path: Path) -> None:
    plant(tmp_path, plain("shop", "backend/site/"))
    plant(tmp_path, plain("demo", "example/"))
    template = {"template/manage.py": manage_py("{{ project_name }}.settings")}
    plant(tmp_path, {**template, "tools/manage.py": "from flask_script import Manager\n"})
    plant(tmp_path, {"{{slug}}/manage.py": manage_py("x.settings")})
    assert discover(tmp_path).settings == "shop.settings"


def test_a_lone_example_is_better_than_nothing(tmp_path: Path) -> None:
    assert discover(plant(tmp_path, plain("demo", "example/"))).settings == "demo.settings"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project.scripts]\nother = "shop.x:y"\nshop-manage = "shop.run:main"'),
        ("pyproject.toml", '[tool.poetry.scripts]\nshop-manage = "shop.run:main"'),
        ("setup.cfg", "[options.entry_points]\nconsole_scripts =\n    shop-manage = shop.run:main"),
        ("shop-1.dist-info/entry_points.txt", "[console_scripts]\nshop-manage = shop.run:main\n"),
    ],
)
@pytest.mark.parametrize("below", ["", "src/"])
def test_without_manage_py_an_installed_program(
    tmp_path: Path, file: str, text: str, below: str
) -> None:
    package = {f"{below}shop/run.py": manage_py("shop.settings"), f"{below}shop/x.py": RUNS}
    plant(tmp_path, {file: text, **package, f"{below}shop/settings.py": SETTINGS})
    found = discover(tmp_path)
    assert found.manage == Manage("", "shop-manage", "shop.run", below.rstrip("/"))
    assert str(found.manage) == "shop-manage"
    assert (found.settings, found.unknown) == ("shop.settings", ())


def test_a_manage_py_within_a_package_is_run_by_its_program(tmp_path: Path) -> None:
    """Its own directory would come first in the path, and its siblings be imported twice."""
    points = {"x.dist-info/entry_points.txt": "[console_scripts]\nlists = lists.manage:main\n"}
    plant(tmp_path, {**points, "lists/manage.py": manage_py("lists.settings")})
    plant(tmp_path, {"lists/settings/__init__.py": "", "lists/settings/production.py": SETTINGS})
    found = discover(tmp_path)
    assert str(found.manage) == "lists"
    assert found.settings == "lists.settings.production"


def test_a_package_that_is_run_as_a_module(tmp_path: Path) -> None:
    package = {"tix/__main__.py": manage_py("tix.settings"), "tix/settings.py": SETTINGS}
    found = discover(plant(tmp_path, package))
    assert str(found.manage) == "-m tix"
    assert found.settings == "tix.settings"


@pytest.mark.parametrize("text", ["src/manage.py", "shop-manage", "-m tix"])
def test_how_commands_are_run_can_be_written_down(text: str) -> None:
    assert str(Manage.of(text)) == text


def test_nothing_found_is_asked_for(tmp_path: Path) -> None:
    found = discover(plant(tmp_path, {"README": "", "pyproject.toml": "[[[", "setup.cfg": "x"}))
    looked = ("manage.py", "[project.scripts]", "entry_points.txt", "__main__.py")
    assert found.unknown == (Unknown("manage.py", looked, "--manage"),)


# The settings module


WAGTAIL = {
    "manage.py": manage_py("site.settings.dev"),
    "site/wsgi.py": wsgi_py("site.settings.dev"),
    "site/settings/__init__.py": "",
    "site/settings/base.py": SETTINGS,
    "site/settings/dev.py": SETTINGS,
    "site/settings/production.py": SETTINGS,
}
CONFIG = {
    "manage.py": manage_py("config.settings.local"),
    "config/wsgi.py": wsgi_py("config.settings.production"),
    "config/settings/base.py": "WSGI_APPLICATION = 'config.wsgi.application'\n",
    "config/settings/local.py": SETTINGS,
    "config/settings/production.py": SETTINGS,
    "config/settings/servers.py": SETTINGS,
}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("deploy/uwsgi.ini", "[uwsgi]\nenv = DJANGO_SETTINGS_MODULE=config.settings.servers\n"),
        ("Procfile", "web: DJANGO_SETTINGS_MODULE=config.settings.servers gunicorn config.wsgi\n"),
        (
            "docker-compose.yml",
            "services:\n  web:\n    environment:\n"
            "      DJANGO_SETTINGS_MODULE: ${DJANGO_SETTINGS_MODULE:-config.settings.servers}\n",
        ),
        (
            "compose.yaml",
            "services: {a: {environment: [DJANGO_SETTINGS_MODULE=config.settings.servers]}}",
        ),
        (".envs/.production/.django", "DJANGO_SETTINGS_MODULE=config.settings.servers\n"),
        ("Dockerfile", "FROM x\nENV DJANGO_SETTINGS_MODULE config.settings.servers\n"),
        ("Dockerfile", 'FROM x\nENV A=1 \\\n  DJANGO_SETTINGS_MODULE="config.settings.servers"\n'),
        (
            "etc/shop.service",
            "[Service]\nEnvironment=DJANGO_SETTINGS_MODULE=config.settings.servers",
        ),
        ("gunicorn.conf.py", "raw_env = ['DJANGO_SETTINGS_MODULE=config.settings.servers']\n"),
        ("entrypoint.sh", "export DJANGO_SETTINGS_MODULE=config.settings.servers\nexec x\n"),
    ],
)
def test_files_of_a_deployment_are_believed_first(tmp_path: Path, file: str, text: str) -> None:
    found = discover(plant(tmp_path, {**CONFIG, file: text}))
    assert found.settings == "config.settings.servers"
    assert found.origins["settings"] == file


def test_among_them_those_for_production_and_then_the_order_of_kinds(tmp_path: Path) -> None:
    plant(tmp_path, {**CONFIG, "config/settings/other.py": SETTINGS})
    plant(tmp_path, {"Dockerfile": "ENV DJANGO_SETTINGS_MODULE=config.settings.other\n"})
    plant(tmp_path, {"Procfile": "x: DJANGO_SETTINGS_MODULE=config.settings.servers run\n"})
    assert settings_of(tmp_path) == "config.settings.servers"
    text = "ENV DJANGO_SETTINGS_MODULE=config.settings.production\n"
    plant(tmp_path, {"compose/production/Dockerfile": text})
    assert settings_of(tmp_path) == "config.settings.production"


def test_then_wsgi_py_even_if_manage_py_says_something_else(tmp_path: Path) -> None:
    local = {".envs/.local/.django": "DJANGO_SETTINGS_MODULE=config.settings.servers\n"}
    comment = {"Dockerfile": "# ENV DJANGO_SETTINGS_MODULE=config.settings.servers\n"}
    found = discover(plant(tmp_path, {**CONFIG, **local, **comment}))
    assert found.settings == "config.settings.production"
    assert found.origins["settings"] == "config/wsgi.py"


@pytest.mark.parametrize("name", ["dev", "local", "docker", "base", "test"])
def test_settings_for_something_else_give_way_to_a_sibling(tmp_path: Path, name: str) -> None:
    files = {**WAGTAIL, f"site/settings/{name}.py": SETTINGS}
    files["site/wsgi.py"] = files["manage.py"] = wsgi_py(f"site.settings.{name}")
    plant(tmp_path, {**files, "docker-compose.yml": f"DJANGO_SETTINGS_MODULE=site.settings.{name}"})
    assert settings_of(tmp_path) == "site.settings.production"


def test_a_sibling_may_be_called_in_other_ways(tmp_path: Path) -> None:
    files = {"manage.py": manage_py("site.settings_dev"), "site/settings_dev.py": SETTINGS}
    plant(tmp_path, {**files, "site/settings_prod.py": SETTINGS})
    assert settings_of(tmp_path) == "site.settings_prod"


def test_last_comes_manage_py(tmp_path: Path) -> None:
    plant(tmp_path, {"manage.py": manage_py("site.settings.dev"), "site/settings/dev.py": SETTINGS})
    assert settings_of(tmp_path) == "site.settings.dev"


def test_a_module_that_is_not_there_or_empty_does_not_count(tmp_path: Path) -> None:
    plant(tmp_path, {"src/manage.py": manage_py("core.settings.label"), "src/core/wsgi.py": ""})
    plant(tmp_path, {"src/core/settings/__init__.py": '"""Several."""\n# None here.\n'})
    plant(tmp_path, {"src/core/wsgi.py": wsgi_py("core.settings")})
    plant(tmp_path, {"Dockerfile": "ENV DJANGO_SETTINGS_MODULE=gone.settings\n"})
    found = discover(tmp_path)
    assert found.unknown == (
        Unknown(
            "the settings module",
            (
                "Dockerfile: gone.settings",
                "src/core/wsgi.py: core.settings",
                "src/manage.py: core.settings.label",
            ),
            "--settings",
        ),
    )
    plant(tmp_path, {"src/core/settings/label.py": SETTINGS})
    assert settings_of(tmp_path) == "core.settings.label"
    assert discover(tmp_path, settings="shop.other").settings == "shop.other"


# What else they tell


def test_the_application_that_is_deployed_names_the_settings(tmp_path: Path) -> None:
    plant(tmp_path, {"manage.py": manage_py("hc.settings"), "hc/settings.py": SETTINGS})
    plant(tmp_path, {"hc/live/web/asgi.py": wsgi_py("hc.served"), "hc/served.py": SETTINGS})
    plant(tmp_path, {"Procfile": "web: uvicorn --port $PORT hc.live.web.asgi:app\n"})
    found = discover(tmp_path)
    assert (found.settings, found.asgi, found.wsgi) == ("hc.served", "hc.live.web.asgi:app", "")


def test_companions_are_found_in_every_kind_of_file(tmp_path: Path) -> None:
    """Each once: neither twice in one kind of file, nor in several, nor again in the code."""
    plant(tmp_path, {**plain(), "shop/celery.py": "app = Celery('shop')\n"})
    plant(
        tmp_path,
        {
            "Procfile": (
                "web: gunicorn shop.wsgi\nrelease: python manage.py migrate\n"
                "worker: celery -A shop worker -Q fast\nslow: celery -A shop worker -Q slow\n"
                "assets: npm run watch\nagain: celery -A shop worker -Q fast\n"
            ),
            "docker-compose.yml": (
                "services:\n  q: {command: [python, /app/manage.py, rqworker, high]}\n"
                "  c: {command: 'celery -A shop worker -Q fast -l info'}\n"
                "  b: {command: 'bash -c \"exec celery -A shop beat\"'}\n"
            ),
            "deploy/uwsgi.ini": (
                "[uwsgi]\nattach-daemon = ./manage.py sendalerts\n"
                "smart-attach-daemon2 = pidfile=/x,cmd=./manage.py reports --loop,daemonize=true\n"
            ),
            "deploy/huey.service": "[Service]\nExecStart=/srv/bin/python /a/manage.py run_huey\n",
            "deploy/start.sh": '#!/bin/sh\nexec gosu me python manage.py \\\n qcluster -n "$H"\n',
        },
    )
    found = {each.name: each.command for each in discover(tmp_path).companions}
    assert found == {
        "sendalerts": "manage.py sendalerts",
        "reports": "manage.py reports --loop",
        "worker": "celery -A shop worker -Q fast",
        "slow": "celery -A shop worker -Q slow",
        "q": "manage.py rqworker high",
        "b": "celery -A shop beat",
        "huey": "manage.py run_huey",
        "start": "manage.py qcluster",
    }


def test_where_no_file_runs_them_the_code_tells(tmp_path: Path) -> None:
    plant(tmp_path, plain(below="src/"))
    celery = 'from celery import Celery\napp = Celery("shop")\n'
    settings = (
        "INSTALLED_APPS = ['django_q', 'compressor']\nCELERY_BEAT_SCHEDULE = {}\n# 'django_rq'\n"
    )
    plant(tmp_path, {"src/shop/celery.py": celery, "src/shop/settings.py": settings})
    found = discover(tmp_path)
    assert [(each.kind, each.command) for each in found.companions] == [
        ("celery worker", "celery -A shop.celery:app worker"),
        ("celery beat", "celery -A shop.celery:app beat"),
        ("django-q", "manage.py qcluster"),
    ]
    assert found.compresses


def test_paths_that_tell_whether_it_is_well(tmp_path: Path) -> None:
    urls = (
        "urlpatterns = [\n    path('ht/', include('health_check.urls')),\n    path('shop/', [\n"
        "        path('healthz', inner),\n    ]),\n    # path('up', x),\n"
        "    re_path(r'^readyz$', view),\n    path('health/<int:n>', view),\n]\n"
    )
    found = discover(plant(tmp_path, {**plain(), "shop/urls.py": urls}))
    assert found.health == ("/readyz", "/ht/")
    assert found.origins["health"] == "shop/urls.py"


def test_a_build_with_node_and_whether_its_output_is_there(tmp_path: Path) -> None:
    package = '{"scripts": {"build": "vite build"}}'
    vite = "export default { build: { outDir: './static/made' } }"
    plant(tmp_path, {**plain(), "docs/package.json": package, "ui/package.json": package})
    plant(tmp_path, {"ui/vite.config.ts": vite, "ui/package-lock.json": "{}"})
    build = discover(tmp_path).build
    assert build
    assert (build.directory, build.command) == ("ui", "npm ci && npm run build")
    assert (build.outputs, build.is_built) == (("ui/static/made",), False)
    plant(tmp_path, {"ui/static/made/app.js": ""})
    build = discover(tmp_path).build
    assert build
    assert build.is_built


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    files = {name: f"open({str(marker)!r}, 'w')\n{text}" for name, text in plain().items()}
    top = plant(tmp_path / "tree", {**files, "gunicorn.conf.py": f"open({str(marker)!r}, 'w')\n"})
    assert discover(top).settings == "shop.settings"
    assert not marker.exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("package.json", "[" * 100_000),
        ("pyproject.toml", "a = " + "[" * 100_000),
        ("compose.yml", "services: &a [" + "*a, " * 10 + "]"),
        ("compose.yml", "{" * 10_000),
        ("compose.yml", "services: [1]\n"),
        ("compose.yml", "services: {a: {command: {b: c}}, ? [x] : y}\n"),
        ("Procfile", "worker: celery worker " + "x" * 100_000),
        ("Procfile", "worker: celery worker \x1b[2J\n"),
        ("deploy.ini", "[uwsgi]\n" + "attach-daemon = \\\n" * 10_000),
        ("x.dist-info/entry_points.txt", "[console_scripts\n= =\n\n[x]\n [y"),
        ("shop/urls.py", "path(" * 50_000 + "'" * 50_000),
    ],
)
def test_a_hostile_file_spoils_nothing_else(tmp_path: Path, file: str, text: str) -> None:
    found = discover(plant(tmp_path, {**plain(), file: text}))
    assert (found.settings, found.companions) == ("shop.settings", ())
