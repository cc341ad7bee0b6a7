"""Reports to `backstage doctor`: a project's settings, `check --deploy` and its migrations.

It changes nothing. The argument is the word that marks the answer. Keys are reported only as
digests salted with that word, which are useful only for comparison.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.parse
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def debug(word: str) -> bool:
    return bool(settings.DEBUG)


def tls(word: str) -> Any:
    return getattr(settings, "TLS", None)


def hosts(word: str) -> list[str]:
    return [str(host) for host in settings.ALLOWED_HOSTS]


def key(word: str) -> str:
    return hashlib.sha256(f"{word} {settings.SECRET_KEY}".encode()).hexdigest()


def messages(word: str) -> list[tuple[str, int, str, str]]:
    found = run_checks(include_deployment_checks=True)
    return [
        (str(each.id), each.level, str(each.msg), str(each.hint or ""))
        for each in found
        if not each.is_silenced()
    ]


def pending(word: str) -> list[str]:
    if not settings.DATABASES.get("default"):
        return []
    read_only()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _ in plan]


def read_only() -> None:
    """Keep SQLite from writing any file; without a WAL, nobody is using the database."""
    file = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not file.startswith("file:"):
        how = "mode=ro" if os.path.exists(f"{file}-wal") else "immutable=1"
        uri = f"file:{urllib.parse.quote(file)}?{how}"
        connection.settings_dict["NAME"] = uri if os.path.exists(file) else ":memory:"
        connection.settings_dict["OPTIONS"] = {}


def told(part: Callable[[str], Any], word: str) -> tuple[Any, str]:
    """The result of a part and '', or None and the error, whatever the project raises."""
    try:
        return part(word), ""
    except Exception as error:  # noqa: BLE001
        return None, f"{type(error).__name__}: {error}"


def main(word: str) -> None:
    django.setup()
    parts = (debug, tls, hosts, key, messages, pending)
    found = {part.__name__: told(part, word) for part in parts}
    facts = {name: value for name, (value, error) in found.items() if not error}
    errors = {name: error for name, (_, error) in found.items() if error}
    print("\n" + word + json.dumps({"django": django.get_version(), **facts, "errors": errors}))


if __name__ == "__main__":
    main(sys.argv[1])
