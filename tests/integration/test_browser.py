"""What a person sees: the first page and the admin in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backstage.shortcuts import new_act
from backstage.venue import Venue

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0"),
)


def browse(url: str, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    words = [str(BROWSER), *QUIET, f"--user-data-dir={profile}", *flags, url]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)


def test_the_first_page(venue: Venue, fresh_name: str, tmp_path: Path) -> None:
    act = new_act(venue, fresh_name)
    page = browse(act.url, tmp_path, "--dump-dom")
    assert f"<title>{fresh_name} works</title>" in page.stdout
    package, vassal = f"acts/{fresh_name}/{fresh_name}/urls.py", f"vassals/{fresh_name}.ini"
    for told in (venue.name, f"cd {venue.path}", package, vassal, "createsuperuser"):
        assert told in page.stdout
    assert "CONSOLE" not in page.stderr, "no complaint of the browser's about the page"
    shot = tmp_path / "page.png"
    browse(act.url, tmp_path, f"--screenshot={shot}", "--window-size=1200,900")
    assert shot.stat().st_size > 20_000, "a page with something on it"
    admin = browse(f"{act.url}admin/", tmp_path, "--dump-dom")
    assert "csrfmiddlewaretoken" in admin.stdout
    assert "CONSOLE" not in admin.stderr
