"""The other program of the same name, distinguished from this one."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from backstage.cli import entry
from backstage.virtualenvs import namesake
from tests.other_backstage import VERSION, wheel_in

METADATA = "Metadata-Version: 2.1\nName: django_backstage\nVersion: 0.1.0\n"
COMMAND = "[console_scripts]\nbackstage = backstage.cli.entry:main\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    directory = tmp_path / "site-packages"
    directory.mkdir()
    return directory


@pytest.fixture
def other(site: Path, tmp_path: Path) -> Path:
    """A directory in which the other program is installed."""
    ZipFile(wheel_in(tmp_path)).extractall(site)
    return site


def install_ours(site: Path, direct_url: str = "") -> None:
    info = site / "django_backstage-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(COMMAND)
    if direct_url:
        (info / "direct_url.json").write_text(direct_url)


def test_this_program_is_not_the_other(site: Path) -> None:
    assert namesake.found_in([site]) is None
    install_ours(site)
    assert namesake.found_in([site]) is None


def test_the_other_is_found_alone_and_beside_this_one(other: Path, tmp_path: Path) -> None:
    expected = namesake.Namesake(VERSION, other)
    assert namesake.found_in([tmp_path, other]) == expected
    install_ours(other)
    assert namesake.found_in([other]) == expected


def test_the_complaint_says_what_is_there_and_what_to_type(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two distributions with the same name take two calls to uninstall."""
    install_ours(other, '{"url": "file:///srv/our%20wheels/b.whl", "archive_info": {}}')
    monkeypatch.setattr(sys, "path", [str(other)])
    pip = f"{sys.executable} -m pip"
    uninstall = f"{pip} uninstall --yes django_backstage"
    assert namesake.complaint() == (
        f"django_backstage {VERSION} is another, older program of the same name, and "
        f"its files in {other}/backstage keep this one from running. Type: {uninstall} && "
        f"{uninstall} && {pip} install '/srv/our wheels/b.whl'"
    )


@pytest.mark.parametrize(
    ("direct_url", "source"),
    [
        ('{"url": "file:///srv/checkout", "dir_info": {"editable": true}}', "/srv/checkout"),
        ('{"url": "https://example.org/b.git", "vcs_info": {}}', "django_backstage==0.1.0"),
        ("", "django_backstage==0.1.0"),
    ],
)
def test_this_program_is_installed_again_from_where_it_came(
    site: Path, monkeypatch: pytest.MonkeyPatch, direct_url: str, source: str
) -> None:
    install_ours(site, direct_url)
    monkeypatch.setattr(sys, "path", [str(site)])
    assert namesake.origin() == source


@pytest.mark.parametrize("error", [ImportError, SyntaxError])
def test_a_fault_of_our_own_is_not_put_on_the_other(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """If the other program is not installed, the traceback is shown."""

    def failing(name: str) -> None:
        raise error(name)

    monkeypatch.setattr(entry, "import_module", failing)
    with pytest.raises(error):
        entry.main()
