"""Why an Act fails: the ends of real logs, and the one line that tells it."""

from __future__ import annotations

import textwrap

import pytest

from backstage.reasons import reason_from

PACKAGES = "/srv/V/lib/python3.11/site-packages"
# How uWSGI goes on after whatever kept an application from being imported.
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
            "ModuleNotFoundError: No module named 'rest_framework' "
            "(/usr/lib/python3.11/importlib/__init__.py, line 126)",
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
        (END, NO_CALLABLE),
        (STRICT, "unknown config directive: proceses"),
        (
            NO_INCLUDE,
            "realpath() of /srv/V/templates/django.ini failed: No such file or directory",
        ),
        (TAKEN, "bind(): Address already in use"),
        (NOT_OURS, "bind(): Cannot assign requested address"),
        (NO_DIRECTORY, "chdir(): No such file or directory"),
        # The last of several is the one that counts.
        (SYNTAX + END + IMPORT.replace("line 4", "line 9") + END, "ImportError: cannot import"),
        # And an exception tells more than what uWSGI says of it, before or after.
        (TAKEN + OWN_EXCEPTION.replace("Oops", "OopsError"), "blog.settings.OopsError: no licence"),
    ],
)
def test_a_log_tells_its_reason_in_one_line(log: str, reason: str) -> None:
    told = reason_from(log)
    assert told.startswith(reason)
    assert "\n" not in told
    if "line " in reason:
        assert told == reason


@pytest.mark.parametrize("log", ["", "\n", HEALTHY, "Exception ignored in: <generator>\n"])
def test_a_log_without_trouble_tells_none(log: str) -> None:
    assert reason_from(log) == ""


def test_a_place_belongs_to_its_own_exception() -> None:
    """An exception that came without a traceback does not borrow the one before."""
    log = SYNTAX + END + "ModuleNotFoundError: No module named 'blgo'\n" + END
    assert reason_from(log) == "ModuleNotFoundError: No module named 'blgo'"


@pytest.mark.parametrize("complaint", [TAKEN, NO_DIRECTORY, END])
def test_the_time_in_front_of_a_line_is_no_part_of_the_reason(complaint: str) -> None:
    """A vassal's own log has one, the Emperor's has none; the reason is the same."""
    stamped = textwrap.indent(complaint, "2026-11-22 16:18:12 - ")
    assert reason_from(stamped) == reason_from(complaint)
