"""Seals reveal whether a generated file was edited."""

from __future__ import annotations

import pytest

from backstage.system.seals import is_edited, sealed

TEXT = "[Unit]\nDescription=für uns\n\n[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize("text", [TEXT, "", "no line end", "\n\n", "# a comment\n"])
def test_what_nobody_has_touched_is_not_edited(text: str) -> None:
    assert not is_edited(sealed(text))


def test_a_seal_is_one_line_above_a_text_that_stays_as_it_is() -> None:
    head, _, rest = sealed(TEXT).partition("\n")
    assert head.startswith("# ")
    assert rest == TEXT


@pytest.mark.parametrize(
    "edited",
    [
        sealed(TEXT).replace("true", "false"),
        sealed(TEXT) + "# a remark\n",
        sealed(TEXT).rstrip("\n"),
        "# a remark above\n" + sealed(TEXT),
        sealed(TEXT).replace("\n", "\r\n"),
        sealed(TEXT).replace("sealed ", "sealed 0", 1),
        sealed(sealed(TEXT)).partition("\n")[0] + "\n" + TEXT,
        TEXT,
        "",
    ],
    ids=["other", "more", "less", "above", "crlf", "no seal", "another's", "never", "empty"],
)
def test_what_is_not_as_it_was_sealed_is_edited(edited: str) -> None:
    assert is_edited(edited)
