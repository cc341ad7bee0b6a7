"""The shape of the code: which package may import which, and what has one home only."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import backstage

PACKAGE = Path(backstage.__file__).parent
TESTS = Path(__file__).parent

# From the bottom to the top: each imports only what stands above it in this list.
ORDER = (
    "facts",
    "errors",
    "system",
    "layout",
    "systemd",
    "logs",
    "sources",
    "virtualenvs",
    "uwsgi",
    "kinds",
    "projects",
    "status",
    "events",
    "doctor",
    "act",
    "batches",
    "venue",
    "sharing",
    "watcher",
    "nginx",
    "operations",
    "shortcuts",
    "cli",
)
# The one module or package that may use a library, and what each of them is for.
HOMES = {
    "subprocess": "system.programs",
    "psutil": "system",
    "yaml": "layout.yaml_file",
    "filelock": "system.locks",
    "idna": "nginx.hostnames",
    "packaging": "virtualenvs",
    "python_discovery": "virtualenvs.interpreters",
    "uv": "virtualenvs.tools",
    "fcntl": "system.files",
    "watchdog": "system.inotify",
    "apprise": "watcher.sender",
    "click": "cli",
    "rich": "cli",
}
EFFECTS = {"os", "subprocess", "socket", "shutil", "psutil", "tempfile", "threading"}
# Decide by their arguments alone.
PURE = (
    *("errors", "facts", "events.event", "events.history", "doctor.finding"),
    *("layout.names", "layout.paths", "system.seals", "systemd.unit", "logs.timestamps"),
    *(
        "uwsgi.ini",
        "uwsgi.log_reasons",
        "kinds",
        "status.failures",
        "status.trial_report",
        "projects.dotenv",
        "projects.masking",
        "projects.python_source",
        "projects.health_paths",
    ),
    *("sources.refs", "sources.urls", "sources.limits", "sources.fetched"),
    *("nginx.hostnames", "nginx.config_parser", "nginx.env_changes", "nginx.site"),
    "nginx.rendering",
)


@cache
def trees() -> dict[str, ast.Module]:
    """Every module by its name below the package, as `uwsgi.ini`; `__init__` as its package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
        if (name := name_of(path)) and "scaffolds" not in path.parts
    }


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def package_of(module: str) -> str:
    """The row of ORDER that a module stands in."""
    return module.partition(".")[0]


def is_within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def imported(module: str, node: ast.AST) -> Iterator[str]:
    """Absolute names of what one import statement of a module imports; of other nodes nothing."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = ["backstage", *module.split(".")]
        here = above[: len(above) - node.level + is_package(module)] if node.level else []
        base = ".".join([*here, *filter(None, [node.module])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


def is_package(module: str) -> bool:
    return (PACKAGE / module.replace(".", "/")).is_dir()


def uses(module: str, code: ast.AST) -> set[str]:
    """The modules of ours that a piece of code imports, wherever it does so."""
    names = [name for node in ast.walk(code) for name in imported(module, node)]
    below = [name.removeprefix("backstage.") for name in names if name.startswith("backstage.")]
    return {name if name in trees() else name.rpartition(".")[0] for name in below} - {""}


def libraries(module: str) -> set[str]:
    tree = trees()[module]
    names = {name for node in ast.walk(tree) for name in imported(module, node)}
    return {name.partition(".")[0] for name in names}


def test_every_module_has_its_place_in_the_order() -> None:
    assert {package_of(name) for name in trees()} == set(ORDER)


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_one_way(package: str) -> None:
    allowed = ORDER[: ORDER.index(package) + 1]
    wrong = {
        (name, other)
        for name, tree in trees().items()
        if package_of(name) == package
        for other in uses(name, tree)
        if package_of(other) not in allowed
    }
    assert not wrong


def test_imports_go_in_no_circle() -> None:
    TopologicalSorter({name: uses(name, tree) for name, tree in trees().items()}).prepare()


def test_pure_modules_touch_nothing() -> None:
    """What they decide follows from their arguments alone."""
    pure = [name for name in trees() if any(is_within(name, place) for place in PURE)]
    assert not {name: libraries(name) & EFFECTS for name in pure if libraries(name) & EFFECTS}
    assert all(any(is_within(name, place) for name in trees()) for place in PURE)


@pytest.mark.parametrize(("library", "home"), HOMES.items())
def test_each_effect_has_one_home(library: str, home: str) -> None:
    users = {name for name in trees() if library in libraries(name)}
    assert users
    assert not {name for name in users if not is_within(name, home)}


def test_modules_are_imported_at_the_top_of_a_file() -> None:
    """What is to be quick declares there what it imports late; `shortcuts` imports nothing else."""
    hidden = {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and uses(name, node)
    }
    assert hidden == {"shortcuts"}


# What these read bare, nobody but this user, root or the kernel can have put there.
_READ_BARE = {
    "system": "the kernel's files, and the functions that others read by",
    "layout.shipped_files": "files of this library",
    "layout.registry": "the register in the user's own home",
    "virtualenvs": "the environment of this library, and the cache in the user's own home",
    "sources.directories": "the user's own project, without following links",
    "sources.archives": "writes, without following links",
    "sources.packages": "writes what is not there yet",
    "sources.tree": "what was fetched, without following links",
    "projects.ask": "programs of this library",
    "uwsgi.dry_run": "a program of this library, and the kernel's files",
    "uwsgi.loaded": "writes, without following links",
    "uwsgi.reloading": "writes into a pipe, without following links",
    "status.evidence": "the kernel's files",
    "uwsgi.left_behind": "the kernel's files",
    "doctor.limits": "the kernel's files",
    "doctor.emperor": "the kernel's files",
    "systemd.client": "units",
    "nginx": "nginx's own configuration and processes",
    "operations.outside": "sites and units",
    "operations.install_unit": "units",
    "watcher.door": "a directory, without following links",
    "watcher.event_log": "appends, without following links",
    "watcher.emperor_log": "truncates, without following links",
    "cli.program": "/dev/null",
    "layout.host_ports": "without following links, and only what its owner can have written",
    "cli.streams": "/dev/null, and the standard streams by their numbers",
    "cli.commands.nginx": "a site",
    "cli.commands.edit": "the copy that is edited, in a directory of its own",
}


def reads_bare(module: str) -> bool:
    """Whether a module opens files by a path in another way than `system.files` does."""
    calls = (node for node in ast.walk(trees()[module]) if isinstance(node, ast.Call))
    for call in calls:
        name = ast.unparse(call.func)
        has_mode = bool(call.args) and isinstance(call.args[0], ast.Constant)
        if name in {"open", "os.open"} or name.endswith((".read_text", ".read_bytes")):
            return True
        if name.endswith(".open") and has_mode:
            return True
    return False


def test_what_others_may_have_replaced_is_not_opened_bare() -> None:
    """A pipe would keep its reader waiting, and a link would show what only its reader may see."""
    bare = {name for name in trees() if reads_bare(name) and ".inside." not in name}
    unknown = {name for name in bare if not any(is_within(name, place) for place in _READ_BARE)}
    assert unknown == set()
    assert {
        place for place in _READ_BARE if not any(is_within(name, place) for name in bare)
    } == set()


def lazy_modules(module: str) -> Iterator[tuple[set[str], set[str]]]:
    """What `lazy.module` gives at run time, and what the type checker is told: `name = module`."""
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.If) and node.orelse:
            given = set(map(ast.unparse, node.orelse))
            if any("lazy.module(" in line for line in given):
                yield given, {line for told in node.body for line in _as_lazy(module, told)}


def _as_lazy(module: str, node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias, name in zip(node.names, imported(module, node), strict=True):
            yield f"{alias.asname or alias.name} = lazy.module({name!r})"


def test_modules_imported_late_are_those_that_the_type_checker_knows() -> None:
    found = [pair for name in trees() for pair in lazy_modules(name)]
    assert len(found) >= 5
    assert not [given - told for given, told in found if not given <= told]


def test_what_runs_in_the_python_of_a_project_is_imported_by_nothing() -> None:
    """What it imports is the project's: another Django, perhaps on another Python."""
    inside = {name for name in trees() if ".inside." in name}
    assert {package_of(name) for name in inside} == {"projects", "uwsgi"}
    assert not {name for name, tree in trees().items() if uses(name, tree) & inside}


def test_tests_mirror_the_packages() -> None:
    """The tests of `backstage/uwsgi/ini.py` are `tests/uwsgi/test_ini.py`; `integration` apart."""
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name[0] not in "_."}
    assert folders - {"integration"} <= set(ORDER)


def test_every_package_is_installed() -> None:
    """setup.cfg lists them; what it maps into the package from beside it holds no code."""
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg", encoding="utf-8")
    listed = set(setup["options"]["packages"].split())
    there = {
        ".".join(path.relative_to(PACKAGE.parent).parent.parts)
        for path in PACKAGE.rglob("*.py")
        if "scaffolds" not in path.parts
    }
    assert listed - {"backstage.emperor", "backstage.vassal_templates"} == there
