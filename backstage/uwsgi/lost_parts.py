"""The parts of a Venue that somebody has removed: found, refused to work without, made again.

What can be made again without a loss is made by the start of the Venue; what came with the library
is written again by an upgrade.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import EmperorFailed, PartLost
from ..facts.lost_parts import LostPart
from ..layout import shipped_record
from ..layout.paths import ActPaths, VenuePaths
from ..layout.settings import read_settings
from ..system import files, sockets
from . import launch, stats, vassal_files

_START = "backstage venue start"
_AFRESH = "backstage venue stop && backstage venue start"
_UPGRADE = "backstage upgrade"
_ALWAYS_SHIPPED = ("templates/launch", "templates/django.ini")
_LAUNCH = "templates/launch"


def find(venue_paths: VenuePaths, emperor: int | None) -> tuple[LostPart, ...]:
    """What is lost now; `emperor` is the pid of the Emperor."""
    return (*_vital(venue_paths, emperor), *_made_by_any_start(venue_paths))


def refuse(venue_paths: VenuePaths, emperor: int | None) -> None:
    """Raise PartLost if something is lost without which Acts cannot be started or stopped."""
    for part in _vital(venue_paths, emperor):
        # The Emperor that runs has read it.
        if part.name != venue_paths.emperor_ini.name or not emperor:
            raise PartLost(venue_paths.top, part.name, str(part))


def mend(venue_paths: VenuePaths, emperor: int | None) -> None:
    """Make again what the start of the Venue can make without a loss.

    Raises PartLost, with nothing done, if the Emperor runs Acts whose files are nowhere any more:
    it would end them.
    """
    if emperor:
        _refuse_deaf(venue_paths, emperor)
    if not venue_paths.vassals.is_dir():
        _put_vassals_back(venue_paths, _running(venue_paths) if emperor else {})
    venue_paths.acts.mkdir(mode=0o755, exist_ok=True)
    if not venue_paths.kept.is_dir():
        _keep_again(venue_paths)
    make_log_directory(venue_paths)


def make_log_directory(venue_paths: VenuePaths) -> None:
    """Without it no Act can start; what was in it is not needed."""
    venue_paths.log.mkdir(mode=0o750, exist_ok=True)


def _vital(venue_paths: VenuePaths, emperor: int | None) -> Iterator[LostPart]:
    if not venue_paths.emperor_ini.exists():
        yield LostPart(venue_paths.emperor_ini.name, "the Emperor cannot start", _UPGRADE)
    if not venue_paths.vassals.is_dir():
        runs = "nobody can start or stop the Acts that it runs"
        effect = runs if emperor else "nobody knows which Acts are to run"
        yield LostPart("vassals/", effect, _START)
    if not venue_paths.kept.is_dir():
        yield LostPart("kept/", "it had the vassal files of stopped Acts", _START)
    if emperor and _is_deaf(venue_paths):
        yield _socket(venue_paths, emperor)
    yield from _shipped(venue_paths)


def _made_by_any_start(venue_paths: VenuePaths) -> Iterator[LostPart]:
    if not venue_paths.acts.is_dir():
        yield LostPart("acts/", "it had the projects", _START)
    if not venue_paths.log.is_dir():
        yield LostPart("log/", "no Act can start without it, and nothing is logged", _START)


def _is_deaf(venue_paths: VenuePaths) -> bool:
    """Whether the Emperor listens at a socket that has no file any more."""
    socket = venue_paths.emperor_stats
    return not socket.exists() and sockets.is_bound(socket)


def _socket(venue_paths: VenuePaths, emperor: int) -> LostPart:
    whole = "run/emperor.stats" if any(_entries(venue_paths.run)) else "run/"
    return LostPart(whole, f"nobody can talk to the Emperor (pid {emperor})", _AFRESH)


def _refuse_deaf(venue_paths: VenuePaths, emperor: int) -> None:
    if _is_deaf(venue_paths):
        part = _socket(venue_paths, emperor)
        raise PartLost(venue_paths.top, part.name, str(part))


def _entries(directory: Path) -> Iterable[Path]:
    """What is in `run/`, without what every command creates there."""
    if not directory.is_dir():
        return []
    return (path for path in directory.iterdir() if path.suffix in {".stats", ".fifo", ".pid"})


def _shipped(venue_paths: VenuePaths) -> Iterator[LostPart]:
    """The templates that are missing and that something needs."""
    if all((venue_paths.top / name).exists() for name in _expected(venue_paths)):
        return
    for name in _expected(venue_paths):
        if not (venue_paths.top / name).exists() and _is_needed(venue_paths, name):
            yield LostPart(name, "Acts cannot start without it", _UPGRADE)


def _expected(venue_paths: VenuePaths) -> list[str]:
    """The templates that the library has written into this Venue."""
    recorded = [name for name in shipped_record.read(venue_paths).texts if "/" in name]
    return sorted(recorded or _ALWAYS_SHIPPED)


def _is_needed(venue_paths: VenuePaths, name: str) -> bool:
    """Acts with vassal files written by hand need only the script that starts them."""
    if name == _LAUNCH:
        return True
    names = vassal_files.names(venue_paths.vassals) | vassal_files.names(venue_paths.kept)
    loaded = (vassal_files.load(venue_paths.act(each)) for each in names)
    return any(file and "templates/" in file.text for file in loaded)


def _running(venue_paths: VenuePaths) -> dict[str, int | None]:
    """What the Emperor runs or tries to run, with the dates of the files that it has seen."""
    told = stats.read_emperor(venue_paths.emperor_stats)
    if told is None:
        raise EmperorFailed("the Emperor does not answer, and it alone knows which Acts are to run")
    dates: dict[str, int | None] = dict.fromkeys(told.blacklist)
    dates.update({name: vassal.last_mod for name, vassal in told.vassals.items()})
    acts = {vassal_files.act_of(name): date for name, date in dates.items()}
    return {name: date for name, date in acts.items() if name}


def _keep_again(venue_paths: VenuePaths) -> None:
    """Keep the files of the Acts that are to run, and their users and limits."""
    venue_paths.kept.mkdir(mode=0o755)
    for name in vassal_files.names(venue_paths.vassals):
        vassal_files.keep(venue_paths.act(name))
    launch.prepare_all(venue_paths, read_settings(venue_paths.settings))


def _put_vassals_back(venue_paths: VenuePaths, running: dict[str, int | None]) -> None:
    """All at once and with the dates that they had, so that the Emperor notices nothing."""
    for name in running:
        _refuse_without_file(venue_paths.act(name))
    part = venue_paths.top / ".vassals.part"
    files.remove_tree(part)
    part.mkdir(mode=0o755)
    for name, date in running.items():
        kept = venue_paths.act(name).kept
        mtime = kept.stat().st_mtime if date is None else date
        files.write_atomically(part / f"{name}.ini", files.contents(kept), mtime=mtime)
    part.rename(venue_paths.vassals)


def _refuse_without_file(act_paths: ActPaths) -> None:
    if not act_paths.kept.exists():
        name = f"kept/{act_paths.kept.name}"
        effect = f"it is what {act_paths.name}, which still runs, was started from"
        advice = "write it, or, to end what runs,"
        part = LostPart(name, effect, _AFRESH, advice)
        raise PartLost(act_paths.venue.top, name, str(part))
