"""The ports of Acts: choose and claim one, refuse one that is taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..errors import PortUnavailable
from ..layout import host_ports, registry
from ..layout.paths import ActPaths, VenuePaths
from ..layout.settings import read_settings
from ..layout.shipped_files import configuration
from ..system import sockets
from ..system.files import contents
from . import owners, vassal_files
from .ini import PLACEHOLDERS, Address, VassalFile, settings


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
        _tell(venue_paths)


def keep_clear(port: int, here: VenuePaths) -> None:
    """Have other users avoid the port of an Act of this Venue while nothing listens there."""
    if port not in host_ports.told():
        _tell(here)


def _tell(here: VenuePaths) -> None:
    host_ports.tell(of_files(_files_of_host(here)))


def with_free_port(act_paths: ActPaths, file: VassalFile) -> str:
    """The text of a vassal file, with another port if its own is taken by now.

    The caller holds the lock for choosing ports. Raises PortUnavailable.
    """
    address, venue_paths = file.address, act_paths.venue
    held = of_files(_files_of_host(venue_paths))
    if not address:
        return file.text
    if address.port not in held and not sockets.in_use(address.port, address.bound_host):
        return file.text
    yaml = venue_paths.settings
    free = first_free(read_settings(yaml).ports, held, yaml)
    return _with_port(file, address, free)


def _with_port(file: VassalFile, address: Address, port: int) -> str:
    lines = file.text.split("\n")
    for setting in settings(file.text):
        if setting.key in {address.option, *PLACEHOLDERS}:
            place = setting.line - 1
            lines[place] = re.sub(rf"\b{address.port}$", str(port), lines[place].rstrip())
    text = "\n".join(lines)
    changed = VassalFile(file.name, text).address
    if changed is None or changed.port != port:
        taken = f"port {address.port} is taken, and its vassal file names it in no plain line"
        raise PortUnavailable(f"{taken}; write port {port} there", address.port)
    return text


def successors(
    files: Iterable[VassalFile], venue_paths: VenuePaths, original: VenuePaths
) -> dict[int, int]:
    """Free ports for the Acts of a copy, by those that its original's Acts have.

    The lock for choosing ports must be held. Raises PortUnavailable.
    """
    held = of_files([*_files_of_host(venue_paths), *_files_of(original)])
    yaml = venue_paths.settings
    chosen: dict[int, int] = {}
    for port in sorted({address.port for file in files for address in file.addresses}):
        chosen[port] = first_free(read_settings(yaml).ports, held, yaml)
        held.add(chosen[port])
    return chosen


def first_free(candidates: range, held: set[int], yaml: Path, shunned: Collection[int] = ()) -> int:
    """The lowest port in the range that no Act holds and no process uses.

    One of those `shunned` is only taken if there is no other. Raises PortUnavailable if the range,
    which is set in the file `yaml`, is used up.
    """
    for port in sorted(candidates, key=lambda port: port in shunned):
        if port not in held and not sockets.in_use(port):
            return port
    raise PortUnavailable(
        f"all ports from {candidates[0]} to {candidates[-1]} are taken; "
        f"widen `ports` in {yaml} or retire an Act"
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
        yaml = venue_paths.settings
        return first_free(read_settings(yaml).ports, held, yaml, host_ports.of_others())
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
