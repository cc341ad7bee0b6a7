"""The parsers of what others can write, each as a function that must take any bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath

from backstage.errors import SettingsError
from backstage.events import lines
from backstage.layout.paths import VenuePaths
from backstage.layout.settings import lines_of_acts, read_settings
from backstage.logs.timestamps import stamp_of
from backstage.nginx import config_parser, site
from backstage.projects.dotenv import DotEnv
from backstage.uwsgi import includes, ini, log_reasons, stats
from backstage.uwsgi.ini import VassalFile
from backstage.virtualenvs import (
    declared,
    pdm_lock,
    pipfile_lock,
    poetry_lock,
    requirement_files,
)

_PLACE = Path("/venue/vassals/blog.ini")


def of_stats(data: bytes) -> None:
    """What a vassal's master says, and the Emperor."""
    for parse in (stats.vassal_stats, stats.emperor_stats):
        with suppress(stats.Odd):
            parse(data)


def of_ini(data: bytes) -> None:
    """Vassal files, and edits of them."""
    text = data.decode(errors="replace")
    before, _, after = text.partition("\n\n")
    file = VassalFile("blog", text)
    str(file.address)
    for key, _ in file.options():
        file.get(key)
    VassalFile("blog", after).differences(VassalFile("blog", before))
    ini.magic(text, ini.signs_of(PurePath(_PLACE), PurePath(_PLACE)))
    script = includes.read_all(VenuePaths(Path("/venue")), _PLACE, text)
    for line in script.lines:
        script.knows(line)
    list(script.addresses())


def of_logs(data: bytes) -> None:
    """The logs of an Act and of the Emperor."""
    log = data.decode(errors="replace")
    log_reasons.reason_from(log)
    log_reasons.trouble_in(log, str)
    log_reasons.told_by_emperor(log, "blog.ini")
    log_reasons.refused_in(log, "blog.ini")
    log_reasons.unread_by("/venue/bin/uwsgi", log, "blog.ini")
    log_reasons.dead_while_loading(log, 7)
    log_reasons.given_up(log, "blog.ini")
    log_reasons.cursed_in(log, "blog.ini")
    log_reasons.deaths_in(log_reasons.last_life(log))
    log_reasons.life_of(log, {7})
    for line in log.splitlines():
        stamp_of(line)
        lines.event_of(line)


def of_dotenv(data: bytes) -> None:
    """A project's .env; what is changed in it is read back, and nothing else changes."""
    file = DotEnv(data.decode(errors="surrogateescape"))
    before = dict(file.values)
    str(file.masked)
    str(file.unread)
    with suppress(SettingsError):
        changed = file.changed({"KEY": "a 'b\" #\\"})
        assert {**changed.values, "KEY": ""} == {**before, "KEY": ""}


def of_settings(data: bytes) -> None:
    """venue.yaml."""
    path = Path(tempfile.gettempdir()) / f"venue-{os.getpid()}.yaml"
    path.write_bytes(data)
    try:
        for read in (read_settings, lines_of_acts):
            with suppress(SettingsError):
                read(path)
    finally:
        path.unlink()


def of_nginx(data: bytes) -> None:
    """The configuration that nginx dumps, and the head of a site of ours."""
    text = data.decode(errors="replace")
    files = {"nginx.conf": text, **config_parser.files_of(text)}
    for server in config_parser.servers(files):
        str((server.addresses, server.ports, server.default_at, server.takes_ipv4))
    config_parser.find(files, "server_name")
    site.read_record(text)


def of_declarations(data: bytes) -> None:
    """What a project declares to need: its locks, its requirements, its wish for a Python."""
    environment = dict.fromkeys(("python_version", "python_full_version"), "3.13")
    readers: dict[str, Callable[[Path], object]] = {
        "poetry.lock": lambda file: poetry_lock.read(file, environment, ["a"], ["a"]),
        "pdm.lock": lambda file: pdm_lock.read(file, environment, ["a"]),
        "Pipfile.lock": lambda file: pipfile_lock.read(file, environment),
        "requirements.txt": requirement_files.read,
    }
    with tempfile.TemporaryDirectory() as tree:
        for name in (*readers, "pyproject.toml", ".python-version"):
            (Path(tree) / name).write_bytes(data)
        for name, read in readers.items():
            with suppress(SettingsError):
                read(Path(tree) / name)
            with suppress(SettingsError):
                declared.find(Path(tree))
            (Path(tree) / name).unlink()


PARSERS: dict[str, Callable[[bytes], None]] = {
    "stats": of_stats,
    "ini": of_ini,
    "logs": of_logs,
    "dotenv": of_dotenv,
    "settings": of_settings,
    "nginx": of_nginx,
    "declarations": of_declarations,
}
# What to begin with, so that the first mutations are already close to what is meant.
SEEDS: dict[str, tuple[bytes, ...]] = {
    "declarations": (
        b'[[package]]\nname = "django"\nversion = "5.2"\npython-versions = "^3.8"\n'
        b'groups = ["main", "default"]\nmarkers = "os_name == 1"\n[metadata]\n'
        b'strategy = ["inherit_metadata"]\n[tool.poetry.dependencies]\ndjango = "~5"\n',
        b'[project]\nname = "x"\nrequires-python = ">=3.11"\ndynamic = ["dependencies"]\n'
        b'dependencies = ["django>=5"]\n[project.optional-dependencies]\nprod = ["x"]\n',
        b'{"_meta": {"requires": {"python_version": "3.12"}, "sources": [{"name": "a", "ur'
        b'l": "b"}]}, "default": {"django": {"version": "==5", "hashes": ["sha256:0"]}}}',
        b"-r base.txt\ndjango==5 \\\n --hash=sha256:0 # c\n-e ./x\nx @ file:///a\n3.12\n",
    ),
    "stats": (
        b'{"version":"2.0.31","pid":810,"workers":[{"id":1,"pid":812,"accepting":1,"r'
        b'equests":17,"status":"idle","respawn_count":1,"avg_rt":2500,"cores":[{"id":'
        b'0,"in_request":1}]}]}',
        b'{"pid":700,"vassals":[{"id":"blog.ini",\n'
        b'"pid":810,"ready":1,"accepting":1,"cursed":0,"on_demand":"","respawns":2,"l'
        b'ast_mod":1700000001,"last_run":1,"last_ready":3,"last_accepting":4}],"black'
        b'list":[{"id":"news.ini",\n'
        b'"throttle_level":3500,"attempt":2,"last_attempt":1700000000}]}',
    ),
    "ini": (
        b"[uwsgi]\n"
        b"set-placeholder = act=blog\n"
        b"set-ph = port=8001\n"
        b"ini = %d../templates/django.ini\n"
        b"http-socket = 127.0.0.1:%(port)\n"
        b"if-env = HOME\n"
        b"endif =\n"
        b"\n"
        b"[uwsgi]\n"
        b"threads = 8\n",
        b"[uwsgi]\n"
        b"set-placeholder = a=%(b)\n"
        b"set-placeholder = b=%(a)\n"
        b"ini = blog.ini:x\n"
        b"[x]\n"
        b"ini=:x\n",
    ),
    "logs": (
        b"2026-05-01 12:00:00 - *** Starting uWSGI 2.0.31 (64bit) on [Fri May  1 12:0"
        b"0:00 2026] ***\n"
        b"spawned uWSGI master process (pid: 7)\n"
        b"spawned uWSGI worker 1 (pid: 8, cores: 4)\n"
        b"Traceback (most recent call last):\n"
        b'  File "/venue/acts/blog/blog/wsgi.py", line 3, in <m>\n'
        b"    import x\n"
        b"ModuleNotFoundError: No module named 'x'\n"
        b"DAMN ! worker 1 (pid: 8) died, killed by signal 9 :( trying respawn ...\n",
        b"[emperor] curse the uwsgi instance blog.ini (pid: 7)\n"
        b"[emperor] removed uwsgi instance blog.ini\n"
        b"error removing unix socket, unlink(): No such file or directory [core/uwsgi"
        b".c line 1]\n"
        b'{"version": 1, "act": "blog", "before": "running", "after": "failing", "at"'
        b': 1.0, "reason": "", "pid": 7, "unwatched_since": null}\n',
    ),
    "dotenv": (
        b'SECRET_KEY=\'a b\'\nexport DEBUG=on # yes\nKEY="a\\n\\"b\\""\nDATABASE_URL=x://u:p@h/d\n',
        b"A=$B\nB=$A\nKEY=\n=\n'\n",
    ),
    "settings": (
        b"ports: 8001-8999\n"
        b"limits: &l {memory: 2G, cpu: 150%, tasks: 512}\n"
        b"give_up_after: 10\n"
        b"drain: 2s\n"
        b"logs: journal\n"
        b"watcher: off\n"
        b"notify:\n"
        b"  - json://h/x\n"
        b"  - command: /bin/x\n"
        b"acts:\n"
        b"  blog:\n"
        b"    limits: *l\n"
        b"    run_as: blog\n"
        b"    health: {path: /up, status: 204}\n",
        b"%YAML 1.1\n---\n? [a, {b: c}]\n: |\n  x\n...\n",
    ),
    "nginx": (
        b"# configuration file /etc/nginx/nginx.conf:\n"
        b"http { server { listen [::]:80 default_server; server_name a.b 'c d' ~^x$; "
        b'location / { return 200 "a;{}"; } } }\n',
        b"# Backstage: act=blog\nupstream x { server unix:/a; } }\n",
    ),
}
