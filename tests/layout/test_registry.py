"""The register of Venues, in a directory of the test."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from backstage.layout import registry


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "django-backstage"


def make_venue(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "venue.yaml").touch()
    return path


@pytest.mark.parametrize("configured", [None, "", "state", "./state"])
def test_a_relative_place_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str | None
) -> None:
    """So the register does not depend on the working directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        if configured is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, configured)
    assert registry.state_directory() == tmp_path / ".local" / "state" / "django-backstage"
    assert registry.cache_directory() == tmp_path / ".cache" / "django-backstage"


def test_an_absolute_place_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert registry.state_directory() == tmp_path / "s" / "django-backstage"
    assert registry.cache_directory() == tmp_path / "c" / "django-backstage"


@pytest.mark.usefixtures("state")
def test_history_of_a_register(tmp_path: Path) -> None:
    """A Venue is listed once from its registration until it is forgotten or removed."""
    blog, shop = make_venue(tmp_path / "blog"), make_venue(tmp_path / "shop ünï")
    assert list(registry.venues()) == []
    for _ in range(2):
        registry.register(blog)
    assert list(registry.venues()) == [blog]
    registry.register(shop)
    assert set(registry.venues()) == {blog, shop}
    registry.forget(blog)
    assert list(registry.venues()) == [shop]
    registry.forget(blog)
    (shop / "venue.yaml").unlink()
    assert list(registry.venues()) == []
    (shop / "venue.yaml").touch()
    assert list(registry.venues()) == [shop]


@pytest.mark.usefixtures("state")
def test_a_venue_may_be_forgotten_while_another_program_reads(tmp_path: Path) -> None:
    venues = [make_venue(tmp_path / name) for name in ("a", "b", "c")]
    for venue in venues:
        registry.register(venue)
    reading = registry.venues()
    first = next(reading)
    for venue in set(venues) - {first}:
        registry.forget(venue)
    assert list(reading) == []


def test_the_register_is_nobody_elses_business(tmp_path: Path, state: Path) -> None:
    registry.register(make_venue(tmp_path / "blog"))
    (entry,) = (state / "venues").iterdir()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


def test_locks_lie_outside_of_the_venue(tmp_path: Path, state: Path) -> None:
    """A Venue must be empty before it is built, and two builds do not wait for each other."""
    venue, other = tmp_path / "blog", tmp_path / "shop"
    with registry.building(venue), registry.building(other), registry.choosing_ports():
        assert not venue.exists()
        assert len(list((state / "locks").iterdir())) == 2
        assert (state / "ports.lock").exists()
