"""Values as JSON and back: what comes from another user has exactly the types that are expected."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_UNIONS = (Union, types.UnionType)
# Fields that name something, which is to be found again by that name.
_NAMES = frozenset({"name", "act", "source", "kind", "venue", "known"})
# What can be shown: later, no calendar knows a time, and no counter counts further.
_MOST: Mapping[type, float] = {int: 2**63, float: 1e11}


def encoded(value: object, text: Callable[[str], str] = str) -> Any:
    """The form of a value in JSON; every text in it but names goes through `text`.

    A value is a frozen dataclass, an Enum, a tuple of values, or what JSON has.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return text(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {
            name: encoded(getattr(value, name), str if name in _NAMES else text) for name in names
        }
    if isinstance(value, tuple):
        return [encoded(each, text) for each in value]
    return value


def decoded(kind: type[_T], form: object) -> _T:
    """The value of this type with this form. Raises ValueError if it has another one."""
    value: _T = _decoded(kind, form)
    return value


def _decoded(kind: Any, form: object) -> Any:
    origin = get_origin(kind)
    if origin in _UNIONS:
        return _optional(kind, form)
    if origin is tuple:
        if not isinstance(form, list):
            raise ValueError("not a list")
        return tuple(_decoded(get_args(kind)[0], each) for each in form)
    if dataclasses.is_dataclass(kind):
        return _filled(kind, form)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(form)
    return _plain(kind, form)


def _optional(kind: Any, form: object) -> Any:
    (inner,) = (each for each in get_args(kind) if each is not type(None))
    return None if form is None else _decoded(inner, form)


def _filled(kind: Any, form: object) -> Any:
    hints = _hints(kind)
    if not isinstance(form, Mapping) or not form.keys() <= hints.keys():
        raise ValueError(f"not the fields of {kind.__name__}")
    try:
        return kind(**{name: _decoded(hints[name], each) for name, each in form.items()})
    except TypeError as error:
        raise ValueError(str(error)) from error


def _plain(kind: Any, form: object) -> Any:
    most = _MOST.get(kind)
    is_number = type(form) is int or (kind is float and type(form) is float)
    if most is not None and is_number and -most < form < most:  # type: ignore[operator]
        return kind(form)
    if most is not None or type(form) is not kind:
        raise ValueError(f"not of type {kind.__name__}")
    return form


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
