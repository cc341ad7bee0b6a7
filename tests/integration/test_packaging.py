"""The distributions: built, installed into clean environments, and used from elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from backstage.cli.exits import Exit
from tests.other_backstage import VERSION, wheel_in

from .conftest import processes_within

CHECKOUT = Path(__file__).parents[2]
SHIPPED = (
    *("emperor", "vassal_templates", "backstage/scaffolds"),
    *("backstage/projects/inside", "backstage/uwsgi/inside"),
)

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
    """What `make dist` builds and checks: an sdist, and a wheel that was built from it."""
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, source / name)
    # With the environment that runs this one, instead of making another.
    make = ["make", "--old-file=setup", "dist", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(make, cwd=source, check=True, capture_output=True, text=True)
    assert done.stdout.count("PASSED") == 2
    return source / "dist"


@pytest.fixture(scope="module")
def from_wheel(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel in it, and all that the wheel asks for."""
    top = clean_environment(tmp_path_factory.mktemp("from-wheel"))
    wheel = next(built.glob("*.whl"))
    subprocess.run([top / "bin" / "pip", "install", "--quiet", wheel], check=True)
    return top


def clean_environment(parent: Path) -> Path:
    top = parent / "clean"
    subprocess.run([sys.executable, "-m", "venv", top], check=True)
    return top


def quick_start(top: Path, stage: Path, *options: str) -> list[str]:
    """What the quick start prints with the library in an environment, away from the checkout."""
    done = subprocess.run(
        [top / "bin" / "python", *options, "-c", QUICK_START, stage],
        cwd=top.parent, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert not processes_within(stage / "packaged")
    shutil.rmtree(stage / "packaged")
    return done.stdout.splitlines()


def shipped_files() -> dict[str, bytes]:
    """What operators, uWSGI and the Python of a project read, by path in a checkout."""
    return {
        str(path.relative_to(CHECKOUT)): path.read_bytes()
        for top in SHIPPED
        for path in (CHECKOUT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def installed(path: str) -> str:
    """Where the wheel puts what is at this path in a checkout."""
    return path if path.startswith("backstage/") else f"backstage/{path}"


def test_wheel_and_sdist_hold_every_template(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = {name: wheel.read(name) for name in wheel.namelist()}
    shipped = shipped_files()
    assert {path: inside.get(installed(path)) for path in shipped} == shipped
    assert "backstage/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert shipped.keys() <= names


def test_the_wheel_brings_the_manual(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        [path] = [name for name in wheel.namelist() if name.endswith("backstage.1")]
        assert wheel.read(path) == (CHECKOUT / "docs" / "backstage.1").read_bytes()
    assert path.endswith(".data/data/share/man/man1/backstage.1")


def test_the_wheel_holds_every_module(built: Path) -> None:
    """Each package is listed in setup.cfg by hand."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = {name for name in wheel.namelist() if name.endswith(".py")}
    modules = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("backstage/**/*.py")}
    assert {name for name in inside if "/scaffolds/" not in name} == {
        name for name in modules if "/scaffolds/" not in name
    }


def test_the_quick_start_runs_from_the_wheel_in_another_directory(
    from_wheel: Path, stage: Path
) -> None:
    module, *said = quick_start(from_wheel, stage, "-W", "error")
    assert said == ["200", "running"]
    assert module.startswith(str(from_wheel)), "not from the checkout"
    if shutil.which("man"):
        active = {"PATH": f"{from_wheel}/bin:/usr/bin:/bin"}
        page = subprocess.run(
            ["man", "-w", "backstage"], env=active, capture_output=True, text=True
        )
        assert page.stdout == f"{from_wheel}/share/man/man1/backstage.1\n", page.stderr


def test_without_a_compiler_the_command_of_the_readme_installs_it_from_the_sdist(
    built: Path, stage: Path, tmp_path: Path
) -> None:
    """Nothing of ours is compiled, and nothing is missing when it runs."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path / "sdist", filter="data")
    [source] = (tmp_path / "sdist").iterdir()
    [command] = [
        line.strip()
        for line in (source / "README.md").read_text().splitlines()
        if line.startswith("    pip install -r requirements/")
    ]
    clean = clean_environment(tmp_path)
    no_compiler = {**os.environ, "PATH": str(clean / "bin"), "CC": "/bin/false"}
    subprocess.run(command, shell=True, cwd=source, env=no_compiler, check=True)
    [site] = clean.glob("lib/python*/site-packages")
    assert [*site.glob("pyuwsgi-*.dist-info")]
    assert not [*site.glob("uwsgi-*.dist-info")]
    assert quick_start(clean, stage)[1:] == ["200", "running"]
    version = [clean / "bin" / "backstage", "--version"]
    assert "version 0.1.0" in subprocess.check_output(version, cwd=tmp_path, text=True)


def test_the_sdist_is_installed_as_it_is(built: Path, tmp_path: Path) -> None:
    """It becomes the very wheel that is built from it, for any machine."""
    clean = clean_environment(tmp_path)
    no_compiler = {**os.environ, "CC": "/bin/false"}
    pip = [clean / "bin" / "pip", "install", "--quiet", "--no-deps", next(built.glob("*.tar.gz"))]
    subprocess.run(pip, env=no_compiler, check=True)
    [site] = clean.glob("lib/python*/site-packages")
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        packaged = {name for name in wheel.namelist() if name.startswith("backstage/")}
        assert packaged
        assert all((site / name).read_bytes() == wheel.read(name) for name in packaged)
    [tag] = site.glob("django_backstage-*.dist-info/WHEEL")
    assert "Tag: py3-none-any\n" in tag.read_text()


def test_where_the_other_program_lies_over_it_the_command_says_so(
    from_wheel: Path, tmp_path: Path
) -> None:
    """What it says to type makes the command work again."""
    pip = [from_wheel / "bin" / "pip", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--ignore-installed", wheel_in(tmp_path)], check=True)
    backstage = from_wheel / "bin" / "backstage"
    for words in (["--version"], ["venues"], ["start", "--json", "blog"]):
        done = subprocess.run([backstage, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == Exit.SYSTEM, done.stderr
        assert done.stderr.startswith(f"✗ django_backstage {VERSION} is another, older program")
        assert "Traceback" not in done.stderr
    command = done.stderr.partition("Type: ")[2]
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([backstage, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "backstage, version 0.1.0\n", done.stderr
