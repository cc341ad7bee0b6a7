"""Secrets of a .env, whole or in pieces, are shown to nobody."""

from __future__ import annotations

import pytest

from backstage.projects.dotenv import DotEnv
from backstage.projects.masking import secrets_in, veiled

KEY = "kq3v9x-tt0p_Zr81mmWc5d"
ENVIRONMENT = DotEnv(
    f"SECRET_KEY={KEY}\n"
    "DATABASE_URL=postgres://blog:pa/ss@w0rd@db.example.com:5432/blog\n"
    "ALLOWED_HOSTS=www.example.com\n"
    "DEBUG=off\n"
    "TLS_KEY=/etc/ssl/private/blog.pem\n"
)


def test_what_is_secret() -> None:
    assert secrets_in(ENVIRONMENT) == {KEY, "pa/ss@w0rd"}


@pytest.mark.parametrize(
    "text",
    [
        f"bad key {KEY}!",
        f"bad key {KEY[3:9]}",
        "could not connect to postgres://blog:pa/ss@w0rd@db.example.com",
        "invalid literal for int() with base 10: 'pa/ss'",
        "no host 'w0rd@db.example.com'",
    ],
)
def test_no_piece_of_a_secret_is_left(text: str) -> None:
    shown = veiled(text, secrets_in(ENVIRONMENT))
    assert shown != text
    for secret in secrets_in(ENVIRONMENT):
        pieces = {secret[start : start + 4] for start in range(len(secret) - 3)}
        assert not [piece for piece in pieces if piece in shown]


PHRASE = "change-me-in-production, or the blog is lost"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        # Short values of keys that sound like secrets.
        ("true", "TypeError: 'true' is not a number"),
        ("3600", "settings.py, line 3600"),
        ("web", "website"),
        ("shop", "No module named 'shopping'"),
        # Words within other words.
        ("django-insecure-3k#x!9vbmu7", "django.core.exceptions.ImproperlyConfigured: insecure-3"),
        (PHRASE, "introduced"),
        # The name of the Act, which everybody has seen.
        ("blog", "No module named 'blog'"),
        # Whatever a directory is called, nobody keeps a secret in its name.
        (PHRASE, "/srv/production/acts/blog/lost/settings.py, line 3"),
        ("lost", "(/srv/production/acts/blog/lost/settings.py, line 3)"),
    ],
)
def test_words_and_paths_are_left_as_they_are(secret: str, text: str) -> None:
    secrets = secrets_in(DotEnv(f"KEY={secret}"), known={"blog"})
    assert veiled(text, secrets, places=["/srv/production"]) == text


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("s3cr3t", "password 's3cr3t' is too short", "password '******' is too short"),
        (PHRASE, "no host production-2", "no host **********-2"),
        (PHRASE, "/srv/productions: production", "/srv/**********s: **********"),
    ],
)
def test_secrets_that_are_short_or_words_are_masked_elsewhere(
    secret: str, text: str, shown: str
) -> None:
    assert veiled(text, secrets_in(DotEnv(f"KEY={secret}")), places=["/srv/production"]) == shown


@pytest.mark.parametrize("text", ["", "abc", "no such host db.example.com", "/etc/ssl/private"])
def test_other_words_are_left_as_they_are(text: str) -> None:
    assert veiled(text, secrets_in(ENVIRONMENT)) == text
