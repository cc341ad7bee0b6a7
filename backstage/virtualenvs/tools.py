"""The tools that create and fill virtual environments: virtualenv, uv, pip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import EnvironmentFailed
from ..facts.command_line import join
from ..system import programs
from .interpreters import Interpreter


@contextmanager
def making(top: Path, interpreter: Interpreter, *, seeded: bool = True) -> Iterator[None]:
    """Create a virtual environment at `top` while the body runs, with pip if it is `seeded`.

    What is installed there stays. Raises EnvironmentFailed.
    """
    # In a separate process, because importing virtualenv takes longer than its work.
    command = [
        *(sys.executable, "-m", "virtualenv", "--python", str(interpreter.executable)),
        *("--no-download", "--no-periodic-update", "--no-setuptools", "--no-vcs-ignore"),
        *([] if seeded else ["--no-seed"]),
        str(top),
    ]
    with programs.start(command, cwd=top.parent, env=programs.tool_environment()) as work:
        yield
        output, _ = work.communicate()
    if work.returncode:
        raise EnvironmentFailed(f"virtualenv could not create {top}", output)
    # The tag tells backup programs to skip the directory, which here is the whole Venue.
    (top / "CACHEDIR.TAG").unlink(missing_ok=True)


@dataclass(frozen=True)
class Uv:
    """uv in a directory of a project, whose settings it follows; what it says is kept in `log`."""

    directory: Path
    log: Path

    def run(self, *words: str | Path) -> programs.Done:
        """Run one command to completion. Raises OSError if the log cannot be written."""
        from uv import find_uv_bin

        command = list(map(str, [find_uv_bin(), *words, "--no-progress", "--color", "never"]))
        # It would fetch a Python that nobody has asked for.
        environment = {**programs.tool_environment(), "UV_PYTHON_DOWNLOADS": "never"}
        done = programs.run(command, cwd=self.directory, env=environment)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {join(command)}\n{done.stdout}\n")
        return done

    def run_offline_first(self, *words: str | Path) -> programs.Done:
        """Run a command with what the cache has, and with the index if that is not enough."""
        done = self.run(*words, "--offline")
        is_short = done.returncode and "network" in done.stdout.lower()
        return self.run(*words) if is_short else done

    def run_online_first(self, *words: str | Path) -> programs.Done:
        """Run a command with the index or, where that fails, with what the cache has."""
        done = self.run(*words)
        if done.returncode == 0:
            return done
        offline = self.run(*words, "--offline")
        return done if offline.returncode else offline


def install(top: Path, requirements: Sequence[str] | Path) -> None:
    """Install a list of requirements or a requirements file.

    From uv's cache if it has everything, else from the index. Raises EnvironmentFailed.
    """
    if not isinstance(requirements, Path):
        _uv_install(top, list(requirements), offline_first=True)
    elif requirements.is_file():
        _uv_install(top, ["-r", str(requirements)], offline_first=True)
    else:
        raise EnvironmentFailed(f"there is no requirements file {requirements}")


def install_newest(top: Path, requirements: list[str]) -> None:
    """Install from the index or, if it is unreachable, from uv's cache; or EnvironmentFailed."""
    _uv_install(top, requirements, offline_first=False)


def compile_uwsgi(top: Path) -> bool:
    """Compile and install uWSGI for the environment at `top`; return whether that worked."""
    if not any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")):
        return False
    # Without pip's cache, whose wheels do not distinguish two builds of one Python version. Not
    # with uv, which would link with the flags of the first Python that it built for.
    command: list[str | Path] = [top / "bin" / "python", "-m", "pip", "install", "--no-cache-dir"]
    return programs.run([*command, "uwsgi"], env=programs.tool_environment()).returncode == 0


def compile_bytecode(top: Path, site_packages: Path) -> None:
    """Compile all modules now; without bytecode, Django takes three times as long to start."""
    programs.run([top / "bin" / "python", "-m", "compileall", "-q", "-j0", site_packages])


def _uv_install(top: Path, wanted: list[str], *, offline_first: bool) -> None:
    from uv import find_uv_bin

    command = [
        find_uv_bin(),
        *("pip", "install", "--quiet", "--python", str(top / "bin" / "python")),
        # With hard links into uv's cache, an edit in one Venue would change all of them.
        *("--link-mode", "copy", "--compile-bytecode"),
        *wanted,
    ]
    tries = [[*command, "--offline"], command]
    outputs = []
    for attempt in tries if offline_first else reversed(tries):
        tried = programs.run(attempt, env=programs.tool_environment())
        if tried.returncode == 0:
            return
        outputs.append(tried.stdout)
    online = outputs[-1] if offline_first else outputs[0]
    raise EnvironmentFailed(
        f"cannot install {' '.join(wanted)} into {top}: neither the cache nor the package index "
        "has it, or the index is unreachable; check the network and the names, then try again",
        online,
    )
