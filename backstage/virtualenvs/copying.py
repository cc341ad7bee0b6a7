"""Copy the files of installed distributions from one environment to another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

# From site-packages (lib/python3.x/site-packages) to the top of an environment.
_TO_TOP = "../../../"
# The longest interpreter path that every kernel accepts in a `#!` line.
_SHEBANG_MAX = 127
# How installed scripts begin; the second form is for a path that is too long or has a space.
_PYTHON_SCRIPT = re.compile(
    rb"#![^\n]*\bpython[^\n]*\n|#!/bin/sh\n'''exec' [^\n]*python[^\n]*\n' '''\n"
)


def copy(files: Iterable[str], source: Path, top: Path, site_packages: Path) -> None:
    """Copy files, given relative to `source` as in a RECORD, into the environment at `top`.

    Scripts are changed to run the Python of `top`. Existing files are overwritten. Raises OSError.
    """
    pairs = [
        (os.path.join(source, name), target)
        for name in files
        if (target := _target(name, top, site_packages))
    ]
    for directory in sorted({os.path.dirname(target) for _, target in pairs}):
        _make_directory(directory)
    scripts = str(top / "bin") + os.sep
    for original, target in pairs:
        if original.endswith(".pyc") and not os.path.exists(original):
            continue
        _copy_file(original, target)
        if target.startswith(scripts):
            _adopt_script(Path(target), top / "bin" / "python")


def _target(name: str, top: Path, site: Path) -> str | None:
    base, inside = (top, name[len(_TO_TOP) :]) if name.startswith(_TO_TOP) else (site, name)
    # Absolute paths and others that leave the environment are not copied.
    if inside.startswith("/") or ".." in inside.split("/"):
        return None
    return os.path.join(base, inside)


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)


def _copy_file(original: str, target: str) -> None:
    # For thousands of small files, plain system calls take half the time of shutil.
    source = os.open(original, os.O_RDONLY)
    try:
        facts = os.fstat(source)
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, facts.st_mode & 0o777)
        try:
            while block := os.read(source, max(facts.st_size, 1)):
                view = memoryview(block)
                while view:
                    view = view[os.write(copy, view) :]
            # Bytecode is valid only if its source has exactly the same mtime.
            os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        finally:
            os.close(copy)
    finally:
        os.close(source)


def adopted(content: bytes, python: Path) -> bytes:
    """The content of a script of Python, changed to run this one; anything else as it is."""
    match = _PYTHON_SCRIPT.match(content)
    return _shebang(python) + content[match.end() :] if match else content


def _adopt_script(script: Path, python: Path) -> None:
    content = script.read_bytes()
    if (new := adopted(content, python)) != content:
        script.write_bytes(new)


def _shebang(python: Path) -> bytes:
    path = str(python)
    if len(path) + 2 <= _SHEBANG_MAX and " " not in path:
        return f"#!{path}\n".encode()
    return f"#!/bin/sh\n'''exec' \"{path}\" \"$0\" \"$@\"\n' '''\n".encode()
