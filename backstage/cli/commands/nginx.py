"""`backstage nginx`: Acts on their domains."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import click

from ...act import Act
from ...doctor.finding import Finding, Severity
from ...errors import SiteRefused
from ...nginx import binding, certificates, checks, program
from ...nginx.binding import Bound
from ...nginx.plan import BindRequest
from ...nginx.site import Site
from ..exits import Exit
from ..options import command, complete_acts
from ..results import Document, Result
from ..session import Session
from ..terminal.screen import Screen, harmless
from ..words import Word

_EXAMPLES = """
sudo backstage nginx bind blog example.com --redirect-www --tls auto
sudo backstage nginx bind blog example.com --tls cert.pem,key.pem
backstage nginx show                # what is bound to which domains
sudo backstage nginx check blog     # find problems
sudo backstage nginx unbind blog
"""
_EXITS = (*(Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY), Exit.CHECK)
_SIGNS = {
    Severity.TROUBLE: ("✗", "bold red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "cyan"),
    Severity.OK: ("✓", "green"),
}
_AUTO = "auto"
_VERBS = ("bind", "show", "unbind", "check")
_MEANT = {
    **dict.fromkeys(("add", "enable", "serve"), "nginx bind ACT DOMAIN"),
    **dict.fromkeys(("rm", "remove", "delete", "disable"), "nginx unbind ACT"),
    **dict.fromkeys(("list", "ls", "status"), "nginx show"),
    "test": "nginx check",
}


@command("nginx", examples=_EXAMPLES, exits=_EXITS)
@click.argument("verb", type=Word(_VERBS, _MEANT))
@click.argument("act_name", metavar="[ACT]", required=False, shell_complete=complete_acts)
@click.argument("names", nargs=-1, metavar="[DOMAIN]...")
@click.option("--tls", metavar="auto|CERT,KEY", help="bind: use certbot, or this certificate.")
@click.option(
    "--redirect-www", is_flag=True, help="bind: redirect www.DOMAIN to DOMAIN, or vice versa."
)
@click.option("--yes", is_flag=True, help="Replace an edited site file without asking.")
def nginx(
    session: Session,
    verb: str,
    act_name: str | None,
    names: tuple[str, ...],
    tls: str | None,
    redirect_www: bool,
    yes: bool,
) -> Result:
    """Serve an Act on its domains through nginx.

    `bind` writes the Act's site file, tests it, reloads nginx and adds the domains to the Act's
    settings; if a step fails, it changes nothing. With `--tls auto`, root has certbot get the
    certificate, once certbot has an account. `unbind` reverses this. `show` lists what is
    bound and, for an ACT, prints its site file. `check` looks for problems; its exit code is 1 if
    it finds any.
    """
    session.keeps_root = True
    _refuse_words(verb, act_name, names, bind_only=bool(tls or redirect_www))
    if verb == "show":
        return _shown(session, act_name)
    if verb == "check":
        return _checked(session, act_name)
    assert act_name is not None
    found = session.act(act_name) if verb == "bind" else session.venue.act(act_name)
    replace_edited = yes or _asked(session, found)
    if replace_edited is None:
        stays = f"{act_name}: nothing has changed"
        return Result({}, lambda screen: screen.line(stays), Exit.INTERRUPTED)
    if verb == "unbind":
        return _unbound(session, found, replace_edited)
    request = _request(names, tls, redirect_www)
    return _made(session, found, replace(request, replace_edited=replace_edited))


def _refuse_words(
    verb: str, act_name: str | None, names: Sequence[str], *, bind_only: bool
) -> None:
    if verb == "bind" and not (act_name and names):
        raise click.UsageError("bind what? Type: backstage nginx bind ACT DOMAIN")
    if verb == "unbind" and not act_name:
        raise click.UsageError("unbind what? Type: backstage nginx unbind ACT")
    if verb != "bind" and (names or bind_only):
        raise click.UsageError(f"{verb} takes no domains; --tls and --redirect-www are for bind")


def _request(names: tuple[str, ...], tls: str | None, redirect_www: bool) -> BindRequest:
    certificate, comma, key = (tls or "").partition(",")
    if tls and tls != _AUTO and not (comma and certificate and key):
        raise click.UsageError(f"--tls takes auto or two files (cert.pem,key.pem), not '{tls}'")
    return BindRequest(
        domains=names,
        tls=binding.tls_files(certificate, key) if comma else None,
        automatic=tls == _AUTO,
        redirect_www=redirect_www,
    )


def _asked(session: Session, act: Act) -> bool | None:
    """Whether an edited site file may be replaced; asked only in a terminal.

    None if the answer is no.
    """
    present = program.find().place().site_of(act.paths)
    is_watched = session.screen.is_terminal and sys.stdin.isatty() and not session.as_json
    if present is None or not present.edited or not is_watched:
        return False
    question = f"{present.file} was edited by hand. Replace it?"
    return True if click.confirm(question, err=True) else None


def _made(session: Session, act: Act, request: BindRequest) -> Result:
    with nullcontext() if session.as_json else session.screen.waiting(f"Binding {act.name}"):
        bound = binding.bind(act, request)
    is_served = "is served" if bound.runs else "will be served"
    return _bound_result(bound, f"{act.name} {is_served} at {bound.origin}/")


def _unbound(session: Session, act: Act, replace_edited: bool) -> Result:
    with nullcontext() if session.as_json else session.screen.waiting(f"Unbinding {act.name}"):
        bound = binding.unbind(act, replace_edited=replace_edited)
    return _bound_result(bound, f"{', '.join(bound.site.names)}: nginx no longer serves {act.name}")


def _bound_result(bound: Bound, headline: str) -> Result:
    def show(screen: Screen) -> None:
        for step in bound.steps:
            screen.line(f"✓ {harmless(str(step))}")
        screen.line(headline)
        for note in bound.notes:
            screen.hint(note)

    did = [str(step) for step in bound.steps]
    document = {**_document(bound), "did": did, "notes": list(bound.notes)}
    return Result(document, show)


def _shown(session: Session, act_name: str | None) -> Result:
    found = binding.bound(session.venue.paths)
    if act_name is None:
        return Result({"sites": [_document(each) for each in found]}, partial(_list, found))
    mine = next((each for each in found if each.site.act == act_name), None)
    if mine is None:
        session.act(act_name)
        return Result(
            {"sites": []}, lambda screen: screen.line(f"{act_name} is not bound to any domain")
        )
    text = mine.file.read_text(errors="replace")

    def show(screen: Screen) -> None:
        _list([mine], screen)
        screen.line()
        screen.line(text.rstrip("\n"))

    return Result({"sites": [{**_document(mine), "text": text}]}, show)


def _list(found: Sequence[Bound], screen: Screen) -> None:
    for each in found:
        names, aliases = " ".join(each.site.domains), " ".join(each.site.aliases)
        screen.line(f"{each.site.act}  {each.origin}/")
        lines = {
            "Domains": f"{names}, redirected from {aliases}" if aliases else names,
            "TLS": _tls(each.site),
            "Target": str(each.site.target),
            "File": f"{each.file}{', edited by hand' if each.edited else ''}",
        }
        for title, text in lines.items():
            screen.line(f"  {title:<9}{harmless(text)}")
    if not found:
        screen.line("No Act is bound; to bind one, type: backstage nginx bind ACT DOMAIN")


def _tls(site: Site) -> str:
    if site.tls is None:
        return "none yet, waiting for a certificate" if site.automatic else "none"
    return f"{site.tls.certificate}, expires {_last_day(site) or 'on an unknown date'}"


def _last_day(site: Site) -> str:
    with suppress(SiteRefused):
        return certificates.load(Path(site.tls.certificate)).last_day if site.tls else ""
    return ""


def _document(bound: Bound) -> Document:
    site = bound.site
    return {
        "act": site.act,
        "url": f"{bound.origin}/",
        "domains": list(site.domains),
        "redirected": list(site.aliases),
        "tls": asdict(site.tls) if site.tls else None,
        "automatic": site.automatic,
        "expires": _last_day(site) or None,
        "target": str(site.target),
        "file": str(bound.file),
        "edited": bound.edited,
    }


def _checked(session: Session, act_name: str | None) -> Result:
    with nullcontext() if session.as_json else session.screen.waiting("Checking"):
        found = [*checks.examine(session.venue, (act_name,) if act_name else ())]
    troubled = any(finding.severity is Severity.TROUBLE for finding in found)
    findings = [each.fields for each in found]
    document = {"venue": str(session.venue.path), "findings": findings}
    return Result(document, partial(_tell, found), Exit.FAILED if troubled else Exit.DONE)


def _tell(found: Sequence[Finding], screen: Screen) -> None:
    for finding in found:
        sign, style = _SIGNS[finding.severity]
        said = f"  {harmless(finding.what)}"
        screen.lines([[(f"{sign} ", style), (harmless(finding.subject), "bold"), (said, "")]])
        if finding.remedy:
            screen.line(f"    → {harmless(str(finding.remedy))}")
