"""Secrets of a .env, masked in what the group gets to see."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("secret", ["/Xy7secretpath", "4711", "a7", "90210333", "/a/b"])
def test_a_secret_of_any_form_is_masked(tmp_path: Path, secret: str) -> None:
    """Whoever reads the logs of another user's Acts is told nothing that looks harmless either."""
    act = VenuePaths(tmp_path).act("blog")
    act.top.mkdir(parents=True)
    act.env_file.write_text(f"DB_PASSWORD={secret}\nURL=postgres://ann:{secret}@db/shop\n")
    veil = Veil(VenuePaths(tmp_path))
    assert veil(f"cannot connect: {secret} is wrong") == "cannot connect: ******** is wrong"
