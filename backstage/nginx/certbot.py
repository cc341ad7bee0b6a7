"""certbot, which gets certificates from Let's Encrypt or from another authority."""

from __future__ import annotations

import re

from ..facts.command_line import join
from ..system import programs, users
from .build import which
from .program import Nginx
from .site import Site

_PROGRAM = "certbot"
# The authority asks for each name; certbot itself gives up after less than that.
_PATIENCE = 300.0
_DETAIL = re.compile(r"^\s*Detail: (.+)$", re.MULTILINE)


def words(nginx: Nginx, site: Site) -> list[str]:
    """The command that gets a certificate for all names of a site."""
    names = [word for name in site.names for word in ("-d", name)]
    where = ["--webroot", "-w", str(nginx.challenges)]
    return [_PROGRAM, "certonly", *where, *names, "--deploy-hook", nginx.reload_command]


def is_ready(nginx: Nginx) -> bool:
    """Whether this process may run certbot, and somebody has told the authority who they are.

    Nobody else can agree to the authority's terms.
    """
    accounts = nginx.letsencrypt / "accounts"
    may = users.am_root() and nginx.has(_PROGRAM) and nginx.pid is not None
    return may and any(accounts.rglob("regr.json"))


def obtain(nginx: Nginx, site: Site) -> str:
    """Get a certificate for a site that nginx serves; returns why there is none, or ''."""
    name = ["--cert-name", site.domains[0], "--renew-with-new-domains"]
    program, *rest = words(nginx, site)
    command = [which(program) or program, *rest, *name, "--non-interactive"]
    try:
        done = programs.run(
            [*command, "--config-dir", nginx.letsencrypt],
            env=programs.tool_environment(),
            timeout=_PATIENCE,
        )
    except programs.TookTooLong:
        return f"it took longer than {_PATIENCE:.0f} s"
    return _why(done.stdout) if done.returncode else ""


def command(nginx: Nginx, site: Site) -> str:
    """The same command, to type."""
    return join(words(nginx, site))


def _why(output: str) -> str:
    """The reason that the authority gave, or certbot's last line."""
    if details := _DETAIL.findall(output):
        return "; ".join(dict.fromkeys(details))
    return next((line for line in reversed(output.splitlines()) if line.strip()), "certbot failed")
