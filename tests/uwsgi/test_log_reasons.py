"""The ends of real logs, and the one-line reason of the failure."""

from __future__ import annotations

import textwrap

import pytest

from backstage.uwsgi.log_reasons import (
    Death,
    cursed_in,
    dead_while_loading,
    deaths_in,
    last_life,
    life_of,
    missing_file,
    reason_from,
    silent_master,
    spawned_in,
    starts_in,
    taken_address,
    told_by_emperor,
    trouble_in,
    unknown_option,
)

PACKAGES = "/srv/V/lib/python3.11/site-packages"
# uWSGI's further lines after a failed import of the application.
END = """\
2026-11-22 16:17:56 - unable to load app 0 (mountpoint='') (callable not found or import error)
2026-11-22 16:17:56 - *** no app loaded. GAME OVER ***
2026-11-22 16:17:56 - OOPS ! failed loading app in worker 1 (pid 15686)
2026-11-22 16:17:56 - need-app requested, destroying the instance...
2026-11-22 16:17:56 - SIGINT/SIGTERM received...killing workers...
2026-11-22 16:17:56 - goodbye to uWSGI.
"""
SYNTAX = f"""\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/wsgi.py", line 4, in <module>
    application = get_wsgi_application()
                  ^^^^^^^^^^^^^^^^^^^^^^
  File "{PACKAGES}/django/conf/__init__.py", line 166, in __init__
    mod = importlib.import_module(self.SETTINGS_MODULE)
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/V/acts/blog/blog/settings.py", line 4
    X = = 1
        ^
SyntaxError: invalid syntax
"""
IMPORT = """\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/wsgi.py", line 4, in <module>
    application = get_wsgi_application()
                  ^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/V/acts/blog/blog/settings.py", line 4, in <module>
    from django.conf import nothing
ImportError: cannot import name 'nothing' from 'django.conf' (/srv/django/conf/__init__.py)
"""
MISSING_APP = f"""\
  File "{PACKAGES}/django/apps/config.py", line 193, in create
    import_module(entry)
  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ModuleNotFoundError: No module named 'rest_framework'
"""
CHAINED = """\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/settings.py", line 5, in <module>
    {}["DATABASE_URL"]
    ~~^^^^^^^^^^^^^^^^
KeyError: 'DATABASE_URL'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/wsgi.py", line 4, in <module>
    application = get_wsgi_application()
                  ^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/V/acts/blog/blog/settings.py", line 7, in <module>
    raise ValueError("DATABASE_URL is missing") from error
ValueError: DATABASE_URL is missing
"""
NOT_CONFIGURED = f"""\
  File "{PACKAGES}/django/conf/__init__.py", line 61, in _setup
    raise ImproperlyConfigured(
django.core.exceptions.ImproperlyConfigured: Requested setting INSTALLED_APPS, but settings are \
not configured.
"""
APPS_NOT_READY = f"""\
  File "{PACKAGES}/django/apps/registry.py", line 138, in check_apps_ready
    raise AppRegistryNotReady("Apps aren't loaded yet.")
django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.
"""
OWN_EXCEPTION = """\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/settings.py", line 5, in <module>
    raise Oops("no licence")
blog.settings.Oops: no licence
"""
STRICT = """\
[uWSGI] getting INI configuration from blog.ini
[strict-mode] unknown config directive: proceses
"""
NO_INCLUDE = """\
[uWSGI] getting INI configuration from blog.ini
realpath() of /srv/V/templates/django.ini failed: No such file or directory [core/utils.c line 3640]
"""
TAKEN = """\
*** Starting uWSGI 2.0.31 (64bit) on [Sun Nov 22 16:18:12 2026] ***
lock engine: pthread robust mutexes
thunder lock: disabled (you can enable it with --thunder-lock)
probably another instance of uWSGI is running on the same address (127.0.0.1:8001).
bind(): Address already in use [core/socket.c line 769]
"""
NOT_OURS = "bind(): Cannot assign requested address [core/socket.c line 769]\n"
NO_DIRECTORY = """\
chdir() to /srv/V/acts/blog
chdir(): No such file or directory [core/uwsgi.c line 2637]
"""
HEALTHY = """\
2026-11-22 16:18:19 - *** Starting uWSGI 2.0.31 (64bit) on [Sun Nov 22 16:18:19 2026] ***
2026-11-22 16:18:19 - thunder lock: disabled (you can enable it with --thunder-lock)
2026-11-22 16:18:19 - uwsgi socket 0 bound to TCP address 127.0.0.1:8001 fd 3
2026-11-22 16:18:19 - *** WARNING: you are running uWSGI as root !!! (use the --uid flag) ***
2026-11-22 16:18:19 - your server socket listen backlog is limited to 100 connections
2026-11-22 16:18:19 - spawned uWSGI worker 1 (pid: 15849, cores: 1)
2026-11-22 16:18:20 - WSGI app 0 (mountpoint='') ready in 1 seconds on interpreter 0x7f1991d76ef8
2026-11-22 16:18:25 - SIGINT/SIGTERM received...killing workers...
2026-11-22 16:18:26 - worker 1 buried after 1 seconds
2026-11-22 16:18:26 - goodbye to uWSGI.
"""
# An exception raised in a library, with the application's frames that led there.
IN_LIBRARY = f"""\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/wsgi.py", line 16, in <module>
    application = get_wsgi_application()
                  ^^^^^^^^^^^^^^^^^^^^^^
  File "{PACKAGES}/django/__init__.py", line 19, in setup
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
  File "/srv/V/acts/blog/blog/settings.py", line 31, in <module>
    DATABASES = {{"default": env.db()}}
  File "{PACKAGES}/environ/environ.py", line 396, in get_value
    raise ImproperlyConfigured(error_msg) from exc
django.core.exceptions.ImproperlyConfigured: Set the DATABASE_URL
environment variable
"""
SYNTAX_IN_LIBRARY = f"""\
Traceback (most recent call last):
  File "/srv/V/acts/blog/blog/urls.py", line 3, in <module>
    import broken
  File "{PACKAGES}/broken.py", line 7
    print "x"
SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?
"""
NO_CALLABLE = "unable to load app 0 (mountpoint='') (callable not found or import error)"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (SYNTAX + END, "SyntaxError: invalid syntax (/srv/V/acts/blog/blog/settings.py, line 4)"),
        (
            IMPORT + END,
            "ImportError: cannot import name 'nothing' from 'django.conf' "
            "(/srv/django/conf/__init__.py) (/srv/V/acts/blog/blog/settings.py, line 4)",
        ),
        (
            MISSING_APP + END,
            "ModuleNotFoundError: No module named 'rest_framework' (named in INSTALLED_APPS)",
        ),
        ("ModuleNotFoundError: No module named 'blgo'\n" + END, "ModuleNotFoundError: No module "),
        (
            CHAINED + END,
            "ValueError: DATABASE_URL is missing (/srv/V/acts/blog/blog/settings.py, line 7)",
        ),
        (
            NOT_CONFIGURED + END,
            "django.core.exceptions.ImproperlyConfigured: Requested setting INSTALLED_APPS, but "
            f"settings are not configured. ({PACKAGES}/django/conf/__init__.py, line 61)",
        ),
        (
            APPS_NOT_READY + END,
            "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet. "
            f"({PACKAGES}/django/apps/registry.py, line 138)",
        ),
        (
            OWN_EXCEPTION + END,
            "blog.settings.Oops: no licence (/srv/V/acts/blog/blog/settings.py, line 5)",
        ),
        (
            IN_LIBRARY + END,
            "django.core.exceptions.ImproperlyConfigured: Set the DATABASE_URL "
            "(/srv/V/acts/blog/blog/settings.py, line 31)",
        ),
        # The line that only requests the application is not a useful place.
        (
            IN_LIBRARY.replace("acts/blog/blog/settings", "lib/python3.11/other") + END,
            "django.core.exceptions.ImproperlyConfigured: Set the DATABASE_URL "
            f"({PACKAGES}/environ/environ.py, line 396)",
        ),
        (
            SYNTAX_IN_LIBRARY + END,
            "SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)? "
            f"({PACKAGES}/broken.py, line 7)",
        ),
        (END, NO_CALLABLE),
        (STRICT, "unknown config directive: proceses"),
        (
            NO_INCLUDE,
            "realpath() of /srv/V/templates/django.ini failed: No such file or directory",
        ),
        (TAKEN, "bind(): Address already in use"),
        (NOT_OURS, "bind(): Cannot assign requested address"),
        (NO_DIRECTORY, "chdir(): No such file or directory"),
        # Of several exceptions, the last counts.
        (SYNTAX + END + IMPORT.replace("line 4", "line 9") + END, "ImportError: cannot import"),
        # An exception is more specific than uWSGI's messages before or after it.
        (TAKEN + OWN_EXCEPTION.replace("Oops", "OopsError"), "blog.settings.OopsError: no licence"),
    ],
)
def test_a_log_tells_its_reason_in_one_line(log: str, reason: str) -> None:
    told = reason_from(log)
    assert told.startswith(reason)
    assert "\n" not in told
    if reason.endswith(")"):
        assert told == reason


@pytest.mark.parametrize("log", ["", "\n", HEALTHY, "Exception ignored in: <generator>\n"])
def test_a_log_without_trouble_tells_none(log: str) -> None:
    assert reason_from(log) == ""


def test_a_line_of_uwsgi_amid_the_traceback_of_another_worker_is_no_exception() -> None:
    whole, half = IMPORT, IMPORT[: IMPORT.index("ImportError")]
    log = f"{whole}{half}2026-11-22 16:17:56 - OOPS ! failed loading app in worker 1 (pid 15686)\n"
    assert reason_from(log).startswith("ImportError: cannot import name 'nothing'")


def test_a_place_belongs_to_its_own_exception() -> None:
    """An exception without a traceback does not use the previous one."""
    log = SYNTAX + END + "ModuleNotFoundError: No module named 'blgo'\n" + END
    assert reason_from(log) == "ModuleNotFoundError: No module named 'blgo'"


@pytest.mark.parametrize("complaint", [TAKEN, NO_DIRECTORY, END])
def test_the_time_in_front_of_a_line_is_no_part_of_the_reason(complaint: str) -> None:
    """A vassal's own log has timestamps, the Emperor's has none; the reason is the same."""
    stamped = textwrap.indent(complaint, "2026-11-22 16:18:12 - ")
    assert reason_from(stamped) == reason_from(complaint)


def test_where_uwsgi_says_it_in_its_own_source_is_no_part_of_the_reason() -> None:
    assert reason_from(TAKEN) == "bind(): Address already in use"


START = """\
2026-11-22 19:03:33 - *** Starting uWSGI 2.0.31 (64bit) on [Sun Nov 22 19:03:33 2026] ***
2026-11-22 19:03:33 - spawned uWSGI master process (pid: 810)
2026-11-22 19:03:33 - spawned uWSGI worker 1 (pid: 812, cores: 4)
"""
READY = """\
2026-11-22 19:03:34 - WSGI app 0 (mountpoint='') ready in 1 seconds on interpreter 0x7fdc pid: 812
{rss usage: 46231552 bytes/44MB} [pid: 812|app: 0|req: 2/2] 127.0.0.1 () {26 vars in 297 bytes}
"""
KILLED = """\
2026-11-22 19:03:40 - DAMN ! worker 1 (pid: 812) died, killed by signal 9 :( trying respawn ...
"""
RESPAWNED = """\
2026-11-22 19:03:40 - Respawned uWSGI worker 1 (new pid: 815)
"""
READY_AGAIN = READY.replace("812", "815")
OVERDUE = """\
2026-11-22 19:03:18 - *** HARAKIRI ON WORKER 1 (pid: 812, try: 1, graceful: yes) ***
2026-11-22 19:03:18 - HARAKIRI !!! worker 1 status !!!
2026-11-22 19:03:18 - HARAKIRI [core 0] 127.0.0.1 - GET /slow?a=b since 1795374196
2026-11-22 19:03:18 - HARAKIRI !!! end of worker 1 status !!!
2026-11-22 19:03:18 - HARAKIRI triggered by worker 1 core 0 !!!
"""
# uWSGI catches this signal in the worker, so its master does not see it.
SEGFAULT = """\
2026-11-22 19:03:29 - !!! uWSGI process 812 got Segmentation Fault !!!
2026-11-22 19:03:29 - *** backtrace of 812 ***
uWSGI worker 1(uwsgi_backtrace+0x2f) [0x558e82cbf06f]
*** end of backtrace ***
2026-11-22 19:03:30 - DAMN ! worker 1 (pid: 812) died :( trying respawn ...
"""
ENDED = """\
2026-11-22 18:58:20 - DAMN ! worker 1 (pid: 812) died :( trying respawn ...
"""
STOPPED = """\
2026-11-22 18:58:15 - SIGINT/SIGTERM received...killing workers...
2026-11-22 18:58:15 - goodbye to uWSGI.
"""
RELOADED = """\
2026-11-22 19:03:21 - received message 1 from emperor
2026-11-22 19:03:23 - binary reloading uWSGI...
2026-11-22 19:03:23 - running /srv/V/bin/uwsgi
[uWSGI] getting INI configuration from blog.ini
"""
STRANGE = (
    "2026-11-22 19:03:24 - DAMN ! worker 2 (pid: 9) MISTERIOUSLY killed by signal 7 :( trying\n"
)


@pytest.mark.parametrize(
    ("log", "deaths"),
    [
        (START + READY, []),
        (START + READY + KILLED, [Death("worker 1", 812, 9)]),
        (START + READY + OVERDUE + KILLED, [Death("worker 1", 812, 9, request="GET /slow?a=b")]),
        (START + SEGFAULT, [Death("worker 1", 812, 11)]),
        (STRANGE, [Death("worker 2", 9, 7)]),
        (START + ENDED, [Death("worker 1", 812)]),
        (START + "no licence\n" + ENDED, [Death("worker 1", 812, words="no licence")]),
        (
            START + OWN_EXCEPTION + "bye\n" + ENDED,
            [
                Death(
                    "worker 1",
                    812,
                    words="blog.settings.Oops: no licence "
                    "(/srv/V/acts/blog/blog/settings.py, line 5)",
                )
            ],
        ),
        # Output after loading, such as requests, does not explain its end.
        (START + READY + ENDED, [Death("worker 1", 812)]),
        # Without timestamps, the application's lines cannot be distinguished from uWSGI's.
        (
            "spawned uWSGI worker 1 (pid: 812, cores: 4)\nhello\n" + ENDED[22:],
            [Death("worker 1", 812)],
        ),
        (OVERDUE.replace("812", "813") + KILLED, [Death("worker 1", 812, 9)]),
    ],
)
def test_a_log_tells_how_workers_died(log: str, deaths: list[Death]) -> None:
    assert deaths_in(log) == deaths


@pytest.mark.parametrize(
    ("life", "trouble"),
    [
        (START + READY, ""),
        (START + READY + KILLED, "812 died of 9"),
        (START + READY + KILLED + RESPAWNED, "812 died of 9"),
        (START + READY + KILLED + RESPAWNED + READY_AGAIN, ""),
        (START + READY + KILLED + RESPAWNED + SYNTAX + END, "SyntaxError: invalid syntax"),
        (START + "no licence\n" + ENDED + RESPAWNED, "812 died of 0"),
        (START + SYNTAX + READY, ""),
        # An exception in a request does not keep the application from running.
        (START + READY + OWN_EXCEPTION, ""),
        (START + READY + OWN_EXCEPTION + KILLED, "812 died of 9"),
        (START + OWN_EXCEPTION + KILLED, "812 died of 9"),
        (START + READY + "unable to send: No such file or directory\n", ""),
        (START + SYNTAX + END, "SyntaxError: invalid syntax"),
        (TAKEN, "bind(): Address already in use"),
        (STRICT, "unknown config directive: proceses"),
        ("", ""),
    ],
)
def test_only_what_was_not_survived_is_trouble(life: str, trouble: str) -> None:
    told = trouble_in(life, lambda death: f"{death.pid} died of {death.signal}")
    assert told.startswith(trouble)
    assert bool(told) == bool(trouble)


def test_a_new_life_begins_with_a_start_and_with_a_reload() -> None:
    assert last_life(START + SYNTAX + END + START + READY) == (START + READY).strip()
    assert unknown_option(last_life(START + READY + RELOADED + STRICT)) == "proceses"
    assert "Starting" not in last_life(START + READY + RELOADED + STRICT)
    assert last_life(READY) == READY.strip(), "a log that begins in the middle is one life"


def test_a_process_has_the_life_that_names_it() -> None:
    first, second = START + READY + KILLED, START.replace("81", "91") + READY.replace("81", "91")
    assert life_of(first + second, {812}).split() == first.split()
    assert life_of(first + second, {910, 912}).split() == second.split()
    assert life_of(first + second, {1}) == life_of(first, ()) == ""


@pytest.mark.parametrize(
    ("life", "master"),
    [
        (START + READY, 810),
        (START.replace("spawned uWSGI m", "gracefully (RE)spawned uWSGI m"), 810),
        (START + READY + STOPPED, None),
        (START + READY + RELOADED, None),
        (KILLED, None),
    ],
)
def test_a_master_says_goodbye_unless_it_is_killed(life: str, master: int | None) -> None:
    assert silent_master(life) == master


def test_a_log_names_options_files_addresses_and_processes() -> None:
    assert unknown_option(STRICT) == "proceses"
    assert missing_file(NO_INCLUDE) == "/srv/V/templates/django.ini"
    assert taken_address(TAKEN) == "127.0.0.1:8001"
    assert spawned_in(START + RESPAWNED) == {810, 812, 815}
    assert starts_in(START)
    for named in (unknown_option, missing_file, taken_address, spawned_in, starts_in):
        assert not named(READY)


MINE = "[uWSGI] getting INI configuration from blog.ini\n"
INCLUDED = "[uWSGI] getting INI configuration from /srv/V/templates/django.ini\n"
OTHER = "[uWSGI] getting INI configuration from shop.ini\n"
AT = "Sun Nov 22 18:58:26 2026 - [emperor]"


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (MINE + INCLUDED + "mine\n", True),
        (OTHER + "theirs\n" + MINE + "mine\n", True),
        (f"{MINE}{AT} vassal blog.ini has been spawned\nmine\n", True),
        (f"{MINE}{AT} vassal shop.ini is now loyal\nmine\n", True),
        (MINE + OTHER + "mine\n", False),
        (f"{MINE}{AT} vassal shop.ini has been spawned\nmine\n", False),
        (f"{MINE}{AT} curse the uwsgi instance shop.ini (pid: 7)\nmine\n", False),
        (f"{MINE}{AT} removed uwsgi instance blog.ini\nmine\n", False),
        (MINE + INCLUDED.replace("templates/django", "emperor") + "mine\n", False),
        (MINE + OTHER.replace("shop", "common") + "mine\n", True),
        (MINE + "mine\n" + MINE, False),
        ("mine\n", False),
    ],
)
def test_the_emperors_log_is_quoted_where_it_speaks_of_one_act_only(log: str, told: bool) -> None:
    assert ("mine" in told_by_emperor(log, "blog.ini", {"common.ini"})) is told


def test_the_emperor_tells_whom_it_gave_up() -> None:
    curse = f"{AT} curse the uwsgi instance"
    log = f"{curse} blog.ini (pid: 7)\n{curse} b.ini (pid: 8)\n"
    assert cursed_in(log, "blog.ini") == {7}


BEGUN = "*** Starting uWSGI 2.0.31 (64bit) on [x] ***\nspawned uWSGI master process (pid: 7)\n"
LOADED = "WSGI app 0 (mountpoint='') ready in 1 seconds on interpreter 0x7f pid: 8\n"


def death(worker: int, pid: int) -> str:
    return f"DAMN ! worker {worker} (pid: {pid}) died, killed by signal 9 :( trying respawn ...\n"


@pytest.mark.parametrize(
    ("log", "dead"),
    [
        ("", []),
        (BEGUN, []),
        (BEGUN + death(1, 8) + death(1, 9), [8, 9]),
        # The log may not reach back to the start.
        (death(1, 8) + death(1, 9), [8, 9]),
        (BEGUN.replace("7", "6") + death(1, 8) + death(1, 9), []),
        (BEGUN + death(1, 8) + death(1, 9) + BEGUN, []),
        # What the application survived is over, and two workers killed once each are no row.
        (BEGUN + death(1, 8) + death(1, 9) + LOADED, []),
        (BEGUN + LOADED + death(1, 8) + LOADED + death(1, 9), [9]),
        (BEGUN + LOADED + death(1, 8) + death(2, 9), [8]),
        (BEGUN + death(1, 8) + death(2, 9) + death(2, 10), [9, 10]),
    ],
)
def test_a_row_of_deaths_is_that_of_one_worker_since_it_last_loaded(
    log: str, dead: list[int]
) -> None:
    assert dead_while_loading(log, 7) == dead
