"""The certificates that nginx uses: their names, their dates, and whether the key matches."""

from __future__ import annotations

import re
import shutil
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import SiteRefused
from ..system import programs
from .site import Tls

DAY = 86400.0
# certbot renews a month before the expiry, so a certificate this close to it has a problem.
SOON = 14 * DAY
_DATES = re.compile(r"^not(Before|After)=(.+)$", re.MULTILINE)
# OpenSSL's reasons for a key that does not match; the last two if its type differs as well.
_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


@dataclass(frozen=True)
class Certificate:
    """A certificate on disk, valid from `begins` to `ends`, in seconds since the epoch."""

    path: Path
    begins: float
    ends: float

    @property
    def last_day(self) -> str:
        """The day on which it expires, as `2026-11-25`."""
        return datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%d")

    def ends_within(self, seconds: float) -> bool:
        """Whether it expires within so many seconds."""
        return self.ends <= time.time() + seconds

    def covers(self, name: str) -> bool:
        """Whether browsers accept it for this host name, wildcards included."""
        return "does match" in _openssl(self.path, "-checkhost", name)


def load(path: Path) -> Certificate:
    """The first certificate in a PEM file. Raises SiteRefused if there is none."""
    dates = dict(_DATES.findall(_openssl(path, "-startdate", "-enddate")))
    begins, ends = (ssl.cert_time_to_seconds(dates[which]) for which in ("Before", "After"))
    return Certificate(path, begins, ends)


def faults(tls: Tls, names: Iterable[str], now: float | None = None) -> list[str]:
    """Why browsers or nginx would reject a certificate for these hosts; empty if they accept it."""
    moment = time.time() if now is None else now
    try:
        _refuse_unreadable(Path(tls.certificate), "certificate")
        _refuse_unreadable(Path(tls.key), "key")
        certificate = load(Path(tls.certificate))
        _refuse_other_key(tls)
    except SiteRefused as error:
        return [str(error)]
    return [*_dated(certificate, moment), *_uncovered(certificate, names)]


def check(tls: Tls, names: Iterable[str]) -> None:
    """Raise SiteRefused if browsers or nginx would reject the certificate."""
    if found := faults(tls, names):
        raise SiteRefused("; ".join(found))


def _dated(certificate: Certificate, now: float) -> list[str]:
    if certificate.ends <= now:
        return [f"the certificate {certificate.path} expired on {certificate.last_day}"]
    if certificate.begins > now:
        return [f"the certificate {certificate.path} is not valid yet"]
    return []


def _uncovered(certificate: Certificate, names: Iterable[str]) -> list[str]:
    missing = [name for name in names if not certificate.covers(name)]
    told = f"the certificate {certificate.path} is not for {', '.join(missing)}"
    return [f"{told}; get one that covers all of them"] if missing else []


def _refuse_unreadable(path: Path, what: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise SiteRefused(f"the {what} {path} cannot be read: {error.strerror}") from error


def _refuse_other_key(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Prevents a prompt on the terminal; nginx could not prompt either.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise SiteRefused(
                f"the key {tls.key} does not match the certificate {tls.certificate}; "
                "give a certificate and its own key"
            ) from error
        why = "it has a password" if _is_encrypted(tls.key) else error.reason or str(error)
        raise SiteRefused(f"nginx cannot use the key {tls.key}: {why}") from error


def _is_encrypted(path: str) -> bool:
    return "ENCRYPTED" in Path(path).read_text(encoding="ascii", errors="replace")


def _openssl(path: Path, *question: str) -> str:
    program = shutil.which("openssl")
    if program is None:
        raise SiteRefused("the program openssl is missing; type: apt install openssl")
    command: list[str | Path] = [program, "x509", "-noout", "-in", path, *question]
    done = programs.run(command, env=programs.tool_environment())
    if done.returncode:
        raise SiteRefused(f"{path} contains no PEM certificate")
    return done.stdout
