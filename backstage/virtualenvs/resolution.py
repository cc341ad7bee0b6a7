"""From what a project declares to one version of each package: by uv, wherever it can."""

from __future__ import annotations

from pathlib import Path

from ..errors import EnvironmentFailed, SettingsError
from ..system.files import contents
from . import (
    pdm_lock,
    pins,
    pipfile_lock,
    poetry_lock,
    requirement_files,
    toml_file,
    uv_reasons,
)
from .declared import Declared, Format, packages_of_lock
from .interpreters import Interpreter
from .pins import Pins
from .requirement_files import Line
from .tools import Uv


def resolve(
    declared: Declared, tree: Path, interpreter: Interpreter, uv: Uv, scratch: Path
) -> Pins:
    """What is to be installed for this interpreter; `scratch` is an empty directory.

    Raises EnvironmentFailed, SettingsError or OSError.
    """
    file = tree / declared.file
    environment = pins.environment_of(interpreter)
    match declared.format:
        case Format.UV:
            return _exported(declared, interpreter, uv, scratch / "exported.txt")
        case Format.PYLOCK:
            names = packages_of_lock(toml_file.read(file))
            return Pins(names=names - pins.BROUGHT, pylock=file)
        case Format.POETRY:
            return poetry_lock.read(file, environment, declared.groups, declared.extras)
        case Format.PDM:
            return pdm_lock.read(file, environment, (*declared.groups, *declared.extras))
        case Format.PIPENV:
            return pipfile_lock.read(file, environment)
        case Format.REQUIREMENTS:
            return _of_requirements(file, declared, interpreter, uv, scratch)
        case Format.PROJECT:
            return _compiled(file, [], declared, interpreter, uv, scratch)


def failure(file: Path, output: str, log: Path, lines: list[Line]) -> EnvironmentFailed:
    """The error for what uv said of what a file declares; `lines` are those of a requirements file.

    One of them may name an index in place of those that this machine has.
    """
    url = uv_reasons.unreachable(output)
    local = " or ".join(line.text for line in lines if line.is_local)
    reason = uv_reasons.reason(output, local or "the project")
    culprit = next((line for line in lines if line.index and _is_below(url, line.index)), None)
    if culprit is None:
        told = f"cannot install what {file} declares: {reason}"
    else:
        told = (
            f"{culprit.file}, line {culprit.number}: {reason}. The line "
            "overrides the index of this machine; correct it, or remove it"
        )
    failed = EnvironmentFailed(f"{told}; the whole log: {log}")
    failed.output = output
    return failed


def lines_of(declared: Declared, tree: Path) -> list[Line]:
    """The lines of a requirements file; none of other files. Raises SettingsError."""
    is_one = declared.format is Format.REQUIREMENTS
    return requirement_files.read(tree / declared.file) if is_one else []


def _is_below(url: str, index: str) -> bool:
    """Whether a URL is one of an index; credentials are not printed."""
    return bool(url) and _host(url) == _host(index)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _exported(declared: Declared, interpreter: Interpreter, uv: Uv, out: Path) -> Pins:
    done = uv.run(
        *("export", "--frozen", "--format", "requirements.txt", "--output-file", out),
        *("--no-header", "--no-annotate", "--no-editable", "--no-emit-project", "--quiet"),
        "--no-default-groups",
        *_choices(declared),
        "--python",
        interpreter.executable,
    )
    if done.returncode:
        raise failure(uv.directory / declared.file.name, done.stdout, uv.log, [])
    return _read_back(out)


def _of_requirements(
    file: Path, declared: Declared, interpreter: Interpreter, uv: Uv, scratch: Path
) -> Pins:
    lines = requirement_files.read(file)
    # Compiling would take the hashes that the index has now for those that were written down.
    if any(line.has_hash for line in lines):
        _refuse_unhashed(lines)
        return pins.of_lines(lines)
    return _compiled(file, lines, declared, interpreter, uv, scratch)


def _refuse_unhashed(lines: list[Line]) -> None:
    for line in lines:
        if not (line.is_option or line.has_hash or line.is_local or line.name in pins.BROUGHT):
            why = f"{line.text!r} has no hash, while others have one; pin it with its hash too"
            raise SettingsError(line.file, line.number, why)


def _compiled(
    file: Path,
    lines: list[Line],
    declared: Declared,
    interpreter: Interpreter,
    uv: Uv,
    scratch: Path,
) -> Pins:
    out, without = scratch / "compiled.txt", scratch / "without.txt"
    # A marker that is never true leaves a package out of the resolution.
    without.write_text("".join(f"{name}; python_version < '0'\n" for name in sorted(pins.BROUGHT)))
    choices = _choices(declared) if declared.format is Format.PROJECT else []
    done = uv.run_online_first(
        *("pip", "compile", file, "--output-file", out, "--overrides", without),
        *("--generate-hashes", "--no-header", "--no-annotate", "--quiet"),
        *("--emit-index-url", "--emit-find-links", "--emit-build-options"),
        *choices,
        "--python",
        interpreter.executable,
    )
    if done.returncode:
        raise failure(file, done.stdout, uv.log, lines)
    return _read_back(out)


def _choices(declared: Declared) -> list[str]:
    extras = [word for name in declared.extras for word in ("--extra", name)]
    return [*extras, *(word for name in declared.groups for word in ("--group", name))]


def _read_back(file: Path) -> Pins:
    return pins.of_lines(requirement_files.lines_of(contents(file).decode(), file))
