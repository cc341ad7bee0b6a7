"""A real nginx in front of real Acts, and everything that may stand in the way of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.cli.exits import Exit
from backstage.doctor.finding import Finding, Severity
from backstage.errors import ActFailed, BackstageError, NotAllowed, PortUnavailable, SiteRefused
from backstage.nginx import binding, build, checks, program
from backstage.nginx.plan import BindRequest
from backstage.nginx.reload import reload
from backstage.nginx.site import Tls
from backstage.shortcuts import new_act, new_venue, relocate_venue, use_venue
from backstage.system import as_user
from backstage.system.deadlines import Deadline, until
from backstage.system.seals import sealed
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .calling import call, terminal
from .serving import PROGRAM, VISITOR, Web, make_certificate
from .visiting import visited

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed"),
]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody else at will")

NAMES = ("north.test", "more.test", "xn--bcher-kva.test", "south.test")
NOBODY = pwd.getpwnam("nobody").pw_uid
MEGABYTES_50 = 50 * 1024 * 1024
VIEWS = """
import time
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

def tell(request):
    return JsonResponse({
        "act": __name__.partition(".")[0],
        "secure": request.is_secure(),
        "address": request.META["REMOTE_ADDR"],
        "host": request.get_host(),
        "length": len(request.body),
        "declared": request.META.get("CONTENT_LENGTH"),
        "method": request.method,
        "headers": {key: value for key, value in request.META.items() if key.startswith("HTTP_")},
    })

def status(request, code):
    return HttpResponse(f"the Act says {code}", status=code)

def slow(request):
    time.sleep(0.3)
    return HttpResponse("slow")

urlpatterns += [
    path("tell", tell),
    path("take", csrf_exempt(tell)),
    path("status/<int:code>", csrf_exempt(status)),
    path("slow", slow),
]
"""
# Speaks WebSocket just as far as to greet, and then sends back whatever comes.
ECHO = """
import asyncio, base64, hashlib, re, sys
async def attend(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
    key = re.search(r"(?im)^sec-websocket-key: *(\\S+)", head)
    if not key or not re.search(r"(?im)^upgrade: *websocket", head):
        writer.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nplain")
    else:
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key[1].encode() + guid).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n"
            b"Connection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n"
        )
        while data := await reader.read(4096):
            writer.write(data)
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(attend, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def web(stage: Path) -> Iterator[Web]:
    # As for a home directory: nginx's user may come through, and look at nothing.
    stage.chmod(0o711)
    found = Web(stage / "web", own_ports().take(), own_ports().take())
    found.write_conf()
    with found.running():
        yield found
    stage.chmod(0o700)


@pytest.fixture(scope="module")
def theatre(stage: Path, web: Web) -> Iterator[Venue]:
    """A Venue with two Acts that tell what reaches them.

    They know their names already, so that they need no restart when those are bound.
    """
    venue = new_venue("footlights", stage)
    origins = [f"http://{name}:{web.http}" for name in NAMES]
    for name in ("north", "south"):
        act = new_act(venue, name, start=False)
        act.env.set(
            ALLOWED_HOSTS=",".join(("localhost", "127.0.0.1", "[::1]", *NAMES)),
            CSRF_TRUSTED_ORIGINS=",".join(origins),
            TLS="off",
            PROXY="on",
        )
        with (act.paths.top / name / "urls.py").open("a") as urls:
            urls.write(VIEWS)
        act.start()
    yield venue
    venue.stop()


@pytest.fixture(scope="module")
def untold(theatre: Venue) -> Act:
    """An Act whose .env is as it was scaffolded."""
    return new_act(theatre, "east")


@pytest.fixture
def clean(web: Web, theatre: Venue) -> Iterator[None]:
    """Nothing is bound afterwards, and the Acts run."""
    yield
    for each in binding.bound(theatre.paths, web.nginx):
        binding.unbind(theatre.act(each.site.act), web.nginx, replace_edited=True)
    assert web.listing == {}


@pytest.fixture
def north(theatre: Venue, clean: None) -> Act:
    return theatre["north"]


@pytest.fixture
def south(theatre: Venue, clean: None) -> Act:
    return theatre["south"]


def bind(web: Web, act: Act, *names: str, tls: Tls | None = None, **more: bool) -> binding.Bound:
    return binding.bind(act, BindRequest(domains=names, tls=tls, **more), web.nginx)


def test_each_act_answers_under_its_names_and_nobody_under_others(
    web: Web, north: Act, south: Act
) -> None:
    bind(web, north, "North.test", "xn--bcher-kva.test")
    bind(web, south, "south.test", tls=web.certificate("south.test"))
    assert web.ask("north.test", "/tell").json["act"] == "north"
    assert web.ask("NORTH.test", "/tell").json["act"] == "north"
    assert web.ask("xn--bcher-kva.test", "/tell").json["host"] == f"xn--bcher-kva.test:{web.http}"
    assert web.ask("south.test", "/tell", tls=True).json["act"] == "south"
    for stranger in ("evil.test", "localhost", "127.0.0.1"):
        with pytest.raises((ConnectionError, ssl.SSLError, OSError)):
            web.ask(stranger, "/tell")
        with pytest.raises((ConnectionError, ssl.SSLError, OSError)):
            web.ask(stranger, "/tell", tls=True)


def test_tls_is_what_everybody_gets(web: Web, north: Act) -> None:
    tls = web.certificate("north.test", "www.north.test")
    told = bind(web, north, "north.test", tls=tls, redirect_www=True)
    assert told.origin == f"https://north.test:{web.https}"
    answer = web.ask("north.test", "/tell", tls=True)
    assert answer.json["secure"] is True
    assert "max-age" in answer.headers["strict-transport-security"]
    sent_on = web.ask("north.test", "/tell?a=1")
    assert (sent_on.status, sent_on.headers["location"]) == (301, f"{told.origin}/tell?a=1")
    for secure in (False, True):
        sent_on = web.ask("www.north.test", "/x", tls=secure)
        assert (sent_on.status, sent_on.headers["location"]) == (301, f"{told.origin}/x")
    assert north.env["TLS"] == "on"
    with web.connect("north.test", tls=True) as line:
        assert line.version() == "TLSv1.3"  # type: ignore[attr-defined]


@pytest.mark.parametrize("secure", [True, False])
def test_a_form_from_the_site_itself_is_taken(web: Web, north: Act, secure: bool) -> None:
    """Django compares the Origin with the scheme and the host that it believes to have."""
    told = bind(web, north, "north.test", tls=web.certificate("north.test") if secure else None)
    cookie = web.ask("north.test", "/admin/login/", tls=secure).headers["set-cookie"]
    token = re.search(r"north_csrftoken=(\w+)", cookie)
    assert token
    for origin, status in ((told.origin, 200), ("https://evil.test", 403)):
        headers = {"Origin": origin, "Cookie": f"north_csrftoken={token[1]}"}
        headers |= {"X-CSRFToken": token[1], "Referer": f"{origin}/"}
        answer = web.ask("north.test", "/tell", tls=secure, method="POST", headers=headers)
        assert answer.status == status, answer.text


def test_what_a_visitor_claims_is_overwritten(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    claims = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Real-IP": "192.0.2.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "Forwarded": "for=192.0.2.3",
        "X-Request-ID": "mine",
        "Proxy": "http://evil.test",
    }
    told = web.ask("north.test", "/tell", headers=claims).json
    assert told["address"] == VISITOR
    assert told["secure"] is False
    headers = told["headers"]
    assert headers["HTTP_X_FORWARDED_FOR"] == headers["HTTP_X_REAL_IP"] == VISITOR
    assert re.fullmatch(r"[0-9a-f]{32}", headers["HTTP_X_REQUEST_ID"])
    assert not {"HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_PROXY"} & headers.keys()
    logged = until(lambda: f" {VISITOR} ()" in north.log_tail(5), Deadline(PATIENCE))
    assert logged, north.log_tail(5)


def test_bodies_arrive_whole(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    kind = {"Content-Type": "application/octet-stream"}
    limit = "\nDATA_UPLOAD_MAX_MEMORY_SIZE = None\n"
    with appended(north.paths.top / "north" / "settings.py", limit):
        north.restart()
        told = web.ask(
            "north.test", "/take", method="POST", body=bytes(MEGABYTES_50), headers=kind
        ).json
        assert told["length"] == MEGABYTES_50
        pieces = (b"x" * 1000 for _ in range(300))
        chunked = {**kind, "Transfer-Encoding": "chunked"}
        told = web.ask("north.test", "/take", method="POST", body=pieces, headers=chunked).json
        assert (told["length"], told["declared"]) == (300_000, "300000")
    north.restart()


def test_static_files_come_from_nginx(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    static = north.paths.top / "staticfiles"
    (static / "app.0123456789ab.css").write_text("a {}")
    north.stop()
    plain, hashed = (
        web.ask("north.test", f"/static/{name}") for name in ("welcome.css", "app.0123456789ab.css")
    )
    assert plain.headers["content-type"] == "text/css"
    assert plain.headers["cache-control"] == "public, max-age=3600"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/static../.env", "/static/../.env", "/static/..%2f.env", "/static/%2e%2e/.env"):
        assert "SECRET" not in web.ask("north.test", path).text
    assert web.ask("north.test", "/static/").status in {403, 404}
    north.start()


def test_uploads_never_run_as_the_site(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    media = north.paths.top / "media"
    (media / "sub").mkdir(parents=True)
    for name in ("page.html", "code.js", "look.svg", "paper.pdf", "sub/photo.png"):
        (media / name).write_text("<script>alert(1)</script>")
    kinds = {}
    for name in ("page.html", "code.js", "look.svg", "paper.pdf", "sub/photo.png"):
        answer = web.ask("north.test", f"/media/{name}")
        assert answer.status == 200, name
        assert answer.headers["x-content-type-options"] == "nosniff"
        sandboxed = "sandbox" in answer.headers.get("content-security-policy", "")
        kinds[name] = (answer.headers["content-type"], sandboxed)
    assert kinds == {
        "page.html": ("application/octet-stream", True),
        "code.js": ("application/octet-stream", True),
        "look.svg": ("image/svg+xml", True),
        "paper.pdf": ("application/pdf", False),
        "sub/photo.png": ("image/png", True),
    }


@needs_root
def test_no_link_leads_to_the_files_of_others(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    static = north.paths.top / "staticfiles"
    theirs = web.top / "theirs.css"
    theirs.write_text("secret")
    (static / "same.css").symlink_to(static / "welcome.css")
    (static / "other.css").symlink_to(theirs)
    assert web.ask("north.test", "/static/same.css").status == 200
    os.chown(theirs, NOBODY, -1)
    assert web.ask("north.test", "/static/other.css").status == 403
    for name in ("same.css", "other.css"):
        (static / name).unlink()


def test_while_the_act_is_away_visitors_get_a_page(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    workers = web.workers
    north.stop()
    for method in ("GET", "POST"):
        body = b"x" if method == "POST" else None
        answer = web.ask("north.test", "/tell", method=method, body=body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert "Back in a moment" in answer.text
        assert answer.headers["cache-control"] == "no-store"
    north.start()
    assert web.ask("north.test", "/tell").status == 200
    for code in (500, 502, 503, 418):
        answer = web.ask("north.test", f"/status/{code}")
        assert (answer.status, answer.text) == (code, f"the Act says {code}")
        assert "retry-after" not in answer.headers
    assert web.workers == workers


def test_a_held_act_is_shown_to_nobody_but_probes(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    workers = web.workers
    held = north.paths.top / "held"
    held.touch()
    assert web.ask("north.test", "/tell").status == 503
    assert "Back in a moment" in web.ask("north.test", "/").text
    assert web.ask("north.test", "/healthz").text == "ok\n"
    assert web.ask("north.test", "/readyz").status == 200
    held.unlink()
    assert web.ask("north.test", "/tell").status == 200
    assert web.ask("north.test", "/.backstage-away.html").status == 404
    assert web.workers == workers


@pytest.mark.parametrize("secure", [False, True])
def test_websockets_pass(web: Web, theatre: Venue, clean: None, secure: bool) -> None:
    act = daemon(theatre)
    bind(web, act, "echo.test", tls=web.certificate("echo.test") if secure else None)
    key = base64.b64encode(os.urandom(16)).decode()
    with web.connect("echo.test", tls=secure) as line:
        line.sendall(
            f"GET /ws HTTP/1.1\r\nHost: echo.test\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = line.recv(65536).decode()
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        assert head.startswith("HTTP/1.1 101 ")
        assert f"sec-websocket-accept: {base64.b64encode(digest).decode()}" in head.lower().replace(
            base64.b64encode(digest).decode().lower(), base64.b64encode(digest).decode()
        )
        for word in (b"\x81\x02hi", bytes(3000)):
            line.sendall(word)
            assert read_exactly(line, len(word)) == word
        # A reload lets it be.
        reload(web.nginx, (web.http,))
        line.sendall(b"still here")
        assert read_exactly(line, 10) == b"still here"
    assert web.ask("echo.test", "/", tls=secure, headers={"Upgrade": "h2c"}).text == "plain"
    act.stop()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert web.ask("echo.test", "/", tls=secure, headers=upgrade).status == 503


@pytest.mark.parametrize(
    "bound_at",
    [
        "socket = 127.0.0.1:{port}",
        "uwsgi-socket = ../../open/{name}.sock\nchmod-socket = 666",
        "http-socket = {open}/{name}.sock\nchmod-socket = 666",
    ],
)
def test_every_kind_of_socket_is_asked(web: Web, theatre: Venue, south: Act, bound_at: str) -> None:
    """By nginx, and by us for the Act's health."""
    folder = theatre.path / "open"
    folder.mkdir(exist_ok=True)
    before = south.vassal_text
    values = {"port": south.get_uwsgi_port(), "name": "south", "open": folder}
    text = before.replace(f"http-socket = 127.0.0.1:{values['port']}", bound_at.format(**values))
    # What stands below the include wins over it.
    lines = text.split("\n")
    modes = [line for line in lines if line.startswith("chmod-socket")]
    text = "\n".join([line for line in lines if line not in modes] + modes) + "\n"
    south.rewrite(text, based_on=before, wait=None)
    south.stop()
    south.paths.health.unlink(missing_ok=True)
    south.start()
    assert '"ok": true' in south.paths.health.read_text()
    bind(web, south, "south.test")
    assert until(lambda: web.ask("south.test", "/tell").status == 200, Deadline(PATIENCE))
    claims = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Forwarded": "x"}
    claims |= {"X-Forwarded-Host": "evil.test", "Proxy": "evil"}
    told = web.ask("south.test", "/tell", headers=claims).json
    assert (told["address"], told["secure"]) == (VISITOR, False)
    assert told["headers"]["HTTP_X_FORWARDED_FOR"] == VISITOR
    gone = {"HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_PROXY"}
    assert not gone & told["headers"].keys()
    bind(web, south, "south.test", tls=web.certificate("south.test"))
    assert until(lambda: web.ask("south.test", "/tell", tls=True).status == 200, Deadline(PATIENCE))
    assert web.ask("south.test", "/tell", tls=True).json["secure"] is True
    chunked = {"Transfer-Encoding": "chunked"}
    posted = web.ask(
        "south.test", "/take", tls=True, method="POST", body=iter([b"a" * 10]), headers=chunked
    )
    assert posted.json["length"] == 10
    south.stop()
    assert web.ask("south.test", "/tell", tls=True).status == 503
    south.rewrite(before, based_on=text)
    south.start()


def test_binding_and_reloading_loses_no_request(web: Web, north: Act, south: Act) -> None:
    bind(web, north, "north.test")
    with visited(lambda: web.ask("north.test", "/slow").status) as counts:
        for _ in range(3):
            bind(web, south, "south.test")
            binding.unbind(south, web.nginx)
        assert until(lambda: counts["answered"] > 40, Deadline(PATIENCE))
    assert counts["failed"] == 0, counts


def test_stopping_and_starting_never_touches_nginx(web: Web, north: Act) -> None:
    bind(web, north, "north.test")
    workers, listing = web.workers, web.listing
    north.restart()
    north.stop()
    north.start()
    assert (web.workers, web.listing) == (workers, listing)


# What is refused, with nothing changed


@contextmanager
def refusing(
    web: Web, act: Act, *words: str, kind: type[BackstageError] = SiteRefused
) -> Iterator[None]:
    """What happens inside is refused with these words, and leaves all as it was."""
    before = (web.listing, web.workers, act.env.path.read_bytes(), act.pid)
    with pytest.raises(kind) as caught:
        yield
    for word in words:
        assert word in str(caught.value)
    after = (web.listing, web.workers, act.env.path.read_bytes(), act.pid)
    assert after == before


def test_a_name_has_one_act(web: Web, north: Act, south: Act) -> None:
    bind(web, north, "north.test", redirect_www=True)
    unbind = f"backstage --venue {north.paths.venue.top} nginx unbind north"
    for name in ("NORTH.test", "www.north.test"):
        with refusing(web, south, "the Act north of", "backstage-footlights-north.conf", unbind):
            bind(web, south, "south.test", name)
    bind(web, north, "north.test", "more.test")
    assert web.ask("more.test", "/tell").json["act"] == "north"


def test_a_name_of_a_foreign_site_is_left_to_it(web: Web, north: Act) -> None:
    with (
        foreign(web, f"server {{ listen {web.http}; server_name a.test Taken.TEST; }}") as file,
        refusing(web, north, f"taken.test is already served by another site of nginx, in {file}"),
    ):
        bind(web, north, "north.test", "taken.test")
    with foreign(web, "server { listen 127.0.0.1:1; server_name taken.test; }"):
        # At another port nobody is in the way.
        assert web.nginx.fault() == ""


def test_certificates_are_looked_at_first(web: Web, north: Act, south: Act) -> None:
    good, other = web.certificate("north.test"), web.certificate("other.test")
    with refusing(web, north, "does not match the certificate"):
        bind(web, north, "north.test", tls=Tls(good.certificate, other.key))
    with refusing(web, north, "is not for north.test"):
        bind(web, north, "north.test", tls=other)
    with refusing(web, north, "is not for www.north.test"):
        bind(web, north, "north.test", tls=good, redirect_www=True)
    with refusing(web, north, "cannot be read: No such file"):
        bind(web, north, "north.test", tls=Tls(good.certificate, "/nowhere/key.pem"))
    with refusing(web, north, "contains no PEM certificate"):
        bind(web, north, "north.test", tls=Tls(str(web.conf), good.key))


def test_a_port_that_somebody_else_has_is_left_to_him(web: Web, north: Act) -> None:
    with (
        socket.create_server(("127.0.0.1", web.https)),
        refusing(web, north, f"port {web.https}", f"(pid {os.getpid()})", kind=PortUnavailable),
    ):
        bind(web, north, "north.test", tls=web.certificate("north.test"))


def test_a_reload_that_nginx_fails_at_is_taken_back(web: Web, north: Act) -> None:
    """A port that is taken `nginx -t` does not tell, only the log of errors does."""

    class Hasty(program.Nginx):
        def refuse_taken_port(self, port: int, files: Mapping[str, str]) -> None:
            """As if somebody had come just after."""

    hasty = Hasty(**{name: getattr(web.nginx, name) for name in web.nginx.__dataclass_fields__})
    request = BindRequest(domains=("north.test",), tls=web.certificate("north.test"))
    with socket.create_server(("127.0.0.1", web.https)):
        before = north.env.path.read_bytes()
        touched = north.paths.vassal.stat().st_mtime_ns
        with pytest.raises(SiteRefused, match=r"does not use its new configuration\n.*bind\(\)"):
            binding.bind(north, request, hasty)
    assert (web.listing, north.env.path.read_bytes()) == ({}, before)
    assert north.paths.vassal.stat().st_mtime_ns == touched, "nor is the Act disturbed"


def test_what_clashes_with_the_rest_of_nginx_is_rolled_back(web: Web, north: Act) -> None:
    with (
        foreign(web, "upstream backstage-footlights-north { server 127.0.0.1:1; }"),
        refusing(web, north, "with this change", "duplicate upstream"),
    ):
        bind(web, north, "north.test")


def test_a_configuration_at_fault_is_not_added_to(web: Web, north: Act) -> None:
    with (
        foreign(web, "server { lisen 80; }"),
        refusing(web, north, "fix that first", 'unknown directive "lisen"'),
    ):
        bind(web, north, "north.test")


def test_an_act_that_cannot_start_any_more_undoes_it_all(
    web: Web, untold: Act, clean: None
) -> None:
    north = untold
    settings = north.paths.top / "east" / "settings.py"
    listing, before = web.listing, north.env.path.read_bytes()
    with appended(settings, "\nif PROXY and __import__('sys').argv[:1] != ['-c']: 1 / 0\n"):
        with pytest.raises(ActFailed):
            bind(web, north, "north.test")
        assert (web.listing, north.env.path.read_bytes()) == (listing, before)
        north.start()
    with pytest.raises((ConnectionError, OSError)):
        web.ask("north.test", "/tell")


@pytest.mark.parametrize(
    ("root", "why"),
    [("BASE_DIR", "is in it"), ("BASE_DIR.parent.parent", "is in it"), ("'/'", "is in it")],
)
def test_a_project_is_never_published(web: Web, north: Act, root: str, why: str) -> None:
    with (
        appended(north.paths.top / "north" / "settings.py", f"\nSTATIC_ROOT = {root}\n"),
        refusing(web, north, "STATIC_ROOT of north is", why),
    ):
        bind(web, north, "north.test")


@needs_root
def test_nobody_has_nginx_show_what_belongs_to_others(web: Web, north: Act) -> None:
    theirs = web.top / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, -1)
    with (
        appended(north.paths.top / "north" / "settings.py", f"\nMEDIA_ROOT = '{theirs}'\n"),
        refusing(web, north, "MEDIA_ROOT of north", "belongs to nobody, not to root"),
    ):
        bind(web, north, "north.test")


@needs_root
def test_what_nginx_cannot_read_is_refused_with_the_remedy(web: Web, north: Act) -> None:
    for path, remedy in (
        (north.paths.venue.acts, f"chmod o+x {north.paths.venue.acts}"),
        (north.paths.top / "staticfiles", f"chmod o+x {north.paths.top}/staticfiles"),
    ):
        path.chmod(0o700)
        with refusing(web, north, "nginx (user www-data) cannot read static files", remedy):
            bind(web, north, "north.test")
        path.chmod(0o755)
    secret = north.paths.top / "staticfiles" / "welcome.css"
    secret.chmod(0o600)
    with refusing(web, north, f"chmod -R o+rX {north.paths.top}/staticfiles"):
        bind(web, north, "north.test")
    secret.chmod(0o644)


@needs_root
def test_only_who_may_changes_nginx(web: Web, north: Act) -> None:
    command = f"backstage --venue {north.paths.venue.top} nginx bind north north.test"
    with refusing(web, north, "nobody may not change", command, kind=NotAllowed):
        as_user.run_as(NOBODY, lambda: str(bind(web, north, "north.test")))


def test_without_nginx_it_says_how_to_get_it(
    north: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "_SBIN", str(tmp_path))
    with pytest.raises(SiteRefused, match="apt install nginx"):
        binding.bind(north, BindRequest(domains=("north.test",)))


# The .env, certbot, edits, unbinding


def test_unbinding_takes_out_what_binding_put_in(web: Web, untold: Act, clean: None) -> None:
    north = untold
    before = north.env.path.read_bytes()
    north.env.set(ALLOWED_HOSTS="mine.test, localhost", HSTS_SECONDS="5")
    mine = north.env.path.read_bytes()
    bind(web, north, "north.test", "mine.test", tls=web.certificate("north.test", "mine.test"))
    assert north.env["ALLOWED_HOSTS"] == "mine.test,localhost,north.test"
    assert north.env["CSRF_TRUSTED_ORIGINS"].split(",") == [
        f"https://{name}:{web.https}" for name in ("north.test", "mine.test")
    ]
    bind(web, north, "second.test")
    assert north.env["ALLOWED_HOSTS"] == "mine.test,localhost,second.test"
    assert north.env["TLS"] == "off"
    north.env.set(LOG_LEVEL="ERROR")
    binding.unbind(north, web.nginx)
    assert north.env.path.read_bytes() == mine + b"LOG_LEVEL=ERROR\n"
    assert web.listing == {}
    assert not (web.top / "backstage" / "pages").exists()
    north.env.unset("LOG_LEVEL", "ALLOWED_HOSTS", "HSTS_SECONDS")
    assert north.env.path.read_bytes() == before
    with pytest.raises(SiteRefused, match="not bound to a domain"):
        binding.unbind(north, web.nginx)


def test_a_project_of_ones_own_is_told_what_to_add(web: Web, theatre: Venue, clean: None) -> None:
    """A name in its .env.example is no sign that its .env is read as ours is."""
    act = theatre["north"]
    settings = act.paths.top / act.name / "settings.py"
    scaffold = settings.read_text()
    settings.write_text(scaffold.replace("ENV_FILE", "DOTENV"))
    assert "ALLOWED_HOSTS" in (act.paths.top / ".env.example").read_text()
    before = act.env.path.read_bytes()
    told = bind(web, act, "unheard.test")
    assert "add unheard.test to it in the settings" in told.notes[0]
    assert act.env.path.read_bytes() == before
    assert worst(theatre, web, "north")[0].what.startswith("ALLOWED_HOSTS lacks unheard")
    settings.write_text(scaffold)


def test_certbot_finds_its_way(web: Web, north: Act) -> None:
    told = bind(web, north, "north.test", automatic=True, redirect_www=True)
    acme = web.nginx.challenges
    notes = "\n".join(told.notes)
    assert f"certbot certonly --webroot -w {acme} -d north.test -d www.north.test" in notes
    assert f"--deploy-hook 'nginx -c {web.conf} -s reload'" in notes
    assert "then type: backstage nginx bind north north.test --tls auto --redirect-www" in notes
    challenge = acme / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    for name in ("north.test", "www.north.test"):
        assert web.ask(name, "/.well-known/acme-challenge/token").text == "proof"
    assert web.ask("north.test", "/tell").json["secure"] is False
    live = web.nginx.letsencrypt / "live" / "north.test"
    live.mkdir(parents=True)
    tls = Tls(str(live / "fullchain.pem"), str(live / "privkey.pem"))
    make_certificate(tls, ["north.test", "www.north.test"], days=3)
    bound = bind(web, north, "north.test", automatic=True, redirect_www=True)
    assert (bound.site.tls, bound.notes) == (tls, ())
    assert web.ask("north.test", "/tell", tls=True).json["secure"] is True
    for name in ("north.test", "www.north.test"):
        assert web.ask(name, "/.well-known/acme-challenge/token").text == "proof"
    found = worst(north_venue(north), web, "north")
    assert [(each.severity, each.command) for each in found] == [
        (Severity.WARNING, "certbot renew")
    ]


def test_edits_are_not_lost_unasked(web: Web, north: Act) -> None:
    venue = north.paths.venue.top
    file = bind(web, north, "north.test").file
    edited = file.read_text().replace("100m", "7m")
    file.write_text(edited)
    assert binding.bound(north.paths.venue, web.nginx)[0].edited
    for words in (("bind", "north", "north.test"), ("unbind", "north")):
        done = web.call(*words, cwd=venue)
        assert (done.returncode, file.read_text()) == (Exit.REFUSED, edited)
        assert "was edited by hand" in done.stderr
    words = ("nginx", "bind", "north", "north.test")
    with terminal(*words, cwd=venue, env=web.variables) as screen:
        screen.await_text(r"Replace it\? \[y/N\]")
        screen.type("n\n")
        assert screen.end() == Exit.INTERRUPTED
    assert file.read_text() == edited
    with terminal(*words, cwd=venue, env=web.variables) as screen:
        screen.await_text(r"Replace it\? \[y/N\]")
        screen.type("y\n")
        assert screen.end() == Exit.DONE
    assert "100m" in file.read_text()
    file.write_text(edited)
    assert web.call("bind", "north", "north.test", "--yes", cwd=venue).returncode == Exit.DONE
    assert not binding.bound(north.paths.venue, web.nginx)[0].edited


def test_an_upgrade_renews_a_site_unless_it_was_edited(web: Web, north: Act) -> None:
    """Without a lost request, and with the command that would replace an edited one."""
    venue = north.paths.venue.top
    file = bind(web, north, "north.test").file
    new = file.read_text()
    body = new.partition("\n")[2].replace("client_max_body_size 100m", "client_max_body_size 7m")
    file.write_text(sealed(body))
    with visited(lambda: web.ask("north.test").status, 2) as counts:
        done = call("upgrade", "--json", cwd=venue, env=web.variables)
    (told,) = json.loads(done.stdout)["result"]["files"]
    assert (told["file"], told["fate"]) == (str(file), "renewed")
    assert file.read_text() == new
    assert not counts["failed"]
    assert counts["answered"]
    file.write_text(new.replace("100m", "7m"))
    done = call("upgrade", "--json", cwd=venue, env=web.variables)
    (told,) = json.loads(done.stdout)["result"]["files"]
    assert (told["fate"], told["command"]) == ("kept", "backstage nginx bind north north.test")
    assert told["edits"] == ["-    client_max_body_size 100m;", "+    client_max_body_size 7m;"]
    assert "7m" in file.read_text()


def test_the_command_tells_people_and_programs(web: Web, north: Act) -> None:
    venue = north.paths.venue.top
    tls = web.certificate("north.test")
    words = ("bind", "north", "north.test", "--tls", f"{tls.certificate},{tls.key}")
    done = web.call(*words, "--json", cwd=venue)
    told = json.loads(done.stdout)["result"]
    assert told["url"] == f"https://north.test:{web.https}/"
    assert told["target"] == f"http 127.0.0.1:{north.get_uwsgi_port()}"
    assert told["expires"]
    shown = web.call("show", cwd=venue).stdout
    assert f"north  https://north.test:{web.https}/" in shown
    assert told["expires"] in shown
    assert (
        "proxy_pass http://backstage-footlights-north;"
        in web.call("show", "north", cwd=venue).stdout
    )
    checked = web.call("check", "north", cwd=venue)
    assert (checked.returncode, checked.stdout.count("✓")) == (Exit.DONE, 2), checked.stdout
    assert web.call("bind", "north", cwd=venue).returncode == Exit.USAGE
    assert web.call("bind", "north", "a b;{", cwd=venue).returncode == Exit.REFUSED
    done = web.call("unbind", "north", cwd=venue)
    assert "nginx no longer serves north" in done.stdout
    assert "No Act is bound" in web.call("show", cwd=venue).stdout


# What goes wrong later


def test_check_finds_what_has_gone_wrong(web: Web, north: Act, theatre: Venue) -> None:
    tls = web.certificate("north.test")
    again = f"backstage nginx bind north north.test --tls {tls.certificate},{tls.key}"
    file = bind(web, north, "north.test", tls=tls).file
    assert worst(theatre, web, "north") == []

    text = north.vassal_text
    port = own_ports().take()
    north.rewrite(text.replace(str(north.get_uwsgi_port()), str(port)), based_on=text)
    assert [(each.what, each.command) for each in worst(theatre, web, "north")] == [
        (
            f"nginx connects to http 127.0.0.1:{re.search(r'127.0.0.1:([0-9]+)', text)[1]}, "  # type: ignore[index]
            f"but its vassal file says http 127.0.0.1:{port}",
            again,
        )
    ]
    north.rewrite(text, based_on=north.vassal_text)

    with appended(file, "# mine\n"):
        assert "was edited by hand" in worst(theatre, web, "north")[0].what
    ending = web.certificate("north.test", days=3)
    with replaced(Path(tls.certificate), Path(ending.certificate)):
        said = " ".join(each.what for each in worst(theatre, web, "north"))
        assert "key values mismatch" in said
        assert "does not match the certificate" in said
        with replaced(Path(tls.key), Path(ending.key)):
            (found_one,) = worst(theatre, web, "north")
            assert (found_one.severity, "expires on" in found_one.what) == (Severity.WARNING, True)
    hosts = north.env["ALLOWED_HOSTS"]
    north.env.set(ALLOWED_HOSTS="localhost")
    (found_one,) = worst(theatre, web, "north")
    assert (found_one.severity, found_one.command) == (Severity.TROUBLE, again)
    north.env.set(ALLOWED_HOSTS=hosts)
    with foreign(web, "server { lisen 80; }"):
        assert 'unknown directive "lisen"' in worst(theatre, web, "north")[0].what
    (web.sites / "backstage.conf").rename(web.top / "aside")
    assert "which all sites need, is missing" in " ".join(
        each.what for each in worst(theatre, web, "north")
    )
    (web.top / "aside").rename(web.sites / "backstage.conf")
    with replaced_text(web.top / "nginx.pid", "0\n"):
        found = worst(theatre, web, "north")
        assert ("does not run, so no site is served", f"nginx -c {web.conf}") in [
            (each.what, each.command) for each in found
        ]
    assert worst(theatre, web, "north") == []
    assert web.call("check", "south", cwd=theatre.path).returncode == Exit.REFUSED


def test_an_act_that_is_gone_can_be_unbound(web: Web, theatre: Venue, clean: None) -> None:
    act = new_act(theatre, "ghost")
    bind(web, act, "ghost.test")
    act.retire()
    (found,) = worst(theatre, web)
    assert found.command == "backstage nginx unbind ghost"
    assert web.call("unbind", "ghost", cwd=theatre.path).returncode == Exit.DONE
    assert web.listing == {}


def test_debian_keeps_a_link_beside_the_file(web: Web, north: Act) -> None:
    """The layout of Debian and Ubuntu, whose own site answers unknown names already."""
    top = web.top / "debian"
    for name in ("sites-available", "sites-enabled"):
        (top / name).mkdir(parents=True, exist_ok=True)
    stock = f"server {{ listen {web.http} default_server; server_name _; return 418; }}"
    (top / "sites-enabled" / "default").write_text(stock)
    conf = top / "nginx.conf"
    conf.write_text(
        web.conf.read_text()
        .replace(f"include {web.sites}/*.conf;", "include sites-enabled/*;")
        .replace("nginx.pid", "debian/nginx.pid")
    )
    debian = replace(web.nginx, conf=conf, state=top / "backstage")
    told = binding.bind(north, BindRequest(domains=("north.test",)), debian)
    assert told.file == top / "sites-available" / "backstage-footlights-north.conf"
    assert (top / "sites-enabled" / told.file.name).readlink() == told.file
    assert told.notes == (f"nginx does not run; type: nginx -c {conf}",)
    shared = (top / "sites-enabled" / "backstage.conf").read_text()
    assert f"listen [::]:{web.http} default_server" in shared
    assert f"listen {web.http} default_server" not in shared
    binding.unbind(north, debian)
    assert {path.name for path in top.rglob("*.conf")} == {"nginx.conf"}


def worst(venue: Venue, web: Web, *names: str) -> list[Finding]:
    """What `check` says that is no praise."""
    found = checks.examine(venue, names, web.nginx)
    return [each for each in found if each.severity in {Severity.WARNING, Severity.TROUBLE}]


def north_venue(act: Act) -> Venue:
    return Venue.open(act.paths.venue.top)


def daemon(venue: Venue) -> Act:
    """An Act whose port is bound by a program of its own, which speaks WebSocket."""
    if "echo" not in venue:
        top = venue.paths.acts / "echo"
        top.mkdir()
        (top / "echo.py").write_text(ECHO)
        port = own_ports().take()
        command = f"{venue.paths.python} {top}/echo.py {port}"
        venue.paths.act("echo").kept.write_text(
            f"[uwsgi]\nset-placeholder = port={port}\nmaster = true\nprocesses = 0\n"
            f"stats = {venue.paths.run}/echo.stats\ndie-on-term = true\n"
            f"logto2 = {venue.paths.log}/echo.log\n"
            f"attach-daemon2 = cmd={command},stopsignal=15,reloadsignal=15\n"
        )
    act = venue["echo"]
    act.start()
    return act


def test_a_venue_that_was_moved_takes_its_sites_along(
    web: Web, stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those edited by hand too, with the edits; what belongs to another Venue stays."""
    for name, value in web.variables.items():
        monkeypatch.setenv(name, value)
    venue, there = new_venue("leaving", stage), stage / "left"
    for name in ("west", "moor"):
        bind(web, new_act(venue, name), f"{name}.test")
    edited = next(web.sites / name for name in web.listing if "moor" in name)
    edited.write_text(f"{edited.read_text()}# mine\n")
    before = web.listing
    try:
        venue.stop()
        venue.path.rename(there)
        assert {*relocate_venue(there, dry_run=True).files} > {str(edited)}
        assert web.listing == before
        told = relocate_venue(there)
        assert not told.waits
        assert not [name for name, text in web.listing.items() if f"{venue.path}/" in text]
        assert edited.read_text().endswith("# mine\n")
        moved = use_venue(there)
        moved.start()
        for act in moved:
            act.wait("running")
            assert web.ask(f"{act.name}.test", "/healthz").status == 200
        sites = {each.site.act: each.edited for each in binding.bound(moved.paths, web.nginx)}
        assert sites == {"west": False, "moor": True}
    finally:
        place = there if there.exists() else venue.path
        moved = use_venue(place)
        moved.stop()
        for each in binding.bound(moved.paths, web.nginx):
            binding.unbind(moved.act(each.site.act), web.nginx, replace_edited=True)


def read_exactly(line: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        more = line.recv(length - len(read))
        assert more
        read += more
    return read


@contextmanager
def foreign(web: Web, text: str) -> Iterator[Path]:
    """A site that somebody else has written."""
    file = web.sites / "theirs.conf"
    file.write_text(text)
    try:
        yield file
    finally:
        file.unlink()


@contextmanager
def appended(file: Path, text: str) -> Iterator[None]:
    with replaced_text(file, file.read_text() + text):
        yield


@contextmanager
def replaced(file: Path, by: Path) -> Iterator[None]:
    with replaced_text(file, by.read_text()):
        yield


@contextmanager
def replaced_text(file: Path, text: str) -> Iterator[None]:
    """A file with other text in it, for so long."""
    before = file.read_text()
    file.write_text(text)
    try:
        yield
    finally:
        file.write_text(before)
