"""Examining where Acts are bound: who wants or holds a port, and who can reach it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ..errors import PortUnavailable
from ..facts.command_line import quote
from ..layout import registry
from ..layout.paths import VenuePaths
from ..layout.settings import read_settings
from ..status.survey import Look
from ..system import processes, sockets
from ..uwsgi import includes, ports, vassal_files
from ..uwsgi.ini import Address
from .finding import Finding, Remedy, note, ok, trouble, warning

_EVERYWHERE = frozenset({"0.0.0.0", "::"})
_OTHER_PROTOCOLS = frozenset({"socket", "uwsgi-socket"})


@dataclass(frozen=True)
class Claim:
    """The port that the vassal file of an Act on this host wants."""

    venue: Path
    name: str
    address: Address
    wanted: bool

    def clashes(self, other: Claim) -> bool:
        """Whether only one of the two can have the port."""
        hosts = {self.address.bound_host, other.address.bound_host}
        return self.address.port == other.address.port and (
            len(hosts) == 1 or not hosts.isdisjoint(_EVERYWHERE)
        )

    def seen_from(self, venue: Path) -> str:
        return self.name if self.venue == venue else f"{self.name} of {self.venue}"


def examine(venue_paths: VenuePaths, looks: Mapping[str, Look]) -> Iterator[Finding]:
    """Ports that two Acts want or another program holds, and Acts exposed to the network."""
    claims = [*_claims({*registry.venues(), venue_paths.top})]
    own = [claim for claim in claims if claim.venue == venue_paths.top and claim.name in looks]
    free = _OtherPorts(venue_paths, {claim.address.port for claim in claims})
    found = [*_clashes(claims, own, free), *_held(own, looks, free)]
    yield from found
    if own and not found:
        yield ok("ports", "each Act has its own")
    for name in looks:
        yield from _exposed(venue_paths, name)


class _OtherPorts:
    """Suggests a free port for an Act, a different one each time."""

    def __init__(self, venue_paths: VenuePaths, held: set[int]) -> None:
        self._settings = venue_paths.settings
        self._held = held

    def for_(self, claim: Claim) -> Remedy:
        edit = f"backstage edit {quote(claim.name)}"
        try:
            port = ports.first_free(read_settings(self._settings).ports, self._held, self._settings)
        except PortUnavailable as error:
            return Remedy(f"give it another port, but {error};", edit)
        self._held.add(port)
        return Remedy(f"give it another port, such as {port};", edit)


def _claims(venues: Iterable[Path]) -> Iterator[Claim]:
    for paths in map(VenuePaths, sorted(venues)):
        for name in sorted(vassal_files.names(paths.vassals) | vassal_files.names(paths.kept)):
            act = paths.act(name)
            file = vassal_files.load(act)
            if file and file.address:
                yield Claim(paths.top, name, file.address, act.vassal.exists())


def _clashes(
    claims: Iterable[Claim], own: Collection[Claim], free: _OtherPorts
) -> Iterator[Finding]:
    by_port: dict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_port[claim.address.port].append(claim)
    for port, wanting in sorted(by_port.items()):
        for pair in combinations(wanting, 2):
            ours = [claim for claim in pair if claim in own]
            if ours and pair[0].clashes(pair[1]):
                first, second = sorted(pair, key=lambda claim: claim in ours)
                other = first.seen_from(second.venue)
                judge = trouble if first.wanted and second.wanted else warning
                what = f"wants port {port}, and so does {other}; only one of them can run"
                yield judge(second.name, what, free.for_(second))


def _held(own: Iterable[Claim], looks: Mapping[str, Look], free: _OtherPorts) -> Iterator[Finding]:
    for claim in own:
        # A running Act has its port, or its log says why not.
        if looks[claim.name].pid is None and (holder := _holder(claim)):
            what = f"its port {claim.address.port} is taken by {holder}"
            judge = trouble if claim.wanted else warning
            remedy = free.for_(claim)
            yield judge(claim.name, what, replace(remedy, text=f"stop it, or {remedy.text}"))


def _holder(claim: Claim) -> str:
    """The program outside the Venue that holds the port, or ''."""
    if not sockets.in_use(claim.address.port, claim.address.bound_host):
        return ""
    pid = sockets.listener(claim.address.port)
    if pid is None:
        return "another user's program"
    return "" if processes.belongs_to(pid, claim.venue) else processes.describe(pid)


def _exposed(venue_paths: VenuePaths, name: str) -> Iterator[Finding]:
    act = venue_paths.act(name)
    file = vassal_files.load(act)
    script = includes.read_all(venue_paths, act.vassal, file.text if file else "")
    for line, value, match in script.addresses():
        bound = match["host"].strip("[]") or "0.0.0.0"
        if _is_local(bound):
            continue
        local = f"{line.key} = 127.0.0.1:{match['port']}"
        remedy = Remedy(f"put a web server in front of it, and write {local}")
        if venue_paths.top / line.file == act.vassal:
            remedy = Remedy(f"{remedy.text};", f"backstage edit {quote(name)}")
        where = f"{line.file}, line {line.number}: {line.key} = {value}"
        if line.key in _OTHER_PROTOCOLS:
            what = f"{where} lets other machines speak uWSGI's own protocol, and so run code"
            yield trouble(name, what, remedy)
        elif bound in _EVERYWHERE:
            yield warning(name, f"{where} is open to every network", remedy)
        else:
            yield note(name, f"{where} is open to the network of that address", remedy)


def _is_local(bound: str) -> bool:
    return bound.startswith("127.") or bound in {"::1", "localhost"}
