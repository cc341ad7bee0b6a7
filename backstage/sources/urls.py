"""URLs of git repositories, with the login that stood in them apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from ..errors import SourceRefused
from ..facts.command_line import join

SCHEMES = ("https", "http", "ssh", "git", "file")
ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar", ".zip", ".whl")
_WEB = frozenset({"https", "http"})
_URL = re.compile(r"(?s)(?P<scheme>[A-Za-z][A-Za-z0-9.+-]*)://(?P<place>[^/]*)(?P<path>.*)\Z")
_HOST = re.compile(r"(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::\d+)?\Z")
_SHORT = re.compile(r"(?:[\w.][\w.-]*@)?[A-Za-z0-9_][\w.-]*:[^:].*\Z", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*::")


@dataclass(frozen=True)
class Login:
    """What stood before the @ of a URL; `place` is the scheme and the host that it is for.

    Hosts take tokens in the place of the user as well, so both are secret.
    """

    place: str
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class RemoteUrl:
    """The URL of a repository as git takes it, without a login, and what was written beside it."""

    text: str
    ref: str = ""
    login: Login | None = None


def parse(text: str) -> RemoteUrl | None:
    """The repository that a text is the URL of, also as `git@host:path`; None if it is no URL.

    Raises SourceRefused for a URL that git should not be given.
    """
    if _HELPER.match(text):
        raise _refused(text, "it names a program that git would run")
    if found := _URL.match(text):
        return _parsed(found, text)
    return RemoteUrl(text) if _SHORT.match(text) else None


def _parsed(found: re.Match[str], text: str) -> RemoteUrl:
    scheme, place, path = found["scheme"].lower(), found["place"], found["path"]
    ref = ""
    if "git" in (words := scheme.split("+")) and len(words) == 2:
        # As pip writes it: git+https://host/shop.git@v1.4
        scheme = next(word for word in words if word != "git")
        path, _, ref = path.partition("@")
    if scheme not in SCHEMES:
        raise _refused(text, f"{scheme!r} is none of {', '.join(SCHEMES)}")
    user, _, host = place.rpartition("@")
    if scheme == "file":
        return RemoteUrl(f"file://{place}{path}", ref)
    if not _HOST.match(host):
        raise _refused(text, "it has no valid host; in a password, write %2F for / and %40 for @")
    return _on_host(scheme, user, host, path, ref)


def _on_host(scheme: str, user: str, host: str, path: str, ref: str) -> RemoteUrl:
    clean = f"{scheme}://{host}"
    if scheme not in _WEB:
        # ssh takes a password from nobody but its own prompt.
        name = user.partition(":")[0]
        return RemoteUrl(f"{scheme}://{name}@{host}{path}" if name else f"{clean}{path}", ref)
    if sign := next((each for each in "@?#" if each in path), ""):
        why = f"it has a {sign} after the host; give the URL that `git clone` takes, and the ref"
        # A token may follow it as well.
        shown = f"{scheme}://{user and '***@'}{host}{path}".partition("?")[0]
        raise _refused(shown, f"{why} apart")
    if path.lower().endswith(ARCHIVES):
        fetch = join(["curl", "-fLO", clean + path])
        raise _refused(clean + path, f"it is an archive; to fetch it first, type: {fetch}")
    return RemoteUrl(clean + path, ref, _login(clean, user) if user else None)


def _login(place: str, text: str) -> Login:
    user, _, password = text.partition(":")
    login = Login(place, unquote(user), unquote(password))
    if re.search(r"[\0\r\n]", login.user + login.password):
        raise _refused(place, "its user or password has a line break")
    return login


def _refused(text: str, why: str) -> SourceRefused:
    return SourceRefused(without_login(text), why)


def without_login(text: str) -> str:
    """A text as it may be shown: of a URL in which a login may be, not what comes before the @."""
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if mark and "@" in rest else text
