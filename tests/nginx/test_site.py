"""The text of a site's file: what it says, and what is read back from it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backstage.errors import SiteRefused
from backstage.layout.shipped_files import shelf
from backstage.nginx import config_parser
from backstage.nginx.rendering import Common, render, render_shared
from backstage.nginx.site import Listening, Share, Site, Target, Tls, file_name, origin, read_record

GROUND = Listening(
    http_port=80,
    https_port=443,
    ipv4=True,
    ipv6=True,
    http2="listen",
    pages="/var/lib/backstage/pages",
    challenges="/var/lib/backstage/acme",
)
SITE = Site(
    act="blog",
    venue="/srv/My Venue",
    domains=("example.com", "shop.example.com"),
    aliases=("www.example.com",),
    target=Target("http", "127.0.0.1:8001"),
    tls=Tls("/etc/ssl/my cert.pem", "/etc/ssl/key.pem"),
    shares=(
        Share("static", "/static/", "/srv/My Venue/acts/blog/staticfiles"),
        Share("media", "/media/", "/srv/My Venue/acts/blog/media"),
    ),
    granted=("+ALLOWED_HOSTS=example.com", "-ALLOWED_HOSTS=a, b", "TLS=on"),
)


def text(site: Site = SITE, listening: Listening = GROUND) -> str:
    return render(site, listening, "backstage-My_Venue-blog")


@pytest.mark.parametrize(
    "site",
    [
        SITE,
        replace(SITE, tls=None, aliases=(), shares=(), granted=(), automatic=True),
        replace(SITE, target=Target("uwsgi", "/srv/My Venue/run/blog.sock"), patience=35),
    ],
)
def test_a_site_is_read_back_as_it_was(site: Site) -> None:
    record = read_record(text(site))
    assert record
    assert (record.site, record.edited) == (site, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [("100m", "10m"), ("# domains: example.com", "# domains: example.org"), ("}\n", "}\n\n")],
)
def test_an_edit_is_noticed(old: str, new: str) -> None:
    record = read_record(text().replace(old, new, 1))
    assert record
    assert record.edited


@pytest.mark.parametrize(
    "foreign", ["", "server {}", "# act: blog\n", text().partition("# target")[0]]
)
def test_what_is_not_ours_is_not_taken_for_ours(foreign: str) -> None:
    assert read_record(foreign) is None


def test_people_read_what_it_is() -> None:
    head = text().splitlines()[1:4]
    assert head[0] == "# The Act blog of the Venue /srv/My Venue, served under its domains."
    assert "You may edit it" in head[1]


def test_plain_names_are_sent_on_to_https_and_aliases_to_the_first() -> None:
    found = config_parser.servers({"x": text()})
    assert [(sorted(server.names), sorted(server.ports)) for server in found] == [
        (["example.com", "shop.example.com"], ["443"]),
        (["example.com", "shop.example.com"], ["80"]),
        (["www.example.com"], ["80"]),
        (["www.example.com"], ["443"]),
    ]
    returns = re.findall(r"return 301 (\S+);", text())
    assert returns == ["https://$host$request_uri", *["https://example.com$request_uri"] * 2]


def test_certbot_is_answered_at_every_name() -> None:
    plain = [
        each
        for each in config_parser.parse(text()).all("server")
        if any(listen.words[0] == "80" for listen in each.all("listen"))
    ]
    assert len(plain) == 2
    for server in plain:
        places = [each.words for each in server.all("location")]
        assert ("^~", "/.well-known/acme-challenge/") in places


@pytest.mark.parametrize("path", ["/srv/$host", '/srv/"', "/srv/a\\b", "/srv/a\nb"])
def test_a_path_that_nginx_would_read_as_something_else_is_refused(path: str) -> None:
    with pytest.raises(SiteRefused, match="a special meaning"):
        text(replace(SITE, shares=(Share("static", "/static/", path),)))
    with pytest.raises(SiteRefused, match="a special meaning"):
        text(replace(SITE, tls=Tls(path, "/key.pem")))


@pytest.mark.parametrize("path", ["/srv/a;b", "/srv/a {b}", "/srv/#a", "/srv/it's"])
def test_other_paths_stay_one_word(path: str) -> None:
    made = replace(SITE, shares=(Share("static", "/static/", path),))
    (alias,) = config_parser.find({"x": text(made)}, "alias")
    assert alias.words == (f"{path}/",)


def test_ipv6_only_where_there_is_some() -> None:
    assert "[::]" not in text(listening=replace(GROUND, ipv6=False))
    assert not re.search(r"listen \d", text(listening=replace(GROUND, ipv4=False)))


def test_http2_is_asked_for_in_the_words_of_the_version() -> None:
    assert "listen 443 ssl http2;" in text()
    newer = text(listening=replace(GROUND, http2="directive"))
    assert "listen 443 ssl;" in newer
    assert "http2 on;" in newer


def test_other_ports_stand_in_urls() -> None:
    assert origin("a.test", 443, tls=True) == "https://a.test"
    assert origin("a.test", 80, tls=False) == "http://a.test"
    assert origin("a.test", 8443, tls=True) == "https://a.test:8443"
    other = text(listening=replace(GROUND, http_port=8080, https_port=8443))
    assert "return 301 https://$host:8443$request_uri;" in other
    assert "proxy_set_header Host $host:$server_port;" in other
    assert "proxy_set_header Host $host;" in text()


def test_the_shared_file_answers_strangers_only_where_nobody_else_does() -> None:
    assert config_parser.servers({"x": render_shared(Common())}) == []
    both = render_shared(Common(http=("80", "[::]:80"), https=("443",)))
    plain, secure = config_parser.servers({"x": both})
    assert plain.default_at == {"*:80", "[::]:80"}
    assert secure.default_at == {"*:443"}
    assert "ssl_reject_handshake on;" in both
    assert "server_names_hash_bucket_size" not in render_shared(Common(hash_bucket=False))


def test_a_file_is_named_after_venue_and_act() -> None:
    assert file_name("MyVenue", "blog") == "backstage-MyVenue-blog.conf"
    assert file_name("My Venue; x", "blog", "ab12") == "backstage-My_Venue_x-blog-ab12.conf"


def test_the_page_for_an_act_that_is_away_needs_nothing_from_elsewhere() -> None:
    """It is shown just when nothing else can be fetched."""
    page = (shelf("scaffolds") / "nginx" / "away.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|src=|@import|https?://|url\((?!#)", page)
    assert 'href="data:,"' in page
    assert "prefers-color-scheme: dark" in page
    assert "prefers-reduced-motion" in page
