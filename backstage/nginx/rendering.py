"""The text of nginx's configuration: a site's file, and the file that all sites share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..errors import SiteRefused
from .site import Listening, Share, Site, Tls, headed

# The URL of the page for an Act that is away; no application uses this name.
_AWAY = "/.backstage-away.html"
_CHALLENGE = "/.well-known/acme-challenge/"
_PROBES = ("/healthz", "/readyz")
_UNFIT = frozenset('"\\$')
# The uploads that a browser may display; everything else is only downloaded.
_SHOWN = {
    "image/png": "png",
    "image/jpeg": "jpeg jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "audio/mpeg": "mp3",
    "audio/ogg": "oga ogg opus",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "font/woff": "woff",
    "font/woff2": "woff2",
}
# Mozilla's "intermediate" list for TLS 1.2; all ciphers of TLS 1.3 are good.
_CIPHERS = ":".join(
    f"{exchange}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA")
)
_STATIC = "static"


@dataclass(frozen=True)
class Common:
    """What the shared file sets: where to refuse unknown names, and the hash bucket size."""

    http: tuple[str, ...] = ()
    https: tuple[str, ...] = ()
    hash_bucket: bool = True


@dataclass(frozen=True)
class _Block:
    """A block of nginx's configuration, with its contents."""

    head: str
    body: list[_Line] = field(default_factory=list)


_Line = str | _Block


def render(site: Site, listening: Listening, upstream: str) -> str:
    """The text of a site's file; `upstream` is the name of its upstream, which must be unique.

    Raises SiteRefused for a path that nginx would misread.
    """
    return headed(site, _text([*_upstream(site, upstream), *_servers(site, listening, upstream)]))


def render_shared(common: Common) -> str:
    """The text of the file that all sites share."""
    return (
        "# Shared by all sites of Django Backstage. Written by `backstage nginx bind`, and\n"
        "# removed with the last site.\n\n"
    ) + _text(_shared(common))


def _upstream(site: Site, name: str) -> list[_Line]:
    # Retried with each request, as there is no other server.
    return [_Block(f"upstream {name}", [f"server {_quoted(site.target.server)} fail_timeout=0;"])]


def _servers(site: Site, listening: Listening, upstream: str) -> Iterator[_Line]:
    secure = site.tls is not None
    yield _main(site, listening, upstream)
    if secure:
        yield _sends_on(listening, site.domains, listening.origin("$host", tls=True))
    if site.aliases:
        first = listening.origin(site.domains[0], tls=secure)
        yield _sends_on(listening, site.aliases, first)
        if site.tls:
            yield _sends_on(listening, site.aliases, first, site.tls)


def _main(site: Site, listening: Listening, upstream: str) -> _Block:
    return _Block(
        "server",
        [
            *_listen(listening, site.domains, site.tls),
            *([] if site.tls else [_challenges(listening)]),
            "",
            "client_max_body_size 100m;",
            *_passing(site, listening),
            "",
            "# The Act is stopped, or held by this file: no other 503 is replaced.",
            f"error_page 502 =503 {_AWAY};",
            f"error_page 503 {_AWAY};",
            "error_page 418 = @websocket;",
            *_places(site, listening, upstream),
        ],
    )


def _listen(listening: Listening, names: Iterable[str], tls: Tls | None) -> Iterator[_Line]:
    suffix = " ssl" if tls else ""
    if tls and listening.http2 == "listen":
        suffix += " http2"
    for address in listening.listens(tls=tls is not None):
        yield f"listen {address}{suffix};"
    if tls and listening.http2 == "directive":
        yield "http2 on;"
    yield f"server_name {' '.join(names)};"
    if tls:
        yield f"ssl_certificate {_quoted(tls.certificate)};"
        yield f"ssl_certificate_key {_quoted(tls.key)};"
        yield from _security()


def _security() -> list[_Line]:
    return [
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {_CIPHERS};",
        "ssl_prefer_server_ciphers off;",
        "ssl_session_timeout 1d;",
        "ssl_session_cache shared:backstage:10m;",
        "ssl_session_tickets off;",
    ]


def _passing(site: Site, listening: Listening) -> Iterator[_Line]:
    """How requests reach the Act. Headers that a visitor could forge are overwritten."""
    headers = {
        "Host": listening.host,
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
        "X-Forwarded-Host": '""',
        "X-Forwarded-Port": "$server_port",
        "Forwarded": '""',
        "X-Request-ID": "$request_id",
    }
    upgrade = {"Upgrade": "$backstage_upgrade", "Connection": "$backstage_connection"}
    if site.target.protocol == "http":
        yield "proxy_http_version 1.1;"
        for name, value in {**headers, **upgrade}.items():
            yield f"proxy_set_header {name} {value};"
        # Always empty, so that an application does not read a proxy from this obsolete header.
        yield 'proxy_set_header Proxy "";'
    else:
        for name, value in _uwsgi_variables(headers).items():
            yield f"uwsgi_param {name} {value};"
    kind = _kind(site)
    yield f"{kind}_request_buffering on;"
    yield f"{kind}_next_upstream off;"
    yield f"{kind}_connect_timeout 5s;"
    yield f"{kind}_send_timeout {site.patience}s;"
    yield f"{kind}_read_timeout {site.patience}s;"


def _uwsgi_variables(headers: dict[str, str]) -> dict[str, str]:
    told = headers.items()
    return {
        "QUERY_STRING": "$query_string",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "REQUEST_URI": "$request_uri",
        "PATH_INFO": "$document_uri",
        "SERVER_PROTOCOL": "$server_protocol",
        "REQUEST_SCHEME": "$scheme",
        "UWSGI_SCHEME": "$scheme",
        "HTTPS": "$https if_not_empty",
        "REMOTE_ADDR": "$remote_addr",
        "REMOTE_PORT": "$remote_port",
        "SERVER_PORT": "$server_port",
        "SERVER_NAME": "$server_name",
        "HTTP_PROXY": _unless_empty('""'),
        **{f"HTTP_{name.upper().replace('-', '_')}": _unless_empty(value) for name, value in told},
    }


def _unless_empty(value: str) -> str:
    """A variable's value; an empty one is not passed at all, whatever the visitor sent."""
    return f"{value} if_not_empty" if value == '""' else value


def _places(site: Site, listening: Listening, upstream: str) -> Iterator[_Line]:
    ask = _ask(site, upstream)
    held = f"if (-f {_quoted(site.held)}) {{ return 503; }}"
    yield ""
    # Without `recursive`, requests that were passed to @websocket would not get the page.
    upgrade = "if ($backstage_upgrade) { return 418; }"
    yield _Block("location /", ["recursive_error_pages on;", held, upgrade, ask])
    for probe in _PROBES:
        yield _Block(f"location = {probe}", [ask])
    yield _Block("location @websocket", _websocket(site, ask))
    yield _Block(
        f"location = {_AWAY}",
        [
            "internal;",
            f"root {_quoted(listening.pages)};",
            "try_files /away.html =503;",
            "add_header Retry-After 10 always;",
            "add_header Cache-Control no-store always;",
        ],
    )
    for share in site.shares:
        yield _served(share)


def _websocket(site: Site, ask: str) -> list[_Line]:
    kind = _kind(site)
    return [
        "# Only upgraded connections may be silent for so long.",
        f"{kind}_send_timeout 1h;",
        f"{kind}_read_timeout 1h;",
        ask,
    ]


def _served(share: Share) -> _Block:
    alias = [
        f"alias {_quoted(share.root + '/')};",
        "# Links to files of other users are not followed.",
        "disable_symlinks if_not_owner;",
        "add_header X-Content-Type-Options nosniff always;",
    ]
    if share.kind == _STATIC:
        more: list[_Line] = ["add_header Cache-Control $backstage_cache;"]
    else:
        more = [
            'add_header Cache-Control "max-age=3600";',
            "# Uploads are displayed or downloaded, but never run as a part of the site.",
            "add_header Content-Security-Policy $backstage_sandbox always;",
            "default_type application/octet-stream;",
            _Block("types", [f"{kind} {endings};" for kind, endings in _SHOWN.items()]),
        ]
    return _Block(f"location ^~ {_quoted(share.url)}", [*alias, *more])


def _sends_on(
    listening: Listening, names: Iterable[str], origin: str, tls: Tls | None = None
) -> _Block:
    return _Block(
        "server",
        [
            *_listen(listening, names, tls),
            *([] if tls else [_challenges(listening)]),
            _Block("location /", [f"return 301 {origin}$request_uri;"]),
        ],
    )


def _challenges(listening: Listening) -> _Block:
    """Where certbot proves control of the domain; on every site, for renewals."""
    return _Block(
        f"location ^~ {_CHALLENGE}",
        [f"root {_quoted(listening.challenges)};", "default_type text/plain;"],
    )


def _shared(common: Common) -> Iterator[_Line]:
    if common.hash_bucket:
        yield "# Needed for long host names."
        yield "server_names_hash_bucket_size 512;"
    yield _map(
        "$http_upgrade",
        "$backstage_upgrade",
        {"default": '""', "~*^websocket$": "websocket"},
    )
    yield _map(
        "$http_upgrade",
        "$backstage_connection",
        {"default": '""', "~*^websocket$": "upgrade"},
    )
    yield "# The content of a file with a digest in its name never changes."
    yield _map(
        "$uri",
        "$backstage_cache",
        {
            "default": '"public, max-age=3600"',
            r'"~\.[0-9a-f]{12}\.[^/]+$"': '"public, max-age=31536000, immutable"',
        },
    )
    yield "# Browsers do not display PDF in a sandbox, and PDF is harmless."
    sandbox = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    yield _map("$uri", "$backstage_sandbox", {"default": f'"{sandbox}"', r"~*\.pdf$": '""'})
    if common.http:
        yield "# Names that are not bound get no answer."
        yield _stranger(common.http, ["return 444;"])
    if common.https:
        secured = [f"{address} ssl" for address in common.https]
        yield _stranger(secured, [*_security(), "ssl_reject_handshake on;"])


def _map(source: str, name: str, values: dict[str, str]) -> _Block:
    return _Block(f"map {source} {name}", [f"{key} {value};" for key, value in values.items()])


def _stranger(addresses: Iterable[str], answer: list[_Line]) -> _Block:
    listens: list[_Line] = [f"listen {address} default_server;" for address in addresses]
    return _Block("server", [*listens, 'server_name "";', *answer])


def _kind(site: Site) -> str:
    return "proxy" if site.target.protocol == "http" else "uwsgi"


def _ask(site: Site, upstream: str) -> str:
    return f"{_kind(site)}_pass {'http://' if site.target.protocol == 'http' else ''}{upstream};"


def _quoted(path: str) -> str:
    unfit = [sign for sign in path if sign in _UNFIT or not sign.isprintable()]
    if unfit:
        raise SiteRefused(f"nginx gives {unfit[0]!r} in a path a special meaning: {path!r}")
    return f'"{path}"'


def _text(lines: Iterable[_Line], indent: str = "") -> str:
    return "".join(_written(line, indent) for line in lines)


def _written(line: _Line, indent: str) -> str:
    if isinstance(line, str):
        return f"{indent}{line}\n" if line else "\n"
    ending = "" if indent else "\n"
    return f"{indent}{line.head} {{\n{_text(line.body, indent + '    ')}{indent}}}\n{ending}"
