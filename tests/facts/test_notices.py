"""What people are told, in words and as values."""

from __future__ import annotations

from datetime import datetime

import pytest

from backstage.facts.notices import Kind, Notice, Target

SINCE = datetime(2026, 5, 4, 14, 2, 10).timestamp()
TROUBLE = Notice(
    kind=Kind.TROUBLE,
    venue="/srv/MyVenue",
    at=SINCE + 5,
    act="blog",
    state="failing",
    since=SINCE,
    reason="no module",
)


@pytest.mark.parametrize(
    ("notice", "title", "text"),
    [
        (
            TROUBLE,
            "blog is failing",
            "blog in /srv/MyVenue is failing since 14:02:10: no module",
        ),
        (
            Notice(kind=Kind.OVER, venue="/v", at=0.0, act="blog", state="running", lasted=192.7),
            "blog runs again",
            "blog in /v runs again; it was in trouble for 3m 12s",
        ),
        (
            Notice(kind=Kind.OVER, venue="/v", at=0.0, act="blog", state="stopped", lasted=-7),
            "blog is stopped",
            "blog in /v is stopped; it was in trouble for 0s",
        ),
        (
            Notice(kind=Kind.HELD, venue="/v", at=0.0),
            "too many messages",
            "More messages about /v are held back for up to an hour; to see all, type: "
            "backstage events --since 1h",
        ),
        (
            Notice(kind=Kind.TEST, venue="/v", at=0.0),
            "a test",
            "This is a test from /v: messages arrive.",
        ),
    ],
)
def test_a_notice_in_words(notice: Notice, title: str, text: str) -> None:
    assert (notice.title, notice.text) == (title, text)


def test_a_notice_for_programs() -> None:
    assert TROUBLE.fields == {
        **{"version": 1, "kind": "trouble", "venue": "/srv/MyVenue", "act": "blog"},
        **{"state": "failing", "since": SINCE, "at": SINCE + 5, "reason": "no module"},
        **{"title": TROUBLE.title, "text": TROUBLE.text},
    }


def test_a_target_does_not_tell_its_secrets() -> None:
    target = Target(url="mailto://user:secret@example.org/token?to=me")
    assert target.shown == "mailto://…"
    assert "secret" not in target.key
    assert target.key != Target(url="mailto://user:secret@example.org/token?to=you").key
    assert Target(command="page").shown == "page"
