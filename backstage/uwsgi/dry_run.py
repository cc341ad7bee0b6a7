"""Check whether an edited vassal file can work, without disturbing the running Act."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from ..facts.faults import Fault
from ..layout.paths import ActPaths, VenuePaths
from ..system import programs, sockets, users
from ..system.files import contents, write_atomically
from ..system.refusals import is_shortage
from . import includes, ini, log_reasons, owners
from .emperor import uwsgi_of
from .includes import Line, Script
from .ini import VassalFile

# Time limit of a dry run, in seconds; one that hangs proves nothing.
_PATIENCE = 3.0
# uWSGI checks the values of these options as soon as it parses them, and does nothing else yet.
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
WORKERS = ("processes", "workers", "p")
NO_WORKERS = "without workers it answers no request"
_FILES = ("wsgi-file", "file")
_MODULES = ("module", "wsgi")
_HOMES = ("virtualenv", "home", "venv", "pyhome")
_PYTHON_PATHS = ("pythonpath", "python-path", "pp")
_APPLICATION = ("chdir", *_FILES, *_MODULES, *_HOMES, *_PYTHON_PATHS)
_MODULE = re.compile(r"(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)(:|\Z)")
_OPTION = re.compile(r"^ +(?:-.\|)?--(\S+)", re.MULTILINE)
_NUMBER = re.compile(r"\d+")
# uWSGI would stop reading at anything else, and use the digits alone.
_AFTER_PORT = re.compile(r"\s*(,|\Z)")
_NOISE = re.compile(r"\[uWSGI\] getting |\[uwsgi-static\] added |\*\*\* WARNING")
_SOURCE = re.compile(r" \[\w+/\w+\.c line \d+\]$")
_PLUGINS = ("plugin", "plugins", "need-plugin", "need-plugins", "autoload")
_HIGHEST_PORT = 65535
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
_FIND = Path(__file__).parent / "inside" / "find_module.py"
_OPTIONS: dict[Path, frozenset[str]] = {}
# Shapes of scripts that each uWSGI has accepted, so that a changed value needs no new dry run.
_ACCEPTED: set[tuple[Path, tuple[tuple[str, str], ...]]] = set()


class _Found(Exception):
    """Raised when a check finds a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def fault(act_paths: ActPaths, running: VassalFile | None = None) -> Fault | None:
    """Why the Act's vassal file, as it is on disk now, cannot work; None if it may work.

    `running` is the file that the running vassal was started from: its ports are not checked again,
    and the slow checks cover only what differs from it. Raises OSError if the system has run out of
    something: that is no fault of the file.
    """
    try:
        data = contents(act_paths.vassal)
    except FileNotFoundError:
        return None
    except OSError as error:
        if is_shortage(error):
            raise
        return _whole(act_paths, f"the file cannot be read: {error.strerror}")
    return _judge(act_paths, data, running, act_paths.vassal)


def fault_in(text: str, act_paths: ActPaths, running: VassalFile | None = None) -> Fault | None:
    """Why the Act could not work if its vassal file had this text; otherwise like `fault`.

    uWSGI reads a copy in `run/`, which the Emperor does not watch. There is one copy per Act, so
    the caller must hold the Act's lock.
    """
    copy = act_paths.venue.run / act_paths.vassal.name
    data = text.encode(errors="surrogateescape")
    meant = _as_if_in_place(text, act_paths, copy).encode(errors="surrogateescape")
    try:
        # Readable by the Act's own user, as the vassal file is.
        write_atomically(copy, meant, mode=0o644)
        return _judge(act_paths, data, running, copy)
    finally:
        copy.unlink(missing_ok=True)


def _whole(act_paths: ActPaths, what: str, line: int | None = None) -> Fault:
    """A fault in the vassal file as a whole rather than in one option."""
    return Fault(f"vassals/{act_paths.vassal.name}", line, "", what)


def _as_if_in_place(text: str, act_paths: ActPaths, copy: Path) -> str:
    """Rewrite `text`, line by line, to mean in the copy what it would mean in `vassals/`."""
    signs = {
        sign: means.replace("%", "%%")
        for sign, means in ini.signs_of(act_paths.vassal, act_paths.vassal).items()
    }
    spelt = ini.magic(text, {**signs, "(": "%("})
    return _own_section(act_paths).sub(lambda found: f"{found[1]}{copy}:", spelt)


def _own_section(act_paths: ActPaths) -> re.Pattern[str]:
    """Matches an include of another section of the same vassal file, up to the section's name."""
    own = "|".join(re.escape(str(path)) for path in (act_paths.vassal, act_paths.vassal.name))
    return re.compile(rf"^([ \t]*(?:{'|'.join(includes.INCLUDES)})[ \t]*=[ \t]*)(?:{own}):", re.M)


def _judge(
    act_paths: ActPaths, data: bytes, running: VassalFile | None, file: Path
) -> Fault | None:
    """The fault in `data` as the Act's vassal file; `file` is where uWSGI can read it."""
    try:
        script = includes.read(act_paths.venue, act_paths.vassal, _text(act_paths, data))
        before = (
            includes.read(act_paths.venue, act_paths.vassal, running.text) if running else Script()
        )
        _refuse_includes(script)
        if not script.branches:
            _refuse_numbers(script)
        _read_by_uwsgi(act_paths, script, file)
        if not script.branches:
            _refuse_values(act_paths, script, before)
            _refuse_ports(act_paths, script, before)
            _refuse_application(act_paths, script, before)
    except _Found as found:
        return found.fault
    except OSError as error:
        if is_shortage(error):
            raise
        what = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
        return _whole(act_paths, f"the file cannot be checked: {what}")
    return None


def _text(act_paths: ActPaths, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte {data[error.start]:#x} is not UTF-8"
        raise _Found(_whole(act_paths, what, line)) from error
    if not text:
        raise _Found(_whole(act_paths, "the file is empty"))
    if not ini.settings(text):
        raise _Found(_whole(act_paths, "no options in the section [uwsgi]", 1))
    return text


def _refuse_includes(script: Script) -> None:
    for line in script.lines:
        if line.circular or (line.unread and not script.branches):
            raise _Found(line.blame(line.unread))


def _read_by_uwsgi(act_paths: ActPaths, script: Script, file: Path) -> None:
    """Let uWSGI parse the file without applying it.

    If the options were applied, `vacuum` would remove the sockets of the running Act.
    """
    if any(line.unread or line.hides for line in script.lines):
        return
    binary = uwsgi_of(act_paths.venue)
    if (binary, script.shape) in _ACCEPTED and not script.branches:
        return
    switches = ["--strict"] if script.strict else []
    named = os.path.relpath(file, act_paths.venue.vassals)
    words: list[str | Path] = [binary, *switches, "--version", "--ini", named]
    status, said = _tried(words, act_paths.venue, act_paths.venue.vassals, _user(act_paths))
    if status == 1:
        # uWSGI names the copy.
        told = _last_words(said).replace(str(file), str(act_paths.vassal))
        raise _Found(_complaint(act_paths, script, told, binary))
    if status == 0:
        _ACCEPTED.add((binary, script.shape))


def _complaint(act_paths: ActPaths, script: Script, told: str, binary: Path) -> Fault:
    """uWSGI's last message, as a fault of the line that it most likely refers to."""
    what, remedy = told, ""
    if key := log_reasons.unknown_option(told):
        likely = get_close_matches(key, _options(binary), n=1, cutoff=0.75)
        what = f"unknown option '{key}'"
        remedy = f"did you mean '{likely[0]}'?" if likely else ""
        line = next(iter(script.all(key)), None)
    else:
        line = next((line for line in script.lines if line.fits(told)), None)
    return line.blame(what, remedy) if line else _whole(act_paths, what)


def _last_words(said: str) -> str:
    words = [line for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    return _SOURCE.sub("", words[-1]) if words else "uWSGI rejects the file"


def _options(binary: Path) -> frozenset[str]:
    """The options that this uWSGI supports; none if it did not say so in time."""
    if binary not in _OPTIONS:
        status, said = _tried([binary, "--help"], VenuePaths(binary.parent.parent), binary.parent)
        if status:
            return frozenset()
        _OPTIONS[binary] = frozenset(_OPTION.findall(said))
    return _OPTIONS[binary]


def _refuse_numbers(script: Script) -> None:
    for line in script.all(*_NUMBERS):
        value = script.value(line)
        if script.knows(line) and not _NUMBER.match(value):
            raise _Found(line.blame(f"{line.key} must be a number, not '{value}'"))
    _refuse_crew(script)
    queue = script.last("listen")
    most = int(_SOMAXCONN.read_text()) if _SOMAXCONN.exists() else 0
    if queue and (length := _NUMBER.match(queue.value)) and 0 < most < int(length[0]):
        limit = f"the limit is {most} (net.core.somaxconn)"
        raise _Found(queue.blame(f"{length[0]} is too long a queue: {limit}"))


def _refuse_crew(script: Script) -> None:
    """Refuse numbers of workers with which uWSGI runs none, or ends at once."""
    most, fewest = _count(script, *WORKERS), _count(script, "cheaper")
    if most and most[1] == 0 and not script.all(*ini.DAEMONS):
        raise _Found(most[0].blame(NO_WORKERS))
    if fewest and fewest[1] >= (most[1] if most else 1):
        what = f"cheaper must be lower than processes, which is {most[1] if most else 1}"
        raise _Found(fewest[0].blame(what))


def _count(script: Script, *keys: str) -> tuple[Line, int] | None:
    """The line in force, and its number; None if that is unknown."""
    line = script.last(*keys)
    number = _NUMBER.match(script.value(line)) if line and script.knows(line) else None
    return (line, int(number[0])) if line and number else None


def _refuse_values(act_paths: ActPaths, script: Script, before: Script) -> None:
    """Let uWSGI check the new values of those options that it checks without side effects."""
    had = set(before.values(*_JUDGED))
    new = [
        (line, f"--{line.key}={script.value(line)}")
        for line in script.all(*_JUDGED)
        if (line.key, script.value(line)) not in had and script.knows(line)
    ]
    if not new or script.all(*_PLUGINS):
        return
    binary = uwsgi_of(act_paths.venue)
    known = [(line, word) for line, word in new if line.key in _options(binary)]
    for group in (known, *([each] for each in known)):
        words: list[str | Path] = [binary, *(word for _, word in group), "--version"]
        status, said = _tried(words, act_paths.venue, act_paths.venue.vassals)
        if status == 1 and len(group) == 1:
            raise _Found(group[0][0].blame(_last_words(said)))
        if status != 1 and group is known:
            return


def _refuse_ports(act_paths: ActPaths, script: Script, before: Script) -> None:
    had = {match["port"] for _, _, match in before.addresses()}
    for line, value, match in script.addresses():
        if not match["port"]:
            raise _Found(line.blame(f"'{value}' has no port"))
        if not _AFTER_PORT.match(value, match.end()):
            raise _Found(line.blame(f"'{value}' has no number as its port"))
        port = int(match["port"])
        if port > _HIGHEST_PORT:
            raise _Found(line.blame(f"port {port} is above {_HIGHEST_PORT}"))
        if match["port"] not in had:
            _refuse_port(act_paths, line, ini.Address(match["host"], port, line.key))


def _refuse_port(act_paths: ActPaths, line: Line, address: ini.Address) -> None:
    error = sockets.bind_error(address.port, address.bound_host)
    if error and error.errno == errno.EADDRINUSE:
        if owners.has_port(act_paths, address.port):
            # It may run with a file that came after the one that is known here.
            return
        holder = owners.holder(address.port, act_paths.venue)
        raise _Found(line.blame(f"port {address.port} is taken by {holder}"))
    if error and error.errno in {errno.EACCES, errno.EADDRNOTAVAIL}:
        what = f"cannot bind {address.bound_host}:{address.port}"
        raise _Found(line.blame(f"{what}: {error.strerror}")) from error


def _refuse_application(act_paths: ActPaths, script: Script, before: Script) -> None:
    venue_paths = act_paths.venue
    if script.values(*_APPLICATION) == before.values(*_APPLICATION):
        return
    chdir = _path(script, venue_paths.vassals, "chdir")
    folder = chdir[1] if chdir else venue_paths.vassals
    if chdir and not _holds(chdir[0], folder.is_dir):
        raise _Found(chdir[0].blame(f"no directory {folder}"))
    home = _path(script, venue_paths.vassals, *_HOMES)
    if home and not _holds(home[0], home[1].is_dir):
        raise _Found(home[0].blame(f"no virtual environment in {home[1]}"))
    if script.last("chdir") and not chdir:
        return
    file = _path(script, folder, *_FILES)
    if file and not _holds(file[0], file[1].is_file):
        raise _Found(file[0].blame(f"no file {file[1]}"))
    python = home[1] / "bin" / "python" if home else venue_paths.python
    if python.exists():
        _refuse_module(act_paths, script, folder, python)


def _holds(line: Line, question: Callable[[], bool]) -> bool:
    """The answer to a question about the path in a line; a fault if this user may not know it."""
    try:
        return question()
    except OSError as error:
        raise _Found(line.blame(f"{error.filename}: {error.strerror}")) from error


def _refuse_module(act_paths: ActPaths, script: Script, folder: Path, python: Path) -> None:
    found = _path(script, folder, *_MODULES)
    match = _MODULE.match(script.value(found[0])) if found else None
    if found and match:
        added = [str(folder / value) for _, value in script.values(*_PYTHON_PATHS)]
        # Passed as text, since the user who runs it may not be able to read this library.
        words = [python, "-c", _FIND.read_text(encoding="utf-8"), match["name"], *added]
        status, said = _tried(words, act_paths.venue, folder, _user(act_paths))
        if status == 0 and said.splitlines()[-1:] == ["missing"]:
            raise _Found(found[0].blame(f"no module '{match['name']}' in {folder}"))


def _path(script: Script, base: Path, *keys: str) -> tuple[Line, Path] | None:
    """The line in force and the path that it names, from `base`; None if either is unknown."""
    line = script.last(*keys)
    if line is None or not script.knows(line):
        return None
    if missing := script.unset(line):
        raise _Found(line.blame(f"the placeholder {missing} is not set"))
    return line, Path(os.path.normpath(base / script.value(line)))


def _user(act_paths: ActPaths) -> int | None:
    """The user to try the Act as: root runs nothing that an Act's own user can have changed."""
    if not users.am_root() or not act_paths.top.is_dir():
        return None
    return act_paths.top.lstat().st_uid or None


def _tried(
    words: Sequence[str | Path], venue_paths: VenuePaths, cwd: Path, uid: int | None = None
) -> tuple[int, str]:
    """Run a program; return its exit status, negative if it was killed, and its output."""
    environment = programs.service_environment(venue_paths.top)
    try:
        done = programs.run(words, cwd=cwd, env=environment, timeout=_PATIENCE, uid=uid)
    except programs.TookTooLong:
        return -1, ""
    return done.returncode, done.stdout
