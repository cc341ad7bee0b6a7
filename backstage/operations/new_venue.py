"""Creating Venues: all or nothing, and repairable after being killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..errors import EnvironmentFailed, NotAVenue, SettingsError
from ..facts.command_line import quote
from ..layout import made, registry, shipped_record
from ..layout.names import check_venue_name, check_venue_path
from ..layout.paths import VenuePaths
from ..layout.settings import Settings, port_range
from ..layout.shipped_files import configuration
from ..system import umask
from ..system.files import make_private, remove_tree, telling_disk_trouble, write_atomically
from ..uwsgi import resident
from ..uwsgi.emperor import Emperor
from ..venue import Venue
from ..virtualenvs import cache, interpreters, namesake, private_copy, tools
from . import venue_files


@dataclass(frozen=True)
class Step:
    """Passed to `progress` when a step of `new_venue` begins; `number` counts from 1 to `of`."""

    title: str
    number: int
    of: int


Progress = Callable[[Step], None]
Requirements = Sequence[str] | Path | None

# The environment variable with the port range for new Venues.
PORTS = "BACKSTAGE_PORTS"
_INCOMPLETE = "This Venue is not complete; repeat new_venue or `backstage new-venue`.\n"
_STEPS = (
    "Finding Python, Django and uWSGI",
    "Building the environment",
    "Installing requirements",
    "Writing the configuration",
    "Starting the Emperor",
)


@dataclass(frozen=True, kw_only=True)
class VenuePlan:
    """The options of `new_venue`, apart from the directory."""

    python: str | Path | None
    requirements: Requirements
    start: bool
    progress: Progress | None

    def tell(self, title: str) -> None:
        if self.progress:
            self.progress(Step(title, _STEPS.index(title) + 1, len(_STEPS)))


def create(name: str, parent: str | Path, plan: VenuePlan) -> Venue:
    """Create the Venue `parent/name`, or finish a half-built one, or open an existing one."""
    check_venue_name(name)
    paths = VenuePaths(Path(parent).expanduser().resolve() / name)
    check_venue_path(paths.top)
    paths.check_socket_room()
    with (
        telling_disk_trouble(f"cannot create the Venue {paths.top}"),
        registry.building(paths.top),
        umask.closed(),
    ):
        if _is_free(paths):
            return _build_venue(paths, plan)
    venue = Venue.open(paths.top)
    if plan.start:
        venue.start()
    return venue


def _is_free(venue_paths: VenuePaths) -> bool:
    """Whether to build a Venue here, from scratch or over a half-built one."""
    if not venue_paths.top.parent.is_dir():
        raise NotAVenue(
            venue_paths.top,
            f"cannot be created: there is no directory {venue_paths.top.parent}; "
            f"type: mkdir -p {quote(venue_paths.top.parent)}",
        )
    if not venue_paths.top.exists() or venue_paths.building.exists():
        return True
    if not venue_paths.top.is_dir():
        raise NotAVenue(venue_paths.top, "is a file; choose another name")
    return not any(venue_paths.top.iterdir())


def _build_venue(venue_paths: VenuePaths, plan: VenuePlan) -> Venue:
    # If an empty directory existed before, it remains on failure, empty.
    keep_directory = venue_paths.top.is_dir() and not venue_paths.building.exists()
    with ExitStack() as undo:
        venue_paths.top.mkdir(mode=0o755, exist_ok=True)
        undo.callback(_unmake_venue, venue_paths, keep_directory=keep_directory)
        _empty(venue_paths.top)
        write_atomically(venue_paths.building, _INCOMPLETE)
        with ThreadPoolExecutor(max_workers=1) as beside:
            copied = beside.submit(private_copy.make, venue_paths)
            _build_environment(venue_paths, plan)
            copied.result()
        plan.tell("Writing the configuration")
        configure(venue_paths)
        venue_paths.building.unlink()
        venue = Venue.open(venue_paths.top)
        if plan.start:
            plan.tell("Starting the Emperor")
            venue.start()
        undo.pop_all()
    return venue


def _build_environment(venue_paths: VenuePaths, plan: VenuePlan) -> None:
    plan.tell("Finding Python, Django and uWSGI")
    interpreter = interpreters.find(plan.python)
    source = cache.find(interpreter)
    plan.tell("Building the environment")
    source.fill(venue_paths.top, interpreter)
    if plan.requirements:
        plan.tell("Installing requirements")
        tools.install(venue_paths.top, plan.requirements)
        _refuse_namesake(venue_paths)


def _refuse_namesake(venue_paths: VenuePaths) -> None:
    """No Python that runs here can import it; users who ask for it want this program."""
    if other := namesake.found_in([venue_paths.site_packages]):
        raise EnvironmentFailed(
            f"{other}, for Python 2, and the requirements ask for it. To install this one in "
            f"the Venue, replace `django_backstage` with: {namesake.origin()}"
        )


def configure(venue_paths: VenuePaths) -> None:
    """Write the files that turn a virtual environment into a new Venue. Raises SettingsError."""
    ports = _ports()
    for directory in (
        venue_paths.acts,
        venue_paths.vassals,
        venue_paths.kept,
        venue_paths.templates,
    ):
        directory.mkdir(mode=0o755)
    venue_paths.log.mkdir(mode=0o750)
    make_private(venue_paths.run)
    make_private(venue_paths.own)
    venue_paths.residents.mkdir(mode=0o700, exist_ok=True)
    # uWSGI locks it, but does not create it.
    venue_paths.emperor_lock.touch(mode=0o600)
    texts = venue_files.texts(venue_paths)
    for name, text in texts.items():
        write_atomically(venue_paths.top / name, text, mode=venue_files.mode_of(name))
    settings = configuration("emperor", "venue.yaml", ports=f"{ports[0]}-{ports[-1]}")
    write_atomically(venue_paths.settings, settings)
    shipped_record.write(venue_paths, venue_files.record(texts))
    made.write(venue_paths, made.here(venue_paths))
    resident.arrange(venue_paths, wanted=True)


def _ports() -> range:
    """The port range of a new Venue. Raises SettingsError."""
    named = os.environ.get(PORTS)
    try:
        return port_range(named) if named else Settings().ports
    except ValueError as error:
        raise SettingsError(Path(PORTS), None, str(error)) from error


def _unmake_venue(venue_paths: VenuePaths, *, keep_directory: bool) -> None:
    if venue_paths.run.exists():
        Emperor(venue_paths).stop(wait=5.0)
    registry.forget(venue_paths.top)
    _empty(venue_paths.top)
    if not keep_directory:
        remove_tree(venue_paths.top)


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        remove_tree(entry)
