"""Branches, tags and commits, as a server tells them."""

from __future__ import annotations

from backstage.sources import refs

ONE, TWO = "1" * 40, "2" * 40
OUTPUT = f"""Warning: Permanently added 'example.org' to the list of known hosts.
{ONE}\tHEAD
{ONE}\trefs/heads/main
{TWO}\trefs/tags/v1
{ONE}\trefs/tags/v1^{{}}
{ONE}\t--upload-pack=x
{ONE}\trefs/heads/a\x1bb
"""


def test_only_what_can_be_a_ref_is_read() -> None:
    """A tag is the commit that it tags; a server cannot name an option."""
    assert refs.advertised(OUTPUT) == {
        "HEAD": ONE,
        "refs/heads/main": ONE,
        "refs/tags/v1": ONE,
    }


def test_a_beginning_means_a_commit_if_it_means_only_one() -> None:
    known = {"refs/heads/a": "12" + "0" * 38, "refs/heads/b": "13" + "0" * 38}
    assert refs.begins("12", known) == "refs/heads/a"
    assert refs.begins("1", known) == ""


def test_similar_names_are_told_or_a_few() -> None:
    known = {f"refs/tags/v{number}.0": ONE for number in range(12)}
    assert refs.similar("v3", known).startswith("did you mean v3.0")
    assert refs.similar("release", known).endswith("and 4 more")
    assert refs.similar("x", {}) == "it has none at all"
