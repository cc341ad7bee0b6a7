"""The ports of Acts: choose and claim one, refuse one that is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import PortUnavailable
from ..layout import registry
from ..layout.paths import ActPaths, VenuePaths
from ..layout.settings import read_settings
from ..layout.shipped_files import configuration
from ..system import sockets
from ..system.files import contents
from . import owners, vassal_files
from .ini import VassalFile


def claim(act_paths: ActPaths, port: int | None) -> None:
    """Write a new Act's vassal file to where a start will find it; that reserves its port.

    The port is `port` or, if None, the lowest free one in the Venue's range. Raises
    PortUnavailable.
    """
    venue_paths = act_paths.venue
    with registry.choosing_ports():
        text = configuration(
            "vassal_templates",
            "vassal.ini",
            act=act_paths.name,
            port=str(_chosen(venue_paths, port)),
            venue=str(venue_paths.top),
        )
        vassal_files.write(act_paths.kept, text)


def successors(
    files: Iterable[VassalFile], venue_paths: VenuePaths, original: VenuePaths
) -> dict[int, int]:
    """Free ports for the Acts of a copy, by those that its original's Acts have.

    The lock for choosing ports must be held. Raises PortUnavailable.
    """
    held = of_files([*_files_of_host(venue_paths), *_files_of(original)])
    settings = venue_paths.settings
    chosen: dict[int, int] = {}
    for port in sorted({address.port for file in files for address in file.addresses}):
        chosen[port] = first_free(read_settings(settings).ports, held, settings)
        held.add(chosen[port])
    return chosen


def first_free(candidates: range, held: set[int], settings: Path) -> int:
    """The lowest port in the range that no Act holds and no process uses.

    Raises PortUnavailable if the range, which is set in the file `settings`, is used up.
    """
    for port in candidates:
        if port not in held and not sockets.in_use(port):
            return port
    raise PortUnavailable(
        f"all ports from {candidates[0]} to {candidates[-1]} are taken; "
        f"widen `ports` in {settings} or retire an Act"
    )


def refuse_taken(port: int, here: VenuePaths, host: str = "127.0.0.1") -> None:
    """Raise PortUnavailable, naming the holder if it can be found, if the port is in use."""
    if sockets.in_use(port, host):
        holder = owners.holder(port, here)
        raise PortUnavailable(
            f"port {port} is taken by {holder}; stop it or give the Act another port",
            port,
            holder,
        )


def refuse_held(port: int, held: set[int]) -> None:
    """Raise PortUnavailable if the port is in `held`: the ports of Acts, running or not."""
    if port in held:
        raise PortUnavailable(
            f"port {port} belongs to another Act on this host; give this one another port", port
        )


def of_files(files: Iterable[Path]) -> set[int]:
    """The ports named in these vassal files."""
    held = set()
    for path in files:
        try:
            address = VassalFile(path.stem, contents(path).decode(errors="replace")).address
        except OSError:
            # Gone in the meantime, or a link that leads nowhere: no Act runs with it.
            continue
        if address:
            held.add(address.port)
    return held


def _chosen(venue_paths: VenuePaths, port: int | None) -> int:
    held = of_files(_files_of_host(venue_paths))
    if port is None:
        settings = venue_paths.settings
        return first_free(read_settings(settings).ports, held, settings)
    refuse_held(port, held)
    refuse_taken(port, venue_paths)
    return port


def _files_of_host(venue_paths: VenuePaths) -> Iterator[Path]:
    """The vassal files of this Venue and of every other one in this user's register."""
    for top in {*registry.venues(), venue_paths.top}:
        yield from _files_of(VenuePaths(top))


def _files_of(venue_paths: VenuePaths) -> Iterator[Path]:
    yield from venue_paths.vassals.glob("*.ini")
    yield from venue_paths.kept.glob("*.ini")
