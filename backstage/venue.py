"""A Venue: a directory that is a virtual environment, full of Acts, with one Emperor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from . import host, ports
from .act import Act
from .emperor import Emperor
from .errors import BackstageError, NoSuchAct, NotAVenue
from .paths import VenuePaths
from .settings import Settings, read_settings

# Acts started or restarted side by side; more would only wait for the processor.
_AT_ONCE = 4


class Venue:
    """A complete Venue on disk; get it from `new_venue` or `use_venue`.

    Its files are the truth: any number of objects, in any number of processes, may stand for it.
    """

    def __init__(self, paths: VenuePaths) -> None:
        self.paths = paths
        self._emperor = Emperor(paths)

    @classmethod
    def open(cls, path: str | Path) -> Venue:
        """The Venue at a path. Raises NotAVenue, or SettingsError for a broken venue.yaml."""
        paths = VenuePaths(Path(path).expanduser().resolve())
        if not paths.top.is_dir():
            raise NotAVenue(paths.top, "does not exist; make a Venue with new_venue(name, path)")
        if paths.building.exists():
            raise NotAVenue(
                paths.top,
                "is a Venue half built; finish it with "
                f"new_venue({paths.top.name!r}, {str(paths.top.parent)!r})",
            )
        if not paths.settings.exists() or not paths.emperor_ini.exists():
            raise NotAVenue(paths.top, "is no Venue: it has no venue.yaml and emperor.ini")
        venue = cls(paths)
        read_settings(paths.settings)
        # Another user's Venue can be used without being noted in one's own register.
        with suppress(OSError):
            host.register(paths.top)
        return venue

    @property
    def path(self) -> Path:
        return self.paths.top

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def settings(self) -> Settings:
        """What venue.yaml says now. Raises SettingsError."""
        return read_settings(self.paths.settings)

    @property
    def emperor(self) -> Emperor:
        return self._emperor

    def __repr__(self) -> str:
        pid = self._emperor.pid
        state = f"running, pid {pid}" if pid else "stopped"
        return f"<Venue {str(self.path)!r} {state}, {len(self)} Acts>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Venue) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def acts(self) -> tuple[Act, ...]:
        """Every Act by name: those with a vassal file, wanted or kept."""
        return tuple(self._act(name) for name in sorted(self._names()))

    def __iter__(self) -> Iterator[Act]:
        return iter(self.acts)

    def __len__(self) -> int:
        return len(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __getitem__(self, name: str) -> Act:
        """The Act of this name. Raises NoSuchAct."""
        names = self._names()
        if name not in names:
            raise NoSuchAct(name, self.path, tuple(sorted(names)))
        return self._act(name)

    def start(self) -> None:
        """Start the Emperor unless it is alive, and with it every Act that is wanted.

        Returns when the Emperor watches. Raises EmperorFailed, UnsafeDirectory.
        """
        read_settings(self.paths.settings)
        self._emperor.start()

    def stop(self, wait: float = 30.0) -> None:
        """End the Emperor and every process of every Act; wanted Acts stay wanted.

        Requests under way may finish; after `wait` seconds what is left is killed.
        Raises EmperorFailed.
        """
        self._emperor.stop(wait)

    def start_all_acts(self, wait: float | None = 30.0) -> None:
        """Start every Act. One that fails keeps no other from it; then raises the failures."""
        self.start()
        self._with_each(self.acts, lambda act: act.start(wait))

    def stop_all_acts(self, wait: float | None = 30.0) -> None:
        """Stop every Act; the Emperor goes on."""
        self._with_each(self.acts, lambda act: act.stop(wait))

    def restart_all_acts(self, wait: float | None = 30.0) -> None:
        """Restart the Acts that are wanted; those that are stopped stay so."""
        wanted = [act for act in self.acts if act.wanted]
        self._with_each(wanted, lambda act: act.restart(wait))

    def choose_port(self, port: int | None) -> int:
        """A port for a new Act: `port`, if it is free, or the next of the Venue's range.

        Call it under `host.choosing_ports()`. Raises PortUnavailable.
        """
        held = ports.of_files(self._vassal_files_of_host())
        if port is None:
            return ports.choose(self.settings.ports, held, self.paths.settings)
        ports.refuse_held(port, held)
        ports.refuse_taken(port)
        return port

    def _vassal_files_of_host(self) -> Iterator[Path]:
        for top in {*host.venues(), self.path}:
            paths = VenuePaths(top)
            yield from paths.vassals.glob("*.ini")
            yield from paths.kept.glob("*.ini")

    def _act(self, name: str) -> Act:
        return Act(self.paths.act(name), self._emperor)

    def _names(self) -> set[str]:
        files = [*self.paths.vassals.glob("*.ini"), *self.paths.kept.glob("*.ini")]
        return {path.stem for path in files if not path.name.startswith(".")}

    def _with_each(self, acts: Iterable[Act], verb: Callable[[Act], None]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = [pool.submit(verb, act) for act in acts]
        failures = [error for outcome in outcomes if (error := outcome.exception())]
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BackstageError("\n\n".join(str(error) for error in failures))
