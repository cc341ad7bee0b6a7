"""nginx's configuration, read as nginx reads it."""

from __future__ import annotations

import pytest

from backstage.nginx.config_parser import address, files_of, find, parse, servers

DUMP = """# configuration file /etc/nginx/nginx.conf:
user www-data;   # not root; never
http {
    include /etc/nginx/sites-enabled/*;
    log_format main '$remote_addr "{$request}" # ;';
    map $http_upgrade $connection { default upgrade; '' close; }
}
stream { server { listen 53; proxy_pass dns; } }
# configuration file /etc/nginx/sites-enabled/default:
server { listen 80 default_server; listen [::]:80 default_server ipv6only=off; server_name _; }
server {
    server_name Shop.Example.com "quoted.example" ~^x\\d+$;
    location ~ \\.(png|jpg){2}$ { return 200 "server { listen 81; }"; }
    if ($host = "a;b") { return 444; }
}
server { listen 127.0.0.1:8443 ssl http2; listen unix:/run/x.sock; }
"""


def test_files_are_told_apart() -> None:
    assert list(files_of(DUMP)) == ["/etc/nginx/nginx.conf", "/etc/nginx/sites-enabled/default"]


def test_servers_are_told_with_names_and_addresses() -> None:
    default, shop, local = servers(files_of(DUMP))
    assert default.default_at == {"*:80", "[::]:80"}
    assert default.takes_ipv4 == {"80"}
    assert shop.names == {"shop.example.com", "quoted.example", "~^x\\d+$"}
    assert (shop.ports, shop.default_at) == ({"80"}, frozenset())
    assert local.addresses == {"127.0.0.1:8443", "unix:/run/x.sock"}
    assert shop.file == "/etc/nginx/sites-enabled/default"


def test_directives_are_found_wherever_they_are() -> None:
    files = files_of(DUMP)
    assert [each.words for each in find(files, "include")] == [("/etc/nginx/sites-enabled/*",)]
    (user,) = parse(files["/etc/nginx/nginx.conf"]).all("user")
    assert user.words == ("www-data",)


@pytest.mark.parametrize(
    ("word", "spelt"),
    [
        ("80", "*:80"),
        ("*:80", "*:80"),
        ("0.0.0.0:80", "*:80"),
        ("[::]:443", "[::]:443"),
        ("[::1]", "[::1]:80"),
        ("192.0.2.1", "192.0.2.1:80"),
        ("localhost:8000", "localhost:8000"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
    ],
)
def test_an_address_has_one_spelling(word: str, spelt: str) -> None:
    assert address(word) == spelt


@pytest.mark.parametrize("text", ["", "}", "{", "server {", "a 'b", "}}}; x;", "# only"])
def test_what_is_cut_off_does_not_trouble(text: str) -> None:
    assert servers({"x": text}) in ([], servers({"x": "server { }"}))
