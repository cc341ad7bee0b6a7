"""Planning the binding of an Act to domains; refuses what cannot work."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..act import Act
from ..errors import SiteRefused
from ..facts.command_line import join, quote
from ..layout.paths import ActPaths
from ..system import users
from . import (
    certbot,
    certificates,
    config_parser,
    env_changes,
    hostnames,
    rendering,
    static_files,
    upstreams,
)
from .permissions import Reader
from .program import Nginx
from .rendering import Common
from .site import SHARED, Listening, Share, Site, Tls, file_name
from .sites_directory import Place, Placed


@dataclass(frozen=True, kw_only=True)
class BindRequest:
    """The options of a bind.

    `automatic` uses certbot's certificate as soon as there is one; `redirect_www` redirects the
    first domain with `www.` added, or removed, to the first domain. `replace_edited` allows
    replacing a site's file that was edited by hand.
    """

    domains: tuple[str, ...]
    tls: Tls | None = None
    automatic: bool = False
    redirect_www: bool = False
    replace_edited: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that a bind will do."""

    site: Site
    name: str
    listening: Listening
    place: Place
    texts: Mapping[str, str]
    changes: env_changes.Changes
    notes: tuple[str, ...] = ()

    @property
    def ports(self) -> tuple[int, ...]:
        plain = self.listening.http_port
        return (plain, self.listening.https_port) if self.site.tls else (plain,)


def plan_binding(act: Act, request: BindRequest, nginx: Nginx) -> Plan:
    """Plan a bind; refuses what cannot work."""
    files, place = nginx.files(), nginx.place()
    present = place.site_of(act.paths)
    if present:
        refuse_edited(present, request.replace_edited)
    site, notes = _site(act, request, nginx)
    name = present.file.name if present else free_name(act.paths, place)
    _refuse_bound(site, present, place, nginx, files)
    for port in (nginx.http_port, *([nginx.https_port] if site.tls else [])):
        nginx.refuse_taken_port(port, files)
    told = static_files.ask(act.paths, site.domains)
    refuse_unreadable(act, site, told.shares, nginx.reader)
    listening = nginx.listening(files)
    changes: env_changes.Changes = {}
    granted: tuple[str, ...] = ()
    if told.reads_env:
        changes, granted = _grants(act, site, present, listening)
    elif told.strangers:
        notes.append(
            f"{act.name} answers only to names in ALLOWED_HOSTS: add {', '.join(told.strangers)} "
            "to it in the settings, then restart the Act"
        )
    site = replace(site, shares=told.shares, granted=granted)
    texts = _texts(name, site, listening, nginx, place, files)
    if said := nginx.fault_of(texts):
        raise SiteRefused("nginx rejects this site", said)
    return Plan(site, name, listening, place, texts, changes, tuple(notes))


def _site(act: Act, request: BindRequest, nginx: Nginx) -> tuple[Site, list[str]]:
    """The requested site, and notes on what its owner has to do."""
    domains = hostnames.all_plain(request.domains)
    aliases = (hostnames.counterpart(domains[0]),) if request.redirect_www else ()
    domains = tuple(name for name in domains if name not in aliases)
    site = Site(
        act=act.name,
        venue=str(act.paths.venue.top),
        domains=domains,
        aliases=hostnames.all_plain(aliases),
        target=upstreams.of(act.paths),
        tls=request.tls,
        automatic=request.automatic,
        patience=upstreams.patience(act.paths),
    )
    notes: list[str] = []
    if request.automatic:
        site, notes = _automatic(site, nginx)
    elif request.tls:
        certificates.check(request.tls, site.names)
    return site, notes


def _automatic(site: Site, nginx: Nginx) -> tuple[Site, list[str]]:
    """The site with certbot's certificate, or notes on how to get one."""
    live = nginx.letsencrypt / "live" / site.domains[0]
    tls = Tls(str(live / "fullchain.pem"), str(live / "privkey.pem"))
    if not live.is_dir():
        faults = [f"{site.domains[0]} has no certificate yet, so it is served without TLS"]
    else:
        faults = certificates.faults(tls, site.names)
    if not faults:
        return replace(site, tls=tls), []
    notes = [*faults, f"to get one, type: {certbot.command(nginx, site)}"]
    if not nginx.has("certbot"):
        notes.insert(-1, "certbot is not installed; type: apt install certbot")
    return site, [*notes, f"then type: {command_for(site)}"]


def command_for(site: Site) -> str:
    """The command that binds a site again, unchanged."""
    request = BindRequest(
        domains=site.domains,
        tls=site.tls,
        automatic=site.automatic,
        redirect_www=bool(site.aliases),
    )
    return join(["backstage", "nginx", *bind_words(site.act, request)])


def bind_words(act_name: str, request: BindRequest) -> list[str]:
    words = ["bind", act_name, *request.domains]
    if request.automatic:
        words += ["--tls", "auto"]
    elif request.tls:
        words += ["--tls", f"{request.tls.certificate},{request.tls.key}"]
    return [*words, *(["--redirect-www"] if request.redirect_www else [])]


def refuse_edited(present: Placed, replace_edited: bool) -> None:
    if present.edited and not replace_edited:
        raise SiteRefused(
            f"{present.file} was edited by hand, and the edits would be lost; "
            "to replace it anyway, repeat the command with --yes"
        )


def _refuse_bound(
    site: Site, present: Placed | None, place: Place, nginx: Nginx, files: Mapping[str, str]
) -> None:
    """Refuse names that belong to another Act or to another site in nginx."""
    own = present.file.name if present else ""
    for other in place.sites():
        if other.file.name != own and (taken := {*site.names} & {*other.site.names}):
            whose = f"the Act {other.site.act} of {other.site.venue} ({other.file})"
            words = ["backstage", "--venue", other.site.venue, "nginx", "unbind", other.site.act]
            remedy = f"type: {join(words)}"
            raise SiteRefused(f"{min(taken)} is already bound to {whose}; {remedy}")
    ports = {str(nginx.http_port), str(nginx.https_port)}
    for server in config_parser.servers(files):
        taken = {*site.names} & server.names if server.ports & ports else set()
        if taken and Path(server.file).name != own:
            what = f"{min(taken)} is already served by another site of nginx, in {server.file}"
            raise SiteRefused(f"{what}; remove it there first")


def refuse_unreadable(act: Act, site: Site, shared: Iterable[Share], reader: Reader) -> None:
    """Refuse files that nginx's user cannot read, with the command that lets it."""
    wanted = {f"{share.kind} files": Path(share.root) for share in shared}
    for what, path in wanted.items():
        if command := reader.command_to_read(path):
            blind = f"nginx (user {reader.name}) cannot read {what} of {act.name} in {path}"
            raise SiteRefused(f"{blind}; type: {command}")
    if site.target.address.startswith("/"):
        _refuse_closed(act, Path(site.target.address), reader)
    if act.paths.top.is_dir() and (command := reader.command_to_enter(act.paths.top)):
        blind = f"nginx (user {reader.name}) cannot check whether {act.paths.top}/held exists"
        raise SiteRefused(f"{blind}; type: {command}")


def _refuse_closed(act: Act, socket: Path, reader: Reader) -> None:
    """Refuse a socket that nginx's user cannot connect to."""
    owner = users.stand_in(act.paths.venue.top, act.paths.top)
    theirs = socket.lstat().st_uid if os.path.lexists(socket) else owner
    if users.am_root() and os.path.realpath(socket) != str(socket):
        raise SiteRefused(f"{socket} is a link, or is reached through one; give its real path")
    if users.am_root() and theirs not in {owner or users.ROOT, users.ROOT}:
        whose = users.name_of(theirs or users.ROOT)
        raise SiteRefused(f"{socket} does not belong to {act.name}, but to {whose}")
    whose = f"nginx (user {reader.name}) cannot connect to {act.name} at {socket}"
    if socket.parent.is_dir() and (command := reader.command_to_enter(socket.parent)):
        raise SiteRefused(f"{whose}; type: {command}")
    if socket.exists() and not reader.can("-w", socket):
        remedy = f"write chmod-socket = 666 at its end; type: backstage edit {quote(act.name)}"
        raise SiteRefused(f"{whose}; {remedy}")


def _grants(
    act: Act, site: Site, present: Placed | None, listening: Listening
) -> tuple[env_changes.Changes, tuple[str, ...]]:
    """The changes to the .env, after undoing those of the previous bind."""
    values = dict(act.env)
    back = env_changes.withdraw(values, present.site.granted) if present else {}
    tls = site.tls is not None
    origins = [listening.origin(name, tls=tls) for name in site.domains]
    changes, told = env_changes.grant(
        env_changes.applied(values, back), site.domains, origins, tls=tls
    )
    needed = {key: new for key, new in {**back, **changes}.items() if values.get(key) != new}
    return needed, told


def plan_unbinding(act: Act, present: Placed, nginx: Nginx, place: Place) -> Plan:
    """Plan the removal of an Act's site."""
    changes: env_changes.Changes = {}
    # An Act that was retired has no .env any more.
    if present.site.granted and act.paths.top.is_dir():
        changes = env_changes.withdraw(dict(act.env), present.site.granted)
    files, site = nginx.files(), present.site
    listening = nginx.listening(files)
    texts = _texts(present.file.name, None, listening, nginx, place, files)
    return Plan(replace(site, tls=None), present.file.name, listening, place, texts, changes)


def _texts(
    name: str,
    site: Site | None,
    listening: Listening,
    nginx: Nginx,
    place: Place,
    files: Mapping[str, str],
) -> dict[str, str]:
    """The texts of the shared file and the site's file; empty after the last site."""
    others = [each.site for each in place.sites() if each.file.name != name]
    left = [*others, *([site] if site else [])]
    if not left:
        return {}
    foreign = {file: text for file, text in files.items() if Path(file).name != SHARED}
    secure = any(each.tls for each in left) and nginx.rejects_handshakes
    common = Common(
        http=_undefended(listening.listens(tls=False), foreign),
        https=_undefended(listening.listens(tls=True), foreign) if secure else (),
        hash_bucket=not config_parser.find(foreign, "server_names_hash_bucket_size"),
    )
    texts = {SHARED: rendering.render_shared(common)}
    if site:
        texts[name] = rendering.render(site, listening, name.removesuffix(".conf"))
    return texts


def _undefended(addresses: Iterable[str], files: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses that have no default server for unknown names."""
    defended = {each for server in config_parser.servers(files) for each in server.default_at}
    return tuple(each for each in addresses if config_parser.address(each) not in defended)


def free_name(act_paths: ActPaths, place: Place) -> str:
    """The name of a new site's file; distinct if another Venue of that name has taken it."""
    name = file_name(act_paths.venue.top.name, act_paths.name)
    if not place.file(name).exists():
        return name
    digest = hashlib.sha256(str(act_paths.venue.top).encode()).hexdigest()[:6]
    return file_name(act_paths.venue.top.name, act_paths.name, digest)
