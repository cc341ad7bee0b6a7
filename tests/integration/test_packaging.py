"""The distribution: built, installed into a clean environment, and used from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import processes_within

CHECKOUT = Path(__file__).parents[2]
SHIPPED = ("emperor", "vassal_templates", "backstage/scaffolds")

pytestmark = pytest.mark.slow

QUICK_START = """
import sys, urllib.request
from backstage.shortcuts import new_venue, new_act
import backstage
print(backstage.__file__)
venue = new_venue('packaged', sys.argv[1])
try:
    act = new_act(venue, 'MyAct')
    print(urllib.request.urlopen(f'http://localhost:{act.get_uwsgi_port()}/').status)
    act.stop()
    act.start()
    print(act.state)
finally:
    venue.stop()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and a wheel that was built from it."""
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, source / name)
    goal = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", goal, source], check=True)
    return goal


def shipped_files() -> dict[str, bytes]:
    """What operators and uWSGI read, by path in the installed package."""
    return {
        f"backstage/{path.relative_to(CHECKOUT)}".replace("backstage/backstage/", "backstage/"): (
            path.read_bytes()
        )
        for top in SHIPPED
        for path in (CHECKOUT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_and_sdist_hold_every_template(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = {name: wheel.read(name) for name in wheel.namelist()}
    expected = shipped_files()
    assert {name: inside.get(name) for name in expected} == expected
    assert "backstage/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        path.removeprefix("backstage/") for path in expected if "scaffolds" not in path
    } <= names
    assert {path for path in expected if "scaffolds" in path} <= names


def test_the_wheel_brings_the_manual(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        [path] = [name for name in wheel.namelist() if name.endswith("backstage.1")]
        assert wheel.read(path) == (CHECKOUT / "docs" / "backstage.1").read_bytes()
    assert path.endswith(".data/data/share/man/man1/backstage.1")


def test_the_quick_start_runs_from_the_wheel_in_another_directory(
    built: Path, stage: Path, tmp_path: Path
) -> None:
    clean = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", clean], check=True)
    python = clean / "bin" / "python"
    wheel = next(built.glob("*.whl"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    done = subprocess.run(
        [python, "-W", "error", "-c", QUICK_START, stage],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    module, *said = done.stdout.splitlines()
    assert said == ["200", "running"], done.stderr
    assert module.startswith(str(clean)), "not from the checkout"
    if shutil.which("man"):
        active = {"PATH": f"{clean}/bin:/usr/bin:/bin"}
        page = subprocess.run(
            ["man", "-w", "backstage"], env=active, capture_output=True, text=True
        )
        assert page.stdout == f"{clean}/share/man/man1/backstage.1\n", page.stderr
    assert not processes_within(stage / "packaged")
