"""The facts about an Act's site, and how the site's file records them.

A site's file begins with a comment that explains it to people, and records what was bound. There is
no other record.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ..system.seals import is_edited, sealed

SHARED = "backstage.conf"
_FACT = re.compile(r"# (?P<key>[a-z]+):(?: (?P<value>.*))?")
_SLUG = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Target:
    """Where the Act answers; `protocol` is `http` or `uwsgi`, `address` a host:port or a path."""

    protocol: str
    address: str

    @property
    def server(self) -> str:
        """The address as an upstream names it."""
        return f"unix:{self.address}" if self.address.startswith("/") else self.address

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}"


@dataclass(frozen=True)
class Share:
    """A directory that nginx serves by itself; `kind` is `static` or `media`."""

    kind: str
    url: str
    root: str


@dataclass(frozen=True)
class Tls:
    """The files of a certificate, with its chain, and of its key."""

    certificate: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """An Act under its domains.

    `aliases` are names that are redirected to the first domain. `automatic` tells whether certbot's
    certificate is used as soon as there is one. `granted` records the changes to its .env, in the
    words of `env_changes`. `patience` is how long a request may take, in seconds.
    """

    act: str
    venue: str
    domains: tuple[str, ...]
    target: Target
    aliases: tuple[str, ...] = ()
    tls: Tls | None = None
    automatic: bool = False
    shares: tuple[Share, ...] = ()
    granted: tuple[str, ...] = ()
    patience: int = 65

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it answers to."""
        return (*self.domains, *self.aliases)

    @property
    def held(self) -> str:
        """While this file exists, visitors get the page instead of the Act."""
        return f"{self.venue}/acts/{self.act}/held"

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What all sites share: the ports and addresses of this nginx, and its directories."""

    http_port: int
    https_port: int
    ipv4: bool
    ipv6: bool
    http2: str
    pages: str
    challenges: str

    def listens(self, *, tls: bool) -> list[str]:
        """The addresses to listen on."""
        port = self.https_port if tls else self.http_port
        return [*([f"{port}"] if self.ipv4 else []), *([f"[::]:{port}"] if self.ipv6 else [])]

    def origin(self, name: str, *, tls: bool) -> str:
        """The beginning of a URL, as a browser writes it."""
        return origin(name, self.https_port if tls else self.http_port, tls=tls)

    @property
    def host(self) -> str:
        """The requested host, as applications compare it."""
        usual = (self.http_port, self.https_port) == (80, 443)
        return "$host" if usual else "$host:$server_port"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record in a site's file; `edited` tells whether the file was edited by hand."""

    site: Site
    edited: bool


def origin(name: str, port: int, *, tls: bool) -> str:
    """The beginning of a URL, as a browser writes it."""
    scheme, usual = ("https", 443) if tls else ("http", 80)
    return f"{scheme}://{name}" if port == usual else f"{scheme}://{name}:{port}"


def file_name(venue_name: str, act_name: str, digest: str = "") -> str:
    """The name of a site's file; `digest` distinguishes Venues of the same name."""
    return "-".join(filter(None, ["backstage", slug(venue_name), act_name, digest])) + ".conf"


def slug(name: str) -> str:
    """A name, made safe for names of files and upstreams."""
    return _SLUG.sub("_", name)


def headed(site: Site, body: str) -> str:
    """The text of a site's file: the record of what was bound, then nginx's configuration."""
    facts = "".join(f"# {key}: {value}".rstrip() + "\n" for key, value in _facts(site))
    head = (
        f"# The Act {site.act} of the Venue {site.venue}, served under its domains.\n"
        "# Written by `backstage nginx bind`. You may edit it: the next bind asks before it\n"
        "# replaces your edits. These lines are the only record of what was bound:\n"
    )
    return sealed(f"{head}{facts}\n{body}")


def read_record(text: str) -> Record | None:
    """The record in a site's file; None if the file is not ours."""
    facts = dict(_head_facts(text))
    try:
        protocol, address = facts["target"].split(" ", 1)
        certificate = shlex.split(facts["tls"])
        shares = [shlex.split(share) for share in facts["shares"].split(" | ") if share]
        site = Site(
            act=facts["act"],
            venue=facts["venue"],
            domains=tuple(facts["domains"].split()),
            aliases=tuple(facts["aliases"].split()),
            target=Target(protocol, address),
            tls=Tls(*certificate) if certificate else None,
            automatic=facts["automatic"] == "yes",
            shares=tuple(Share(*share) for share in shares),
            granted=tuple(shlex.split(facts["granted"])),
            patience=int(facts["patience"]),
        )
    except (KeyError, ValueError, TypeError):
        return None
    return Record(site=site, edited=is_edited(text))


def _head_facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        if not line.startswith("#"):
            return
        if match := _FACT.fullmatch(line):
            yield match["key"], match["value"] or ""


def _facts(site: Site) -> Iterator[tuple[str, str]]:
    yield "act", site.act
    yield "venue", site.venue
    yield "domains", " ".join(site.domains)
    yield "aliases", " ".join(site.aliases)
    yield "target", str(site.target)
    yield "tls", shlex.join([site.tls.certificate, site.tls.key]) if site.tls else ""
    yield "automatic", "yes" if site.automatic else "no"
    yield "shares", " | ".join(shlex.join([s.kind, s.url, s.root]) for s in site.shares)
    yield "granted", shlex.join(site.granted)
    yield "patience", str(site.patience)
