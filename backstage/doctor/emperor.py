"""Examining the Emperor: whether it runs, answers, and can be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..facts.command_line import quote
from ..layout.paths import VenuePaths
from ..layout.shipped_files import configuration
from ..status.survey import Survey
from ..system import processes, users
from ..system.files import contents
from ..uwsgi import ini, resident
from .finding import Finding, Remedy, note, ok, trouble

# Without these, the library cannot find the Emperor, or two of them may run.
_NEEDED = ("flock", "emperor", "emperor-stats")
_START = Remedy(command="backstage venue start")


def examine(survey: Survey) -> Iterator[Finding]:
    """Whether an Emperor runs, and the library can talk to it."""
    paths, pid = survey.paths, survey.emperor.pid
    yield from _lacking(paths)
    if pid is None:
        yield _no_emperor(sum(survey.paths.act(name).vassal.exists() for name in survey.names()))
    elif survey.emperor.stats():
        yield ok("Emperor", f"runs, pid {pid}, {_origin(pid)}")
    elif (facts := processes.facts(pid)) and facts.halted:
        yield trouble(
            "Emperor", f"is halted by a signal (pid {pid})", Remedy(command=f"kill -CONT {pid}")
        )
    else:
        words = f"read the end of {quote(str(paths.emperor_log))}, then"
        remedy = Remedy(words, "backstage venue stop && backstage venue start")
        yield trouble("Emperor", f"does not answer (pid {pid})", remedy)


def _no_emperor(wanted: int) -> Finding:
    if not wanted:
        return note("Emperor", "does not run, and no Act is wanted", _START)
    return trouble("Emperor", f"does not run, and neither do its wanted Acts ({wanted})", _START)


def _origin(pid: int) -> str:
    """Which user runs a process, and in which systemd unit."""
    user = users.name_of(Path(f"/proc/{pid}").stat().st_uid)
    groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    units = {name for line in groups if (name := line.rpartition("/")[2]).endswith(".service")}
    return f"by {user}, as {', '.join(sorted(units))}" if units else f"by {user}"


def _lacking(venue_paths: VenuePaths) -> Iterator[Finding]:
    if not venue_paths.emperor_ini.exists():
        return
    there = _keys(contents(venue_paths.emperor_ini).decode(errors="replace"))
    for key, value in _keys(configuration("emperor", "emperor.ini")).items():
        if key in _NEEDED and key not in there:
            remedy = Remedy(f"write `{key} = {value}` into {venue_paths.emperor_ini}")
            yield trouble("emperor.ini", f"does not set {key}", remedy)


def _keys(text: str) -> dict[str, str]:
    """The options of an emperor.ini, without the directory of the watcher."""
    return {
        key: value
        for _, key, value in ini.settings(text)
        if not resident.is_its_directory(key, value)
    }
