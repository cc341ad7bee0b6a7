"""The shape of the code: which module may import which, and what has one home only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import backstage

PACKAGE = Path(backstage.__file__).parent

# From the bottom to the top: a module imports from its own layer or from those above it here.
LAYERS = {
    "words": {"errors", "states", "events", "snapshots", "findings"},
    "pure": {
        *("names", "paths", "settings", "vassal", "deadlines", "reasons", "histories", "agenda"),
        *("rates", "stamps", "dotenv", "secrecy", "units", "seals"),
        *("nginx.hostnames", "nginx.confs", "nginx.grants", "nginx.sites", "nginx.renderings"),
    },
    "effects": {
        *("equipment", "premises", "bindings", "limits", "checkups", "deployments"),
        "examinations",
        *("files", "locks", "logs", "templates", "processes", "ports", "probes", "stats", "host"),
        *("interpreters", "distributions", "copies", "virtualenvs", "sources", "emperor"),
        *("projects", "vassal_files", "scripts", "rehearsals", "diagnosis", "survey", "lookout"),
        *("watch", "alarms", "questions", "edits", "causes", "observer", "streams"),
        "journals",
        *("environments", "rewrites"),
        *("accounts", "errands", "systemd", "launches"),
        *("nginx.server", "nginx.builds", "nginx.places", "nginx.certificates"),
        *("nginx.targets", "nginx.shares"),
    },
    "domain": {
        *("act", "batches", "venue", "new_venues", "new_acts"),
        *("services", "nginx.plans", "nginx.domains", "nginx.inspections"),
    },
    "faces": {"shortcuts", "cli"},
}
HEIGHT = {module: height for height, modules in enumerate(LAYERS.values()) for module in modules}
HOMES = {
    "subprocess": "processes",
    "psutil": "processes",
    "yaml": "settings",
    "filelock": "locks",
    "packaging": "distributions",
    "python_discovery": "interpreters",
    "uv": "virtualenvs",
    "fcntl": "files",
    "watchdog": "watch",
    "click": "cli",
    "rich": "cli",
}


# The command counts as one module; the modules of the other packages below have names with a dot.
PACKAGES = {"cli", "nginx"}


def trees() -> list[tuple[str, ast.Module]]:
    """The modules of the package by name; all of the command's are `cli`."""
    below = [(package, path) for package in PACKAGES for path in (PACKAGE / package).glob("*.py")]
    every = [*(("", path) for path in PACKAGE.glob("*.py")), *below]
    return [
        (name_of(package, path), from_above(package, ast.parse(path.read_text(encoding="utf-8"))))
        for package, path in sorted(every)
        if path.stem != "__init__"
    ]


def name_of(package: str, path: Path) -> str:
    return "cli" if package == "cli" else ".".join(filter(None, [package, path.stem]))


def from_above(package: str, tree: ast.Module) -> ast.Module:
    """A module of a package below, with its relative imports as seen from the top."""
    for node in ast.walk(tree) if package else ():
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            node.module = ".".join(filter(None, [package, node.module]))
        elif isinstance(node, ast.ImportFrom) and node.level > 1:
            node.level -= 1
    return tree


def imported(node: ast.AST) -> Iterator[str]:
    """Absolute names of what one import statement imports; nothing for any other node."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(filter(None, ["backstage" if node.level else "", node.module]))
        if base in {"backstage", *(f"backstage.{package}" for package in PACKAGES)}:
            yield from (f"{base}.{alias.name}" for alias in node.names)
        else:
            yield base


def neighbours(tree: ast.AST) -> set[str]:
    """The modules of the package that a piece of code imports, wherever it does so."""
    names = [name for node in ast.walk(tree) for name in imported(node)]
    within = [name.split(".")[1:] for name in names if name.startswith("backstage.")]
    return {".".join(parts[:2]) if parts[0] in PACKAGES - {"cli"} else parts[0] for parts in within}


def test_every_module_has_its_layer() -> None:
    assert {name for name, _ in trees()} == set(HEIGHT)


@pytest.mark.parametrize(("name", "tree"), trees(), ids=[name for name, _ in trees()])
def test_imports_point_down(name: str, tree: ast.Module) -> None:
    assert not {other for other in neighbours(tree) if HEIGHT[other] > HEIGHT[name]}


def test_nobody_imports_the_command_but_itself() -> None:
    assert {name for name, tree in trees() if "cli" in neighbours(tree)} == {"cli"}


def test_imports_go_in_no_circle() -> None:
    TopologicalSorter({name: neighbours(tree) - {"cli"} for name, tree in trees()}).prepare()


@pytest.mark.parametrize("layer", ["words", "pure"])
def test_words_and_pure_modules_touch_nothing(layer: str) -> None:
    """What they decide follows from their arguments alone; only settings read their own file."""
    effects = {"os", "subprocess", "socket", "shutil", "signal", "psutil", "tempfile", "threading"}
    for name, tree in trees():
        if name in LAYERS[layer]:
            used = {each.partition(".")[0] for node in ast.walk(tree) for each in imported(node)}
            assert not used & effects, name


@pytest.mark.parametrize(("library", "home"), HOMES.items())
def test_each_effect_has_one_home(library: str, home: str) -> None:
    users = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        for each in imported(node)
        if each.partition(".")[0] == library
    }
    assert users == {home}


def test_our_own_modules_are_imported_at_the_top_of_a_file() -> None:
    """Only what must be quick to import, or is seldom needed, waits until it is called."""
    hidden = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and neighbours(node)
    }
    assert hidden == {
        *("causes", "emperor", "host"),
        *("journals", "shortcuts", "sources", "streams", "venue"),
    }
