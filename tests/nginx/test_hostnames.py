"""Names of hosts, and what must not pass for one."""

from __future__ import annotations

import pytest

from backstage.errors import SiteRefused
from backstage.nginx.hostnames import all_plain, counterpart, plain


@pytest.mark.parametrize(
    ("given", "plain_name"),
    [
        ("example.com", "example.com"),
        ("WWW.Example.COM", "www.example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("a-b.c1.example", "a-b.c1.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
        # Names that the standard of 2003 spelt otherwise, or did not know.
        ("faß.de", "xn--fa-hia.de"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("\uff41\uff42\uff43\u3002test", "abc.test"),
        ("XN--FA-HIA.de", "xn--fa-hia.de"),
        (f"{'a' * 63}.test", f"{'a' * 63}.test"),
    ],
)
def test_a_name_is_compared_in_one_spelling(given: str, plain_name: str) -> None:
    assert plain(given) == plain_name


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "letters, digits and -"),
        ("*.example.com", "wildcards are not supported"),
        (".example.com", "wildcards are not supported"),
        ("~^(.*)$", "letters, digits and -"),
        ("example.com;", "letters, digits and -"),
        ("a.test{}", "letters, digits and -"),
        ("a.test b.test", "letters, digits and -"),
        ("a.test\nb.test", "letters, digits and -"),
        ("a.test\n", "letters, digits and -"),
        ("$host", "letters, digits and -"),
        ('"a.test"', "letters, digits and -"),
        ("a..test", "letters, digits and -"),
        ("-a.test", "letters, digits and -"),
        ("under_score.test", "letters, digits and -"),
        ("a.test:80", "letters, digits and -"),
        (f"{'a' * 64}.test", "letters, digits and -"),
        (".".join(["a" * 60] * 5), "at most 253"),
        ("192.0.2.1", "it is an address"),
        ("https://example.com/", "as 'example.com'"),
        ("example.com/shop", "as 'example.com'"),
        ("ü" * 70 + ".test", "too long"),
        ("a\u200cb.test", "U+200C"),
        ("\u0627a.test", "give its spelling that begins with xn--"),
        ("☃.test", "U+2603"),
        ("bücher..test", "Empty"),
        ("bücher.te_st", "U+005F"),
        ("bücher.test\u2215x", "U+2215"),
    ],
)
def test_what_is_more_than_a_name_is_refused(given: str, why: str) -> None:
    with pytest.raises(SiteRefused) as caught:
        plain(given)
    assert str(caught.value).startswith(f"{given!r} cannot be bound as a domain: ")
    assert why in str(caught.value)


def test_a_name_given_twice_is_one() -> None:
    assert all_plain(["a.test", "A.test", "b.test"]) == ("a.test", "b.test")


def test_each_name_has_one_with_or_without_www() -> None:
    assert counterpart("example.com") == "www.example.com"
    assert counterpart("www.example.com") == "example.com"
