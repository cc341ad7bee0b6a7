"""The static files of a project that Node builds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .tree import Tree, parent, words_of

# The lock file of each tool, and how the tool installs what that pins, and builds.
_TOOLS = {
    "package-lock.json": "npm ci && npm run build",
    "npm-shrinkwrap.json": "npm ci && npm run build",
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile && pnpm run build",
    "yarn.lock": "yarn install --frozen-lockfile && yarn run build",
}
_WITHOUT_LOCK = "npm install && npm run build"
_CONFIGURATIONS = re.compile(
    r"(?:vite|webpack|rollup|esbuild)[\w.-]*\.(?:[cm]?[jt]s)|angular\.json"
)
_OUTPUT = re.compile(
    r"""(?:outDir|outputPath|output\.path|outfile|dir)["']?\s*:\s*["']([\w./-]+)["']"""
    r"""|path(?:\.resolve|\.join)?\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*["']([\w./-]+)["']"""
    r"""|--outdir[= ]([\w./-]+)"""
)
_USUAL = ("dist", "build", "static/dist", "static/build", "assets/dist")
# Its own package is for something else than the pages.
_ELSEWHERE = frozenset({"docs", "doc", "tests", "test", "e2e", "example", "examples", "storybook"})


@dataclass(frozen=True)
class StaticBuild:
    """A `command` to run in a `directory` of the tree, unless one of `outputs` is there."""

    directory: str
    command: str
    outputs: tuple[str, ...]
    is_built: bool


def find(tree: Tree) -> StaticBuild | None:
    """The build that the shallowest package.json with a script `build` declares."""
    for file in tree.named("package.json"):
        if not words_of(file) & _ELSEWHERE and _builds(tree.text(file)):
            return _build(tree, parent(file), tree.text(file))
    return None


def _builds(text: str) -> bool:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        return False
    scripts = package.get("scripts") if isinstance(package, dict) else None
    return isinstance(scripts, dict) and isinstance(scripts.get("build"), str)


def _build(tree: Tree, directory: str, package: str) -> StaticBuild:
    inside = [file for file in tree.files if parent(file) == directory]
    names = {file.rpartition("/")[2]: file for file in inside}
    locks = (command for lock, command in _TOOLS.items() if lock in names)
    texts = [tree.text(names[name]) for name in names if _CONFIGURATIONS.fullmatch(name)]
    outputs = _outputs(directory, [package, *texts])
    return StaticBuild(directory, next(locks, _WITHOUT_LOCK), outputs, _is_there(tree, outputs))


def _outputs(directory: str, texts: list[str]) -> tuple[str, ...]:
    """What is built, as far as the configuration tells, else the usual directories."""
    found = [next(filter(None, groups)) for text in texts for groups in _OUTPUT.findall(text)]
    below = (f"{directory}/{name}".replace("/./", "/").strip("/") for name in found or _USUAL)
    return tuple(dict.fromkeys(each.removeprefix("./") for each in below if _is_output(each)))


def _is_output(path: str) -> bool:
    return not {"..", "node_modules"} & set(path.split("/"))


def _is_there(tree: Tree, outputs: tuple[str, ...]) -> bool:
    return any(
        file == each or file.startswith(f"{each}/") for each in outputs for file in tree.files
    )
