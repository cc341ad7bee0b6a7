"""The changes to the .env of an Act from our scaffold when nginx serves it, and their undoing.

Changes are recorded as words: `+ALLOWED_HOSTS=example.com` for an added list item, `TLS=on` for a
value, and `-TLS=off` for the previous value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# The defaults in the scaffold's settings for lists that .env lacks.
_DEFAULTS = {"ALLOWED_HOSTS": ("localhost", "127.0.0.1", "[::1]"), "CSRF_TRUSTED_ORIGINS": ()}

Changes = dict[str, str | None]


def grant(
    values: Mapping[str, str], hosts: Iterable[str], origins: Iterable[str], *, tls: bool
) -> tuple[Changes, tuple[str, ...]]:
    """The variables to set, and the words that record the change."""
    changes: Changes = {}
    told: list[str] = []
    for key, items in (("ALLOWED_HOSTS", hosts), ("CSRF_TRUSTED_ORIGINS", origins)):
        present = _items(values, key)
        new = [item for item in items if item not in present]
        if new:
            changes[key] = ",".join((*present, *new))
            told += [f"+{key}={item}" for item in new]
            told += _former(values, key)
    for key, value in (("TLS", "on" if tls else "off"), ("PROXY", "on")):
        if values.get(key) != value:
            changes[key] = value
            told += [f"{key}={value}", *_former(values, key)]
    return changes, tuple(told)


def withdraw(values: Mapping[str, str], told: Iterable[str]) -> Changes:
    """The changes that undo the recorded ones; None for a variable to remove.

    Values that were changed since are kept.
    """
    words = [*told]
    former = dict(word[1:].split("=", 1) for word in words if word.startswith("-"))
    added: dict[str, list[str]] = {}
    changes: Changes = {}
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if word.startswith("+"):
            added.setdefault(key, []).append(value)
        elif not word.startswith("-") and values.get(key) == value:
            changes[key] = former.get(key)
    for key in added.keys() & values.keys():
        left = [item for item in _items(values, key) if item not in added[key]]
        changes[key] = _without(key, left, former.get(key))
    return changes


def applied(values: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The variables as they are after the changes."""
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def _without(key: str, left: list[str], former: str | None) -> str | None:
    """The text of a list without the added items: the former text if nothing else changed."""
    if former is None and left == [*_DEFAULTS[key]]:
        return None
    if former is not None and left == _split(former):
        return former
    return ",".join(left)


def _items(values: Mapping[str, str], key: str) -> list[str]:
    return _split(values[key]) if key in values else [*_DEFAULTS[key]]


def _split(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _former(values: Mapping[str, str], key: str) -> list[str]:
    return [f"-{key}={values[key]}"] if key in values else []
