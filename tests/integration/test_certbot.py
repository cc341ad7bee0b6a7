"""Certificates from a real ACME authority, pebble, by a real certbot and a real nginx."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backstage.act import Act
from backstage.nginx import binding
from backstage.nginx.plan import BindRequest
from backstage.shortcuts import new_act
from backstage.system.deadlines import Deadline, until
from backstage.system.sockets import in_use
from backstage.venue import Venue
from tests.own_ports import own_ports
from tests.patience import PATIENCE

from .serving import Tls, Web, make_certificate

PROGRAMS = ("certbot", "nginx", "openssl", "pebble", "pebble-challtestsrv")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root runs certbot"),
    pytest.mark.skipif(
        not all(map(shutil.which, PROGRAMS)), reason=f"not all of {', '.join(PROGRAMS)} are here"
    ),
]


@pytest.fixture(scope="module")
def web(stage: Path) -> Iterator[Web]:
    stage.chmod(0o711)
    found = Web(stage / "certified", own_ports().take(), own_ports().take())
    found.write_conf()
    with found.running():
        yield found
    stage.chmod(0o700)


@dataclass(frozen=True)
class Names:
    """A DNS where every name is this machine; `management` changes what it says."""

    dns: str
    management: str

    def lose(self, name: str) -> None:
        body = json.dumps({"host": name}).encode()
        with urllib.request.urlopen(f"http://{self.management}/set-servfail", body):
            pass


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    found = Names(*(f"127.0.0.1:{own_ports().take()}" for _ in range(2)))
    command = ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
    command += ["-dns01", found.dns, "-management", found.management]
    for unused in ("-http01", "-https01", "-tlsalpn01"):
        command += [unused, ""]
    with running(command, found.management):
        yield found


@pytest.fixture(scope="module")
def authority(web: Web, names: Names) -> Iterator[None]:
    """An authority, which certbot asks instead of Let's Encrypt."""
    port, top = own_ports().take(), web.top / "pebble"
    top.mkdir()
    own = Tls(str(top / "cert.pem"), str(top / "key.pem"))
    make_certificate(own, ["localhost"], days=2)
    settings: dict[str, Any] = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{own_ports().take()}",
        "certificate": own.certificate,
        "privateKey": own.key,
        "httpPort": web.http,
        "tlsPort": web.https,
    }
    (top / "config.json").write_text(json.dumps({"pebble": settings}))
    (top / "letsencrypt").mkdir()
    (top / "letsencrypt" / "cli.ini").write_text(
        f"server = https://localhost:{port}/dir\nno-verify-ssl = true\n"
        f"work-dir = {top}/work\nlogs-dir = {top}/logs\n"
    )
    command = ["pebble", "-config", str(top / "config.json"), "-dnsserver", names.dns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(top))
        patch.setenv("PEBBLE_VA_NOSLEEP", "1")
        with running(command, settings["listenAddress"]):
            yield


@pytest.fixture(scope="module")
def act(venue: Venue) -> Act:
    return new_act(venue, "north")


@contextmanager
def running(command: list[str], address: str) -> Iterator[None]:
    """Run a program that listens there; it is gone afterwards."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            port = int(address.rpartition(":")[2])
            assert until(lambda: in_use(port), Deadline(PATIENCE)), command
            yield
        finally:
            program.kill()


def bind(web: Web, act: Act, name: str) -> binding.Bound:
    request = BindRequest(domains=(name,), automatic=True, redirect_www=True)
    return binding.bind(act, request, web.nginx)


def test_one_call_ends_with_https(web: Web, act: Act, authority: None) -> None:
    """Once somebody has agreed to the terms of the authority; until then nobody is asked."""
    told = bind(web, act, "north.test")
    assert told.site.tls is None
    assert told.notes[0] == "north.test has no certificate yet, so it is served without TLS"
    register = ["certbot", "register", "--agree-tos", "--no-eff-email", "-m", "me@north.test"]
    subprocess.run([*register, "--config-dir", web.nginx.letsencrypt], check=True)
    told = bind(web, act, "north.test")
    assert told.notes == ()
    assert told.origin == f"https://north.test:{web.https}"
    did = "got a certificate for north.test, www.north.test from certbot"
    assert did in map(str, told.steps)
    assert web.ask("north.test", "/healthz", tls=True).text == "ok\n"
    assert web.ask("north.test", "/healthz").status == 301
    assert act.env["TLS"] == "on"
    # It is not asked again while the certificate is good.
    assert did not in map(str, bind(web, act, "north.test").steps)


def test_without_a_certificate_the_site_stays_and_says_why(
    web: Web, act: Act, names: Names, authority: None
) -> None:
    names.lose("lost.test")
    told = bind(web, act, "lost.test")
    assert told.site.tls is None
    assert told.notes[0].startswith("certbot got no certificate: ")
    assert "lost.test" in told.notes[0]
    assert told.notes[-2].startswith("to get one, type: certbot certonly --webroot")
    assert web.ask("lost.test", "/healthz").text == "ok\n"
