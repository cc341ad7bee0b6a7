"""Checking the sites in nginx: whether they are unchanged, and whether they can work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..act import Act
from ..doctor.finding import Finding, Remedy, note, ok, trouble, warning
from ..errors import SiteRefused
from ..facts.command_line import quote
from ..venue import Venue
from . import certificates, static_files, upstreams
from .binding import Bound, bound
from .certificates import SOON
from .plan import command_for
from .program import Nginx, find
from .site import SHARED
from .sites_directory import Place

_NGINX = "nginx"


def examine(
    venue: Venue, names: tuple[str, ...] = (), nginx: Nginx | None = None
) -> Iterator[Finding]:
    """Every finding about the sites of a Venue, or of some of its Acts.

    Nothing is changed. Raises SiteRefused if there is no nginx, or an Act is not bound.
    """
    nginx = nginx or find()
    found = [each for each in bound(venue.paths, nginx) if not names or each.site.act in names]
    if missing := [name for name in names if name not in {each.site.act for each in found}]:
        what = f"{missing[0]} is not bound to a domain"
        raise SiteRefused(f"{what}; type: backstage nginx bind {quote(missing[0])} example.com")
    yield from _program(nginx, found)
    for each in found:
        wrong = [*_site(venue, each, nginx)]
        yield from wrong
        if not wrong:
            yield ok(each.site.act, f"is served at {each.origin}/ from {each.site.target}")
    if not found:
        yield note(_NGINX, "serves no Act of this Venue")


def _program(nginx: Nginx, found: list[Bound]) -> Iterator[Finding]:
    if not nginx.is_ours:
        what = "only root can check its configuration, its certificates and what it may read"
        yield note(_NGINX, what, Remedy("repeat this with sudo"))
    elif said := nginx.fault():
        yield trouble(_NGINX, f"cannot use its configuration: {_first(said)}", Remedy("fix that"))
    if nginx.pid is None:
        yield trouble(
            _NGINX, "does not run, so no site is served", Remedy(command=nginx.start_command)
        )
    elif not nginx.place().is_in_place(SHARED) and found:
        what = f"{nginx.place().file(SHARED)}, which all sites need, is missing"
        yield trouble(_NGINX, what, Remedy(command=command_for(found[0].site)))
    else:
        yield ok(_NGINX, f"runs as {nginx.reader.name}")


def _site(venue: Venue, found: Bound, nginx: Nginx) -> Iterator[Finding]:
    site = found.site
    if site.act not in venue:
        remedy = Remedy(command=f"backstage nginx unbind {quote(site.act)}")
        yield trouble(site.act, f"no longer exists, but {site.domains[0]} is bound to it", remedy)
        return
    yield from _file(found, nginx.place())
    act = venue[site.act]
    yield from _target(act, found)
    if nginx.is_ours:
        yield from _certificate(found)
    yield from _project(act, found, nginx)


def _file(found: Bound, place: Place) -> Iterator[Finding]:
    name = found.site.act
    if not place.is_in_place(found.file.name):
        what = f"nginx does not read {found.file}: {place.included} has no link to it"
        yield trouble(name, what, Remedy(command=command_for(found.site)))
    if found.edited:
        remedy = Remedy("check that it is still right; the next bind asks before it replaces it")
        yield warning(name, f"{found.file} was edited by hand", remedy)


def _target(act: Act, found: Bound) -> Iterator[Finding]:
    again = Remedy(command=command_for(found.site))
    try:
        present = upstreams.of(act.paths)
    except SiteRefused as error:
        yield trouble(act.name, str(error), again)
        return
    if present != found.site.target:
        what = f"nginx connects to {found.site.target}, but its vassal file says {present}"
        yield trouble(act.name, what, again)
    elif (patience := upstreams.patience(act.paths)) != found.site.patience:
        allowed = patience - upstreams.MARGIN
        what = f"nginx waits {found.site.patience} s for it, but uWSGI now allows {allowed} s"
        yield warning(act.name, what, again)


def _certificate(found: Bound) -> Iterator[Finding]:
    site = found.site
    if site.tls is None:
        if site.automatic:
            what = f"{site.domains[0]} is served without TLS until there is a certificate"
            yield warning(site.act, what, Remedy(command=command_for(site)))
        return
    faults = certificates.faults(site.tls, site.names)
    remedy = (
        Remedy("get a new one;", "certbot renew")
        if site.automatic
        else Remedy("get another one; then", command_for(site))
    )
    for fault in faults:
        yield trouble(site.act, fault, remedy)
    if not faults and (ends := certificates.load(Path(site.tls.certificate))).ends_within(SOON):
        yield warning(site.act, f"the certificate {ends.path} expires on {ends.last_day}", remedy)


def _project(act: Act, found: Bound, nginx: Nginx) -> Iterator[Finding]:
    """Compare the project's settings with nginx's configuration."""
    try:
        told = static_files.ask(act.paths, found.site.domains)
    except SiteRefused as error:
        # The error itself says what to do.
        yield trouble(act.name, str(error), None)
        return
    if told.strangers:
        names = ", ".join(told.strangers)
        remedy = (
            Remedy("add it there;", command_for(found.site))
            if told.reads_env
            else Remedy("add it there, then", f"backstage restart {quote(act.name)}")
        )
        yield trouble(act.name, f"ALLOWED_HOSTS lacks {names}: it answers 400", remedy)
    if told.shares != found.site.shares:
        again = Remedy(command=command_for(found.site))
        yield warning(act.name, "its settings for static or media files have changed", again)
    reader = nginx.reader
    for share in told.shares if reader.can_be_tried else ():
        path = Path(share.root)
        if command := reader.command_to_read(path):
            what = f"nginx (user {reader.name}) cannot read its {share.kind} files in {path}"
            yield trouble(act.name, what, Remedy(command=command))


def _first(said: str) -> str:
    lines = [line for line in said.splitlines() if "[emerg]" in line] or said.splitlines()
    return lines[0].removeprefix("nginx: ") if lines else "it does not say why"
