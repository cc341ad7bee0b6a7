"""Reports to `backstage nginx`: the files that nginx may serve, and the host names not allowed.

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


def main(word: str, *names: str) -> None:
    django.setup(set_prefix=False)
    told = {
        "static": [str(settings.STATIC_URL or ""), str(settings.STATIC_ROOT or "")],
        "media": [str(settings.MEDIA_URL or ""), str(settings.MEDIA_ROOT or "")],
        "private": private(),
        "strangers": [name for name in names if not validate_host(name, settings.ALLOWED_HOSTS)],
    }
    print("\n" + word + json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
