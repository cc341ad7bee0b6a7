"""Certificates, looked at before nginx shows them."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from backstage.errors import SiteRefused
from backstage.nginx.certificates import DAY, SOON, check, faults, load
from backstage.nginx.site import Tls

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
DAYS = 10


def make(folder: Path, *names: str, key: str = "ec") -> Tls:
    folder.mkdir()
    tls = Tls(str(folder / "cert.pem"), str(folder / "key.pem"))
    kind = ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
    alternatives = ",".join(f"DNS:{name}" for name in names)
    command = ["openssl", "req", "-x509", "-newkey", key, *kind, "-nodes", "-subj", "/CN=old.test"]
    command += ["-days", str(DAYS), "-addext", f"subjectAltName={alternatives}"]
    subprocess.run(
        [*command, "-keyout", tls.key, "-out", tls.certificate], check=True, capture_output=True
    )
    return tls


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make(tmp_path_factory.mktemp("tls") / "one", "example.com", "*.example.org")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make(tmp_path_factory.mktemp("tls") / "two", "example.com", key="rsa:2048")


def test_a_good_one_has_no_faults(tls: Tls, other: Tls) -> None:
    assert faults(tls, ["example.com", "a.example.org"]) == []
    assert faults(other, ["example.com"]) == []
    check(tls, ["example.com"])


@pytest.mark.parametrize("name", ["www.example.com", "example.org", "a.b.example.org", "old.test"])
def test_it_covers_what_browsers_say_it_covers(tls: Tls, name: str) -> None:
    """A wildcard stands for one part, and where there are names, the subject is none."""
    (fault,) = faults(tls, ["example.com", name])
    assert fault.startswith(f"the certificate {tls.certificate} is not for {name}; get one")


def test_it_has_its_time(tls: Tls) -> None:
    now = time.time()
    (fault,) = faults(tls, ["example.com"], now + (DAYS + 1) * DAY)
    day = load(Path(tls.certificate)).last_day
    assert fault == f"the certificate {tls.certificate} expired on {day}"
    (fault,) = faults(tls, ["example.com"], now - 2 * DAY)
    assert "is not valid yet" in fault
    certificate = load(Path(tls.certificate))
    assert certificate.ends_within(SOON)
    assert not certificate.ends_within(DAY)
    assert certificate.last_day == time.strftime("%Y-%m-%d", time.gmtime(certificate.ends))


def test_the_key_has_to_be_its_own(tls: Tls, other: Tls, tmp_path: Path) -> None:
    same_kind = make(tmp_path / "third", "example.com")
    for key in (other.key, same_kind.key):
        (fault,) = faults(Tls(tls.certificate, key), ["example.com"])
        assert fault.startswith(f"the key {key} does not match the certificate {tls.certificate}")


def test_a_key_with_a_password_is_asked_for_by_nobody(tls: Tls, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    command = ["openssl", "ec", "-in", tls.key, "-aes256", "-passout", "pass:x", "-out", locked]
    subprocess.run(command, check=True, capture_output=True)
    (fault,) = faults(Tls(tls.certificate, str(locked)), ["example.com"])
    assert fault == f"nginx cannot use the key {locked}: it has a password"


def test_files_that_hold_something_else_are_named(tls: Tls, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n")
    with pytest.raises(SiteRefused, match=f"{junk} contains no PEM certificate"):
        check(Tls(str(junk), tls.key), [])
    with pytest.raises(SiteRefused, match=f"nginx cannot use the key {junk}"):
        check(Tls(tls.certificate, str(junk)), [])
    named = junk.rename(tmp_path / "setpriv is no openssl.pem")
    with pytest.raises(SiteRefused, match=f"{named} contains no PEM certificate"):
        check(Tls(str(named), tls.key), [])
    named.rename(junk)
    with pytest.raises(SiteRefused, match="certificate /no/where cannot be read: No such file"):
        check(Tls("/no/where", tls.key), [])
    with pytest.raises(SiteRefused, match="cannot be read: Is a directory"):
        check(Tls(tls.certificate, str(tmp_path)), [])


def test_a_chain_counts_by_its_first(tls: Tls, other: Tls, tmp_path: Path) -> None:
    chain = tmp_path / "fullchain.pem"
    chain.write_bytes(Path(tls.certificate).read_bytes() + Path(other.certificate).read_bytes())
    assert faults(Tls(str(chain), tls.key), ["a.example.org"]) == []


def test_without_openssl_it_says_how_to_get_it(
    tls: Tls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "setpriv").symlink_to(shutil.which("setpriv") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SiteRefused, match="apt install openssl"):
        check(tls, ["example.com"])
