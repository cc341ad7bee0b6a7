"""Secrets of a .env, masked in what the group gets to see."""

from __future__ import annotations

from pathlib import Path

from backstage.layout.paths import VenuePaths
from backstage.sharing.veil import Veil


def test_secrets_are_masked_and_other_words_are_not(tmp_path: Path) -> None:
    """A password that is an Act's name is none, and would hide that Act from its own lines."""
    blog = tmp_path / "acts" / "blog"
    blog.mkdir(parents=True)
    (blog / ".env").write_text(
        "SECRET_KEY=abc+(def\nDATABASE_URL=postgres://u:s3cret/x@h/d\nTOKEN=blog\nDEBUG=off\n"
    )
    veil = Veil(VenuePaths(tmp_path))
    assert veil("blog: abc+(def, s3cret/x, off") == "blog: ********, ********, off"


def test_a_file_that_cannot_be_read_hides_nothing_else(tmp_path: Path) -> None:
    for name in ("blog", "shop"):
        (tmp_path / "acts" / name).mkdir(parents=True)
    (tmp_path / "acts/blog/.env").symlink_to("nowhere")
    (tmp_path / "acts/shop/.env").write_text("API_KEY=hidden-key\n")
    assert Veil(VenuePaths(tmp_path))("hidden-key") == "********"
