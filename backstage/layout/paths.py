"""The paths of a Venue and its Acts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ..errors import NameNotAllowed

# sockaddr_un holds 108 bytes, the last one zero.
_SOCKET_PATH_MAX = 107
_SHORTEST_ACT = "a.stats"


@dataclass(frozen=True)
class VenuePaths:
    """The layout of the Venue at `top`, an absolute path without symbolic links."""

    top: Path

    @cached_property
    def settings(self) -> Path:
        return self.top / "venue.yaml"

    @cached_property
    def env_file(self) -> Path:
        """The variables of all Acts; those in an Act's own come before them."""
        return self.top / ".env"

    @cached_property
    def building(self) -> Path:
        """Exists while the Venue is being built."""
        return self.top / ".building"

    @cached_property
    def python(self) -> Path:
        return self.top / "bin" / "python"

    @cached_property
    def emperor_ini(self) -> Path:
        return self.top / "emperor.ini"

    @cached_property
    def emperor_lock(self) -> Path:
        """The file that a live Emperor keeps locked; the kernel names the holder."""
        return self.top / ".emperor.lock"

    @cached_property
    def emperor_pid(self) -> Path:
        return self.run / "emperor.pid"

    @cached_property
    def emperor_stats(self) -> Path:
        return self.run / "emperor.stats"

    @cached_property
    def emperor_log(self) -> Path:
        return self.log / "emperor.log"

    @cached_property
    def acts(self) -> Path:
        return self.top / "acts"

    @cached_property
    def templates(self) -> Path:
        return self.top / "templates"

    @cached_property
    def vassals(self) -> Path:
        """The directory that the Emperor watches: an Act is to run while its ini is here."""
        return self.top / "vassals"

    @cached_property
    def kept(self) -> Path:
        """The last known vassal file of each Act, which a start puts back."""
        return self.top / "kept"

    @cached_property
    def retired(self) -> Path:
        return self.top / "retired"

    @cached_property
    def run(self) -> Path:
        return self.top / "run"

    @cached_property
    def log(self) -> Path:
        return self.top / "log"

    @cached_property
    def events(self) -> Path:
        """What has happened to the Acts, one JSON object a line; the watcher writes it."""
        return self.log / "events.jsonl"

    @cached_property
    def own(self) -> Path:
        """The directory for what the Venue itself runs; nothing in it belongs to an Act."""
        return self.top / ".backstage"

    @cached_property
    def library(self) -> Path:
        """The Venue's private copy of this library: a link to the directory in use."""
        return self.own / "library"

    @cached_property
    def residents(self) -> Path:
        """The second directory that the Emperor watches; older Venues have none."""
        return self.own / "residents"

    @cached_property
    def watcher(self) -> Path:
        """While this file exists the watcher is to run; no Act's file begins with a dot."""
        return self.residents / ".watcher.ini"

    @cached_property
    def watcher_lock(self) -> Path:
        """The file that a live watcher keeps locked; the kernel names the holder."""
        return self.own / "watcher.lock"

    @cached_property
    def watcher_log(self) -> Path:
        """The errors of the present watcher."""
        return self.own / "watcher.log"

    @cached_property
    def made(self) -> Path:
        """The record of where the Venue was made; see made."""
        return self.own / "made.json"

    @cached_property
    def launch(self) -> Path:
        """The script through which the Emperor starts each Act."""
        return self.templates / "launch"

    @cached_property
    def shipped(self) -> Path:
        """The record of the texts that the library wrote into the Venue; see shipped_record."""
        return self.own / "shipped.json"

    @cached_property
    def upgrade(self) -> Path:
        """Exists while the Venue is being upgraded, and says how to undo that."""
        return self.own / "upgrade.json"

    @cached_property
    def relocation(self) -> Path:
        """Exists while the Venue is being relocated, and says how to undo that."""
        return self.own / "relocation.json"

    @cached_property
    def renaming(self) -> Path:
        """Exists while an Act is being renamed, and says which one."""
        return self.own / "renaming.json"

    @cached_property
    def past(self) -> Path:
        """The directory for what the watcher has counted, one file for each Act."""
        return self.own / "past"

    @cached_property
    def notices(self) -> Path:
        """What the watcher knows of troubles that people were told about."""
        return self.own / "notices.json"

    @cached_property
    def shared(self) -> Path:
        """The directory that members of `group` can enter; there only while that is set."""
        return self.top / "shared"

    @cached_property
    def shared_socket(self) -> Path:
        """Where the watcher answers that group; its path is shorter than the Emperor's socket's."""
        return self.shared / "socket"

    @property
    def apprise(self) -> Path | None:
        """The Venue's copy of Apprise; None if it has none."""
        return next(iter(sorted(self.own.glob("apprise-*"))), None)

    @property
    def site_packages(self) -> Path:
        """The environment's modules; `lib` if the environment is not built yet."""
        return next(iter(self.top.glob("lib/python3*/site-packages")), self.top / "lib")

    def act(self, name: str) -> ActPaths:
        """The files of one Act."""
        return self._acts.setdefault(name, ActPaths(self, name))

    def forget(self, name: str) -> None:
        """Keep no paths of an Act that was retired."""
        self._acts.pop(name, None)

    @cached_property
    def _acts(self) -> dict[str, ActPaths]:
        """Those that were asked for: making their paths takes long."""
        return {}

    def check_socket_room(self) -> None:
        """Raise NameNotAllowed if the path is too long for even the shortest Act's socket."""
        _check_socket_path(self.run / _SHORTEST_ACT, str(self.top))
        _check_socket_path(self.emperor_stats, str(self.top))


@dataclass(frozen=True)
class ActPaths:
    """The files of the Act `name`."""

    venue: VenuePaths
    name: str

    @cached_property
    def top(self) -> Path:
        return self.venue.acts / self.name

    @cached_property
    def unfinished(self) -> Path:
        """The directory where the project is built before it gets its final name."""
        return self.venue.acts / f".{self.name}.building"

    @cached_property
    def preparing(self) -> Path:
        """Exists until the project's database and static files have been set up once."""
        return self.venue.kept / f"{self.name}.preparing"

    @cached_property
    def env_file(self) -> Path:
        return self.top / ".env"

    @cached_property
    def manage(self) -> Path:
        return self.top / "manage.py"

    @cached_property
    def project_file(self) -> Path:
        """What is known of an adopted project; others have none."""
        return self.top / "project.yaml"

    @cached_property
    def releases(self) -> Path:
        """The directory with the releases of an adopted project."""
        return self.top / "releases"

    @cached_property
    def files(self) -> Path:
        """The directory for files that are put into each release of an adopted project."""
        return self.top / "files"

    @cached_property
    def data(self) -> Path:
        """The directory for what an adopted project keeps across its releases."""
        return self.top / "data"

    @cached_property
    def vassal(self) -> Path:
        return self.venue.vassals / f"{self.name}.ini"

    @cached_property
    def kept(self) -> Path:
        return self.venue.kept / f"{self.name}.ini"

    @cached_property
    def launch(self) -> Path:
        """The file with the Act's user and limits, which `templates/launch` reads."""
        return self.venue.kept / f"{self.name}.launch"

    @cached_property
    def environment(self) -> Path:
        """The environment that `templates/launch` gave the Act's uWSGI, as in /proc/PID/environ."""
        return self.venue.run / f"{self.name}.environ"

    @cached_property
    def own_run(self) -> Path:
        """The directory for the sockets of an Act with its own user; other Acts have none."""
        return self.venue.run / self.name

    @cached_property
    def own_log(self) -> Path:
        """The directory for the log of an Act with its own user; other Acts have none."""
        return self.venue.log / self.name

    @property
    def stats(self) -> Path:
        return _file(self.own_run, self.venue.run, f"{self.name}.stats")

    @cached_property
    def lock(self) -> Path:
        return self.venue.run / f"{self.name}.lock"

    @cached_property
    def refused(self) -> Path:
        """The file that records why an edit of the vassal file is not used, and its version."""
        return self.venue.run / f"{self.name}.refused"

    @cached_property
    def tries(self) -> Path:
        """The file that records the failed starts in a row, and why the Act was given up."""
        return self.venue.run / f"{self.name}.tries"

    @property
    def fifo(self) -> Path:
        """The named pipe through which the Act's master takes commands."""
        return _file(self.own_run, self.venue.run, f"{self.name}.fifo")

    @property
    def loaded(self) -> Path:
        """The file in which the Act's master records which configuration it has loaded."""
        return _file(self.own_run, self.venue.run, f"{self.name}.loaded")

    @cached_property
    def health(self) -> Path:
        """The file that records what the Act's health check said last."""
        return self.venue.run / f"{self.name}.health"

    @cached_property
    def drain(self) -> Path:
        """Exists while the Act is drained: its health path then says so."""
        return self.venue.run / f"{self.name}.drain"

    @cached_property
    def author(self) -> Path:
        """The file that names who acted on the Act last, and how."""
        return self.venue.run / f"{self.name}.author"

    @cached_property
    def past(self) -> Path:
        """The file in which the watcher counts restarts and time down."""
        return self.venue.past / f"{self.name}.json"

    @property
    def log(self) -> Path:
        return _file(self.own_log, self.venue.log, f"{self.name}.log")

    @property
    def failed_log(self) -> Path:
        """What the Act said when it could not be made: all that is left of it."""
        return self.venue.log / f"{self.name}.failed.log"

    @property
    def recorded(self) -> tuple[Path, ...]:
        """What was written about the Act, without the lock: it goes with the Act."""
        return (
            *(self.environment, self.loaded, self.fifo, self.refused),
            *(self.tries, self.health, self.drain, self.author, self.past),
        )

    def check_socket_room(self) -> None:
        """Raise NameNotAllowed if the name makes the stats socket's path too long."""
        _check_socket_path(self.stats, self.name)


def _file(own: Path, shared: Path, name: str) -> Path:
    """A file in an Act's own directory if it has one, else in the shared one."""
    return _joined(own if _is_directory(own) else shared, name)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # It is in one that may not be entered.
        return False


@lru_cache(maxsize=4096)
def _joined(directory: Path, name: str) -> Path:
    """Remembered, because each look at each Act needs a few of these."""
    return directory / name


def _check_socket_path(socket: Path, name: str) -> None:
    length = len(str(socket).encode(errors="surrogateescape"))
    if length > _SOCKET_PATH_MAX:
        raise NameNotAllowed(
            name,
            f"the path of its socket, {socket}, would have {length} bytes, the limit is "
            f"{_SOCKET_PATH_MAX}; use a shorter name or a Venue with a shorter path",
        )
