"""Acts that tests begin with: only their files, in a Venue that has no Emperor."""

from __future__ import annotations

from pathlib import Path

from backstage.layout.paths import ActPaths, VenuePaths


def with_project(top: Path) -> ActPaths:
    """An Act `blog` that has a Django project and no vassal file yet."""
    for name in ("vassals", "kept", "templates", "acts/blog/blog"):
        (top / name).mkdir(parents=True)
    act = VenuePaths(top).act("blog")
    act.manage.touch()
    return act
