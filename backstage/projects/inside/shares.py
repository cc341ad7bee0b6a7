"""Reports to `backstage nginx`: files to serve, hosts not allowed, and where they are set.

The arguments are the word that marks the answer, and the names under which it will be served.
"""

from __future__ import annotations

import json
import os
import sys

import django
from django.conf import settings
from django.http.request import validate_host


def private() -> list[str]:
    """The files that must not be served: the settings, and databases that are files."""
    module = sys.modules.get(os.environ["DJANGO_SETTINGS_MODULE"])
    databases = [
        str(each.get("NAME", ""))
        for each in settings.DATABASES.values()
        if str(each.get("ENGINE", "")).endswith("sqlite3")
    ]
    return [getattr(module, "__file__", "") or "", *databases]


def env_file() -> str:
    """The file that ALLOWED_HOSTS, TLS and PROXY are read from; '' if not as in our scaffold."""
    names = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "TLS", "PROXY", "ENV_FILE")
    return str(settings.ENV_FILE) if all(hasattr(settings, name) for name in names) else ""


def main(word: str, *names: str) -> None:
    django.setup(set_prefix=False)
    told = {
        "static": [str(settings.STATIC_URL or ""), str(settings.STATIC_ROOT or "")],
        "media": [str(settings.MEDIA_URL or ""), str(settings.MEDIA_ROOT or "")],
        "private": private(),
        "env_file": env_file(),
        "strangers": [name for name in names if not validate_host(name, settings.ALLOWED_HOSTS)],
    }
    print("\n" + word + json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
