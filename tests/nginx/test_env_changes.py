"""What a .env is told of its domains, and that taking it back leaves what was there before."""

from __future__ import annotations

import pytest

from backstage.nginx.env_changes import applied, grant, withdraw

HOSTS, ORIGINS = ("a.test", "b.test"), ("https://a.test", "https://b.test")


def test_an_empty_env_is_told_everything() -> None:
    changes, told = grant({}, HOSTS, ORIGINS, tls=True)
    assert changes == {
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],a.test,b.test",
        "CSRF_TRUSTED_ORIGINS": "https://a.test,https://b.test",
        "TLS": "on",
        "PROXY": "on",
    }
    assert told == (
        *("+ALLOWED_HOSTS=a.test", "+ALLOWED_HOSTS=b.test"),
        *("+CSRF_TRUSTED_ORIGINS=https://a.test", "+CSRF_TRUSTED_ORIGINS=https://b.test"),
        *("TLS=on", "PROXY=on"),
    )


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"TLS": "off", "DEBUG": "on"},
        {"TLS": "on", "PROXY": "off"},
        {"ALLOWED_HOSTS": "mine.test, localhost"},
        {"ALLOWED_HOSTS": "a.test,b.test", "CSRF_TRUSTED_ORIGINS": "https://x.test"},
        {"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]"},
        {"ALLOWED_HOSTS": ""},
        {"ALLOWED_HOSTS": "*", "CSRF_TRUSTED_ORIGINS": "https://a.test"},
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_what_is_taken_back_leaves_what_was_there(values: dict[str, str], tls: bool) -> None:
    changes, told = grant(values, HOSTS, ORIGINS, tls=tls)
    after = applied(values, changes)
    assert applied(after, withdraw(after, told)) == values


def test_what_somebody_has_changed_since_stays() -> None:
    changes, told = grant({}, HOSTS, ORIGINS, tls=True)
    later = {**applied({}, changes), "TLS": "maybe"}
    later["ALLOWED_HOSTS"] += ",mine.test"
    left = applied(later, withdraw(later, told))
    assert left == {"TLS": "maybe", "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],mine.test"}
    assert withdraw({}, told) == {}
