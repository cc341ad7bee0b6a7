"""venue.yaml: the settings of a Venue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import SettingsError

_LOWEST_PORT = 1024
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """What venue.yaml says; `ports` is the range, both ends included, that new Acts choose from."""

    ports: range = range(8001, 9000)


def read_settings(path: Path) -> Settings:
    """Read and check a venue.yaml. Raises SettingsError, which names the line."""
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else None
        raise SettingsError(path, line, f"not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(path, None, f"not valid YAML: {error}") from error
    if document is None:
        return Settings()
    if not isinstance(document, yaml.MappingNode):
        raise SettingsError(path, _line(document), "settings are lines of `key: value`")
    return _settings(path, document)


def _settings(path: Path, document: yaml.MappingNode) -> Settings:
    settings = Settings()
    for key, value in document.value:
        if key.value != "ports":
            raise SettingsError(path, _line(key), f"unknown key {key.value!r}; known keys: ports")
        settings = Settings(ports=_port_range(path, value))
    return settings


def _port_range(path: Path, node: yaml.Node) -> range:
    words = str(node.value).split("-") if isinstance(node, yaml.ScalarNode) else []
    if len(words) != 2 or not all(word.strip().isdecimal() for word in words):
        raise SettingsError(path, _line(node), "ports is a range such as 8001-8999")
    first, last = (int(word) for word in words)
    if not _LOWEST_PORT <= first <= last <= _HIGHEST_PORT:
        raise SettingsError(
            path,
            _line(node),
            f"ports {first}-{last} is no rising range within {_LOWEST_PORT}-{_HIGHEST_PORT}",
        )
    return range(first, last + 1)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
