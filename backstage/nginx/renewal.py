"""Sites whose files a new version of this library writes differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ..act import Act
from ..errors import SiteRefused
from ..layout.former_path import FormerPath
from ..layout.paths import VenuePaths
from ..system.files import telling_disk_trouble
from ..system.locks import locked
from . import plan, rendering, upstreams
from .program import Nginx
from .reload import reload
from .site import read_record
from .sites_directory import FileBackup, Place, Placed


@dataclass(frozen=True)
class Outdated:
    """A site that is bound, and the new text of its file."""

    placed: Placed
    text: str


def bound(venue_paths: VenuePaths, place: Place) -> list[Placed]:
    """The sites of a Venue."""
    return [each for each in place.sites() if each.site.venue == str(venue_paths.top)]


def outdated(venue_paths: VenuePaths, nginx: Nginx) -> list[Outdated]:
    """The sites of a Venue that this version writes differently. Raises SiteRefused."""
    sites = bound(venue_paths, nginx.place())
    return [*_outdated(sites, nginx)] if sites else []


def _outdated(sites: Iterable[Placed], nginx: Nginx) -> Iterator[Outdated]:
    listening = nginx.listening(nginx.files())
    for each in sites:
        text = rendering.render(each.site, listening, each.file.name.removesuffix(".conf"))
        if text != each.file.read_text(errors="surrogateescape"):
            yield Outdated(each, text)


def relocated(sites: Iterable[Placed], path: FormerPath, nginx: Nginx) -> Iterator[Outdated]:
    """The sites of a Venue that was moved, as they should be now; edits by hand are kept."""
    listening = nginx.listening(nginx.files())
    for each in sites:
        text = path.replaced(each.file.read_text(errors="surrogateescape"))
        record = read_record(text)
        if record and not each.edited:
            text = rendering.render(record.site, listening, each.file.name.removesuffix(".conf"))
        yield Outdated(each, text)


def rename(placed: Placed, act: Act, path: FormerPath, nginx: Nginx) -> None:
    """Have nginx serve an Act that was renamed; `path` is that of its directory.

    On an error, everything is restored. Raises SiteRefused, CannotWrite.
    """
    shares = tuple(replace(each, root=path.replaced(each.root)) for each in placed.site.shares)
    site = replace(placed.site, act=act.name, target=upstreams.of(act.paths), shares=shares)
    plan.refuse_unreadable(act, site, shares, nginx.reader)
    with _at_work(nginx), ExitStack() as undo:
        place = nginx.place()
        name = plan.free_name(act.paths, place)
        text = rendering.render(site, nginx.listening(nginx.files()), name.removesuffix(".conf"))
        undo.callback(reload, nginx, ())
        for each in (*place.paths(placed.file.name), *place.paths(name)):
            undo.callback(FileBackup.of(each).put_back)
        place.write(name, text)
        place.remove(placed.file.name)
        if said := nginx.fault():
            raise SiteRefused("nginx rejects its configuration with the renamed site", said)
        reload(nginx, ())
        undo.pop_all()


def renew(sites: Sequence[Outdated], nginx: Nginx) -> ExitStack:
    """Replace the texts of these sites; returns when nginx uses them, with what undoes it.

    On an error, everything is restored. Raises SiteRefused, CannotWrite.
    """
    with _at_work(nginx), ExitStack() as undo:
        undo.callback(reload, nginx, ())
        for backup in [FileBackup.of(site.placed.file) for site in sites]:
            undo.callback(backup.put_back)
        for site in sites:
            nginx.place().write(site.placed.file.name, site.text)
        if said := nginx.fault():
            raise SiteRefused("nginx rejects its configuration with the renewed sites", said)
        reload(nginx, ())
        return undo.pop_all()


def put_back(undo: ExitStack, nginx: Nginx) -> None:
    """Undo what `renew` has done."""
    with _at_work(nginx):
        undo.close()


@contextmanager
def _at_work(nginx: Nginx) -> Iterator[None]:
    doing = "changing what nginx serves"
    with telling_disk_trouble(doing), locked(nginx.lock, doing):
        yield
