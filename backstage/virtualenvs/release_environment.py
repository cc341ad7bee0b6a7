"""The environment of one release: what its project declares, and a uWSGI of the same Python.

Its files are its own, but for those that it shares with the former release of the same Act by hard
links. None is linked with uv's cache: whoever edits it there would edit it in every Venue.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import EnvironmentFailed
from ..system import programs, umask
from ..system.files import contents, remove_tree, telling_disk_trouble, write_atomically
from . import cache, linking, python_wish, resolution
from .declared import Declared
from .distributions import Library
from .interpreters import Interpreter
from .pins import Pins
from .tools import Uv

# Written last: without it, an environment is not complete.
_RECORD = "built.json"


@dataclass(frozen=True)
class Built:
    """A complete environment; `django` is the version there, '' if the project brings its own.

    `log` is the file with all that uv said.
    """

    top: Path
    interpreter: Interpreter
    django: str
    log: Path


def build(
    top: Path,
    tree: Path,
    declared: Declared,
    venue_python: Interpreter,
    *,
    former: Path | None = None,
) -> Built:
    """Build the environment at `top` for the project in `tree`, or return it if it is complete.

    With the Venue's Python, unless the project wishes for another. `former` is the environment of
    an earlier release of the same Act. All or nothing: raises EnvironmentFailed, SettingsError or
    CannotWrite, and leaves only the log, `top` with the suffix `.log`.
    """
    # uv runs in the project's directory.
    top, tree = top.absolute(), tree.absolute()
    log = top.with_name(f"{top.name}.log")
    with telling_disk_trouble(f"cannot build the environment {top}"), umask.closed():
        if complete := _Record.read(top):
            return complete.of(top, log)
        interpreter = python_wish.choose(declared.python, venue_python)
        with ExitStack() as undo:
            undo.callback(remove_tree, top)
            remove_tree(top)
            write_atomically(log, "", mode=0o600, sync=False)
            uv = Uv(tree / declared.directory, log)
            record = _Work(top, tree, declared, interpreter, uv).do(former)
            undo.pop_all()
    return record.of(top, log)


@dataclass(frozen=True)
class _Record:
    """What is noted of a complete environment; `fingerprint` tells whether it was changed."""

    digest: str
    fingerprint: str
    django: str
    executable: str
    version: tuple[int, int, int]
    build: str

    @classmethod
    def read(cls, top: Path) -> _Record | None:
        try:
            told = json.loads(contents(top / _RECORD))
            return cls(**{**told, "version": tuple(told["version"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def interpreter(self) -> Interpreter:
        return Interpreter(Path(self.executable), self.version, self.build)

    def of(self, top: Path, log: Path) -> Built:
        return Built(top, self.interpreter, self.django, log)


@dataclass(frozen=True)
class _Work:
    """One environment that is being built."""

    top: Path
    tree: Path
    declared: Declared
    interpreter: Interpreter
    uv: Uv

    @property
    def python(self) -> Path:
        return self.top / "bin" / "python"

    @property
    def file(self) -> Path:
        return self.tree / self.declared.file

    def do(self, former: Path | None) -> _Record:
        with tempfile.TemporaryDirectory(prefix="backstage-") as directory:
            scratch = Path(directory)
            pins = resolution.resolve(self.declared, self.tree, self.interpreter, self.uv, scratch)
            if "django" not in pins.names:
                self._refuse_without_django()
            source = cache.find(self.interpreter)
            digest = self._digest(pins, source)
            self._make()
            shared = self._share(former) if former else None
            is_all = shared is not None and shared.digest == digest
            if not is_all:
                self._sync(pins, scratch / "packages.txt")
                source.put_uwsgi(self.top, self.interpreter)
            has_local = self._install_local(pins, scratch / "local.txt")
        record = shared if shared and is_all and not has_local else self._record(digest)
        write_atomically(self.top / _RECORD, json.dumps(asdict(record)), mode=0o600)
        return record

    def _refuse_without_django(self) -> None:
        places = (self.tree, self.uv.directory, self.uv.directory / "src")
        if not any((place / "django" / "__init__.py").exists() for place in places):
            raise EnvironmentFailed(
                f"{self.file} declares no Django, and nothing that needs it; add it there, or name "
                "the file of the project that declares it"
            )

    def _make(self) -> None:
        """An empty environment, which can be moved with its Act."""
        python = self.interpreter.executable
        self._uv(self.uv.run("venv", "--relocatable", "--no-project", "--python", python, self.top))

    def _share(self, former: Path) -> _Record | None:
        """Share what a former environment has; None if it was changed or is of another Python."""
        record = _Record.read(former)
        if record is None or record.interpreter != self.interpreter:
            return None
        if record.fingerprint != linking.fingerprint(self.interpreter.site_packages(former)):
            return None
        linking.link_tree(former, self.top)
        return record

    def _sync(self, pins: Pins, file: Path) -> None:
        if pins.pylock is None:
            file.write_text("\n".join([*pins.options, *pins.packages, ""]))
        words = ["pip", "sync", pins.pylock or file, *self._how(), "--allow-empty-requirements"]
        self._uv(self.uv.run_offline_first(*words, *["--require-hashes"][: pins.are_hashed]))

    def _install_local(self, pins: Pins, file: Path) -> bool:
        """Install the parts of the tree, if any: anew, as they change without another version."""
        local = list(pins.local)
        if self.declared.with_project and not {".", "./", "-e ."}.intersection(local):
            local.append(".")
        if local:
            file.write_text("\n".join([*pins.options, *local, ""]))
            words = ["pip", "install", "--no-deps", "--reinstall", "-r", file, *self._how()]
            self._uv(self.uv.run_offline_first(*words))
        return bool(local)

    def _how(self) -> list[str | Path]:
        return ["--python", self.python, "--link-mode", "copy", "--compile-bytecode"]

    def _uv(self, done: programs.Done) -> None:
        if done.returncode:
            lines = resolution.lines_of(self.declared, self.tree)
            raise resolution.failure(self.file, done.stdout, self.uv.log, lines)

    def _record(self, digest: str) -> _Record:
        site_packages = self.interpreter.site_packages(self.top)
        django = Library(site_packages).get("django")
        if django is None:
            # It may be declared for other machines alone.
            self._refuse_without_django()
        return _Record(
            digest=digest,
            fingerprint=linking.fingerprint(site_packages),
            django=django.version if django else "",
            executable=str(self.interpreter.executable),
            version=self.interpreter.version,
            build=self.interpreter.build,
        )

    def _digest(self, pins: Pins, source: cache.ReadyEnvironment) -> str:
        """What is installed, but for the content of the tree itself."""
        pylock = contents(pins.pylock).decode() if pins.pylock else ""
        whole = f"{source.uwsgi} {self.declared.with_project}"
        listed = [*pins.options, *sorted(pins.packages), *sorted(pins.local)]
        told = "\n".join([self.interpreter.key, whole, pylock, *listed])
        return hashlib.sha256(told.encode()).hexdigest()
