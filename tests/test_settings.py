"""venue.yaml: what it may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import SettingsError
from backstage.settings import Settings, read_settings
from backstage.templates import shelf


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", range(8001, 9000)),
        ("# nothing but a comment\n", range(8001, 9000)),
        ("ports: 9000-9010\n", range(9000, 9011)),
        ("ports: 9000 - 9010  # ours\n", range(9000, 9011)),
        ("ports: '9000-9010'\n", range(9000, 9011)),
        ("ports: 9000-9000\n", range(9000, 9001)),
        ("ports: 1024-65535\n", range(1024, 65536)),
    ],
)
def test_what_it_may_say(tmp_path: Path, text: str, ports: range) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    assert read_settings(path) == Settings(ports=ports)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("# ours\n\nport: 8001-8999\n", 3, "unknown key 'port'; known keys: ports"),
        ("ports: 8001-8999\nworkers: 4\n", 2, "unknown key 'workers'"),
        ("ports: 8001\n", 1, "a range such as 8001-8999"),
        ("ports:\n", 1, "a range such as"),
        ("ports: [8001, 8002]\n", 1, "a range such as"),
        ("ports: 8001-8002-8003\n", 1, "a range such as"),
        ("ports: -1-8003\n", 1, "a range such as"),
        ("ports: a-b\n", 1, "a range such as"),
        ("#\nports: 8999-8001\n", 2, "ports 8999-8001 is no rising range"),
        ("ports: 1023-8001\n", 1, "within 1024-65535"),
        ("ports: 8001-65536\n", 1, "within 1024-65535"),
        ("- ports\n", 1, "lines of `key: value`"),
        ("\nports\n", 2, "lines of `key: value`"),
        ("ports: 8001-8999\n  more: [\n", 2, "not valid YAML"),
        ("ports: 'open\n", 2, "not valid YAML"),
        ("ports: *unknown\n", 1, "not valid YAML"),
        ("ports: a\n---\nports: b\n", 2, "not valid YAML"),
        ("ports: \0\n", None, "not valid YAML"),
    ],
)
def test_what_it_may_not_say(tmp_path: Path, text: str, line: int | None, why: str) -> None:
    """The error names the file and the line."""
    path = tmp_path / "venue.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert why in caught.value.why
    assert str(caught.value).startswith(f"{path}, line {line}:" if line else f"{path}:")


def test_a_file_in_another_encoding_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_bytes("# für uns\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="not valid YAML"):
        read_settings(path)


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "venue.yaml", tmp_path / "trace"
    path.write_text(f"ports: !!python/object/apply:os.mkdir ['{trace}']\n")
    with pytest.raises(SettingsError):
        read_settings(path)
    assert not trace.exists()


def test_the_shipped_file_says_the_defaults() -> None:
    assert read_settings(shelf("emperor") / "venue.yaml") == Settings()
