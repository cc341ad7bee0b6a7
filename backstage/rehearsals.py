"""Whether a vassal file that was edited can work, tried without disturbing the Act that runs."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Timer

from . import ports, processes, vassal
from .emperor import uwsgi_of
from .paths import ActPaths, VenuePaths
from .vassal import VassalFile

# What a rehearsal takes at most, in seconds; one that hangs tells nothing.
_PATIENCE = 3.0
_INCLUDES = frozenset({"ini", "include"})
# uWSGI does these the moment it reads them, in a dry run too: they end, signal or start others,
# wait for a lock that the running Act has, or bring in options that are not seen here.
_ACTING = frozenset(
    {
        *("stop", "reload", "pause", "suspend", "resume", "signal", "fallback-config", "exit"),
        *("flock", "flock-wait", "connect-and-read", "extract", "dlopen", "build-plugin"),
        *("binary-append-data", "inject-before", "inject-after", "config", "xml", "xmlconfig"),
        *("yaml", "yml", "json", "js", "ini-paste", "ini-paste-logged"),
        *("ldap", "sqlite", "sqlite3"),
    }
)
_LOGIC = re.compile(r"if(-|env|exists|plugin|dir)|for\b")
# Their values uWSGI judges as soon as it is given them, and does nothing else with them.
_JUDGED = frozenset(
    {
        *("static-map", "static-map2", "chmod-socket", "logfile-chmod", "cron", "unique-cron"),
        *("smart-attach-daemon", "smart-attach-daemon2", "attach-daemon2", "https", "https-socket"),
        *("route", "route-uri", "route-host", "route-if", "route-if-not", "route-run"),
    }
)
_NUMBERS = frozenset(
    {
        *("processes", "workers", "threads", "listen", "harakiri", "buffer-size", "cheaper"),
        *("post-buffering", "max-requests", "reload-mercy", "worker-reload-mercy"),
    }
)
_FILES = ("wsgi-file", "file")
_MODULES = ("module", "wsgi")
_HOMES = ("virtualenv", "home", "venv", "pyhome")
_PYTHON_PATHS = ("pythonpath", "python-path", "pp")
_APPLICATION = ("chdir", *_FILES, *_MODULES, *_HOMES, *_PYTHON_PATHS)
_MODULE = re.compile(r"(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)(:|\Z)")
# What only uWSGI can fill in: variables, contents of files, sums, and names in other schemes.
_OUTSIDE = re.compile(r"[$@]\(|%\([^)]* |://|%[a-zA-Z\[]")
_PLACEHOLDER = re.compile(r"%\([^)]+\)")
_OPTION = re.compile(r"^ +(?:-.\|)?--(\S+)", re.MULTILINE)
_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:,]*):(?P<port>\d*)")
_NUMBER = re.compile(r"\d+")
_UNKNOWN = re.compile(r"\[strict-mode\] unknown config directive: (?P<key>.*)")
_NOISE = re.compile(r"\[uWSGI\] getting |\[uwsgi-static\] added |\*\*\* WARNING")
_SOURCE = re.compile(r" \[\w+/\w+\.c line \d+\]$")
_NO = frozenset({"false", "off", "no", "0"})
_PLUGINS = ("plugin", "plugins", "need-plugin", "need-plugins", "autoload")
_HIGHEST_PORT = 65535
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
# Parents are imported, the module itself is not. Only a module that is missing is told.
_FIND = """
import importlib.util, sys
module = sys.argv[1]
sys.path[:0] = sys.argv[2:]
try:
    missing = importlib.util.find_spec(module) is None
except ModuleNotFoundError as error:
    missing = f"{module}.".startswith(f"{error.name}.")
except BaseException:
    missing = False
print("missing" if missing else "found")
"""


class _Fault(Exception):
    """Raised when something is found that cannot work; says where and what."""


@dataclass(frozen=True)
class _Line:
    """An option of a vassal file or of what it includes, with `%n`, `%d` and the like spelt out.

    `unread` says why the file that it includes could not be read.
    """

    place: str
    key: str
    value: str
    unread: str = ""

    def fault(self, what: str) -> _Fault:
        return _Fault(f"{self.place}: {what}")

    @property
    def hides(self) -> bool:
        """Whether uWSGI would do more for it than to read an ini, or read what is not seen here."""
        elsewhere = "://" in self.value and (self.key in _INCLUDES or "@(" in self.value)
        # A section alone means the file that uWSGI opened last, which need not be this one.
        elsewhere |= self.key in _INCLUDES and self.value.startswith(":")
        foreign = self.key == "include" and not self.value.endswith(".ini")
        set_key = self.value.partition("=")[0] if self.key == "set" else self.key
        return set_key in _ACTING or elsewhere or foreign


@dataclass(frozen=True)
class _Script:
    """All that uWSGI reads for a vassal, in its order."""

    lines: tuple[_Line, ...]

    @cached_property
    def names(self) -> dict[str, str]:
        return vassal.names((line.key, line.value) for line in self.lines)

    @cached_property
    def branches(self) -> bool:
        """Whether some of its lines may count and others not."""
        return any(_LOGIC.match(line.key) for line in self.lines)

    def value(self, line: _Line) -> str:
        """The value of a line with its placeholders filled in."""
        return vassal.filled(line.value, self.names)

    def all(self, *keys: str) -> list[_Line]:
        return [line for line in self.lines if line.key in keys]

    def last(self, *keys: str) -> _Line | None:
        """The line that counts of options that mean the same."""
        return next(iter(self.all(*keys)[::-1]), None)

    def values(self, *keys: str) -> list[tuple[str, str]]:
        return [(line.key, self.value(line)) for line in self.all(*keys)]

    def path(self, base: Path, *keys: str) -> tuple[_Line, Path] | None:
        """The line that counts, with the path from `base` that it names, if both can be known."""
        line = self.last(*keys)
        if line is None or _OUTSIDE.search(self.value(line)):
            return None
        if missing := _PLACEHOLDER.search(self.value(line)):
            raise line.fault(f"nothing sets the placeholder {missing[0]}")
        return line, Path(os.path.normpath(base / self.value(line)))

    def addresses(self) -> Iterator[tuple[_Line, str, re.Match[str]]]:
        """Lines that bind a TCP port, their values, and what is host and port in them."""
        for line in self.lines:
            value = self.value(line) if line.key in vassal.SOCKETS else ""
            if line.key in vassal.PLACEHOLDERS and line.value.startswith("port="):
                value = f"127.0.0.1:{line.value[5:]}"
            match = _PORT.match(value)
            if match and "/" not in match["host"] and not _OUTSIDE.search(value):
                yield line, value, match


def fault(paths: ActPaths, running: VassalFile | None = None) -> str:
    """Why the Act's vassal file, as it is on disk now, cannot work; '' where it may work.

    One line, which names the line of the file. `running` is the file that the running vassal was
    started from: ports that it has already are not asked for again, and only what differs from it
    is tried in slow ways.
    """
    try:
        data = paths.vassal.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"vassals/{paths.vassal.name} cannot be read: {error.strerror}"
    try:
        script = _script(paths, _text(paths, data))
        before = _script(paths, running.text) if running else _Script(())
        if not script.branches:
            _refuse_numbers(script)
        _read_by_uwsgi(paths, script)
        if not script.branches:
            _refuse_values(paths, script, before)
            _refuse_ports(script, before)
            _refuse_application(paths.venue, script, before)
    except _Fault as found:
        return str(found)
    return ""


def _text(paths: ActPaths, data: bytes) -> str:
    file = f"vassals/{paths.vassal.name}"
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Fault(f"{file}, line {line}: byte {data[error.start]:#x} is not UTF-8") from error
    if not vassal.settings(text):
        raise _Fault(
            f"{file}, line 1: nothing in a section [uwsgi]" if text else f"{file} is empty"
        )
    return text


def _script(paths: ActPaths, text: str) -> _Script:
    return _Script(tuple(_lines(paths, text, [(paths.vassal, "uwsgi")])))


def _lines(paths: ActPaths, text: str, chain: list[tuple[Path, str]]) -> Iterator[_Line]:
    """The options of the last file of a chain of inclusions, and of what it includes itself."""
    file, section = chain[-1]
    signs = vassal.signs_of(file, paths.vassal)
    shown = os.path.relpath(file, paths.venue.top) if paths.venue.top in file.parents else file
    for number, key, written in vassal.settings(text, section):
        line = _Line(f"{shown}, line {number}", key, vassal.magic(written, signs))
        if key not in _INCLUDES or line.hides:
            yield line
            continue
        # uWSGI reads it at once, before it fills in any placeholder.
        name, _, other = line.value.partition(":")
        included = Path(os.path.normpath(paths.venue.vassals / name))
        try:
            content = included.read_bytes().decode(errors="replace")
        except OSError as error:
            yield replace(line, unread=str(error.strerror))
            continue
        inner = (included, other or "uwsgi")
        if inner in chain:
            raise line.fault(f"{line.value} includes itself")
        yield line
        yield from _lines(paths, content, [*chain, inner])


def _read_by_uwsgi(paths: ActPaths, script: _Script) -> None:
    """Let uWSGI read the file, and apply nothing of it: what it reads, it only complains about.

    Were its options applied, then `vacuum` would remove the sockets of the running Act.
    """
    unread = next((line for line in script.lines if line.unread), None)
    if unread and not script.branches:
        late = "; uWSGI fills in no placeholders here" if "%(" in unread.value else ""
        raise unread.fault(f"cannot read {unread.value}: {unread.unread}{late}")
    if unread or any(line.hides for line in script.lines):
        return
    binary = uwsgi_of(paths.venue)
    strict = script.last("strict")
    switches = ["--strict"] if strict and strict.value.lower() not in _NO else []
    words: list[str | Path] = [binary, *switches, "--version", "--ini", paths.vassal.name]
    status, said = _tried(words, paths.venue, paths.venue.vassals)
    if status == 1:
        raise _complaint(f"vassals/{paths.vassal.name}", script, said, binary)


def _complaint(file: str, script: _Script, said: str, binary: Path) -> _Fault:
    """What uWSGI said last, at the line that it most likely speaks of."""
    what = _last_words(said)
    if unknown := _UNKNOWN.search(what):
        key = unknown["key"]
        likely = get_close_matches(key, _options(binary), n=1, cutoff=0.75)
        hint = f"; did you mean '{likely[0]}'?" if likely else ""
        line = next(iter(script.all(key)), None)
        what = f"unknown option '{key}'{hint}"
    else:
        line = next((line for line in script.lines if _speaks_of(what, line)), None)
    return line.fault(what) if line else _Fault(f"{file}: {what}")


def _speaks_of(what: str, line: _Line) -> bool:
    """Whether a complaint that names no line is likely to be about this one."""
    name = line.value.partition("=")[0]
    if line.key in vassal.PLACEHOLDERS:
        return f" {name} " in what or (" placeholder/" in what and "=" not in line.value)
    return f'"{line.key}"' in what or f'"{line.value}"' in what


def _last_words(said: str) -> str:
    words = [line for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    return _SOURCE.sub("", words[-1]) if words else "uWSGI refuses it"


@lru_cache
def _options(binary: Path) -> frozenset[str]:
    """The options that this uWSGI has."""
    _, said = _tried([binary, "--help"], VenuePaths(binary.parent.parent), binary.parent)
    return frozenset(_OPTION.findall(said))


def _refuse_numbers(script: _Script) -> None:
    for line in script.all(*_NUMBERS):
        value = script.value(line)
        if not _OUTSIDE.search(value) and not _NUMBER.match(value):
            raise line.fault(f"{line.key} wants a number, not '{value}'")
    queue = script.last("listen")
    most = int(_SOMAXCONN.read_text()) if _SOMAXCONN.exists() else 0
    if queue and (length := _NUMBER.match(queue.value)) and 0 < most < int(length[0]):
        raise queue.fault(f"the system allows {most} (net.core.somaxconn), not {length[0]}")


def _refuse_values(paths: ActPaths, script: _Script, before: _Script) -> None:
    """Let uWSGI judge what is new among the values that it judges without doing anything."""
    had = set(before.values(*_JUDGED))
    new = [
        (line, f"--{line.key}={script.value(line)}")
        for line in script.all(*_JUDGED)
        if (line.key, script.value(line)) not in had and not _OUTSIDE.search(script.value(line))
    ]
    if not new or script.all(*_PLUGINS):
        return
    binary = uwsgi_of(paths.venue)
    known = [(line, word) for line, word in new if line.key in _options(binary)]
    for group in (known, *([each] for each in known)):
        words: list[str | Path] = [binary, *(word for _, word in group), "--version"]
        status, said = _tried(words, paths.venue, paths.venue.vassals)
        if status == 1 and len(group) == 1:
            raise group[0][0].fault(_last_words(said))
        if status != 1 and group is known:
            return


def _refuse_ports(script: _Script, before: _Script) -> None:
    had = {match["port"] for _, _, match in before.addresses()}
    for line, value, match in script.addresses():
        if not match["port"]:
            raise line.fault(f"'{value}' names no port")
        port = int(match["port"])
        if port > _HIGHEST_PORT:
            raise line.fault(f"port {port} is above {_HIGHEST_PORT}")
        if match["port"] not in had:
            _refuse_port(line, vassal.Address(match["host"], port, line.key))


def _refuse_port(line: _Line, address: vassal.Address) -> None:
    if ports.in_use(address.port, address.bound_host):
        pid = processes.listener(address.port)
        holder = processes.describe(pid) if pid else "another program"
        raise line.fault(f"port {address.port} is held by {holder}")
    family = socket.AF_INET6 if ":" in address.bound_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address.bound_host, address.port))
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EADDRNOTAVAIL}:
                what = f"{address.bound_host}:{address.port} cannot be bound"
                raise line.fault(f"{what}: {error.strerror}") from error


def _refuse_application(venue: VenuePaths, script: _Script, before: _Script) -> None:
    if script.values(*_APPLICATION) == before.values(*_APPLICATION):
        return
    chdir = script.path(venue.vassals, "chdir")
    folder = chdir[1] if chdir else venue.vassals
    if chdir and not folder.is_dir():
        raise chdir[0].fault(f"no directory {folder}")
    home = script.path(venue.vassals, *_HOMES)
    if home and not home[1].is_dir():
        raise home[0].fault(f"no environment in {home[1]}")
    if script.last("chdir") and not chdir:
        return
    file = script.path(folder, *_FILES)
    if file and not file[1].is_file():
        raise file[0].fault(f"no file {file[1]}")
    python = home[1] / "bin" / "python" if home else venue.python
    if python.exists():
        _refuse_module(venue, script, folder, python)


def _refuse_module(venue: VenuePaths, script: _Script, folder: Path, python: Path) -> None:
    found = script.path(folder, *_MODULES)
    if found is None:
        return
    line, _ = found
    if match := _MODULE.match(script.value(line)):
        added = [str(folder / value) for _, value in script.values(*_PYTHON_PATHS)]
        words = [python, "-c", _FIND, match["name"], *added]
        status, said = _tried(words, venue, folder)
        if status == 0 and said.splitlines()[-1:] == ["missing"]:
            raise line.fault(f"no module '{match['name']}' in {folder}")


def _tried(words: Sequence[str | Path], venue: VenuePaths, cwd: Path) -> tuple[int, str]:
    """Run a program; its status, below 0 if it had to be ended, and what it said."""
    environment = processes.service_environment(venue.top)
    with processes.start(words, cwd=cwd, env=environment) as process:
        guard = Timer(_PATIENCE, process.kill)
        guard.start()
        try:
            said, _ = process.communicate()
        finally:
            guard.cancel()
    return process.returncode, said
