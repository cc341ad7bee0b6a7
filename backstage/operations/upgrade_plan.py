"""What there is to upgrade in a Venue: its own files, and the Acts that have loaded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import unified_diff

from ..act import Act
from ..facts.renewals import Cause, Fate, Renewal
from ..facts.states import State
from ..layout import shipped_record
from ..layout.paths import VenuePaths
from ..system import processes
from ..uwsgi import includes, resident
from ..venue import Venue
from ..virtualenvs import private_copy
from . import venue_files
from .upgrade_journal import text_of
from .venue_files import EMPEROR_INI, LAUNCH

# Acts in these states can take new files without a visitor noticing, and show whether they work.
_WELL = frozenset({State.RUNNING, State.STARTING, State.RELOADING})
# Acts in these states take new files by themselves when they start.
_NOT_LOADED = frozenset({State.STOPPED, State.WAITING, State.SLEEPING, State.STOPPING})


@dataclass(frozen=True)
class Work:
    """What is to be done in a Venue.

    `texts` are written at once, `later` when the Emperor is replaced. `ran` are the Acts that run
    well now; of those in `restarted` and `passed_over`, the latter do not.
    """

    files: tuple[Renewal, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    library: bool = False
    ran: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()


def examine(venue: Venue) -> Work:
    """Compare a Venue with what this version ships."""
    paths = venue.paths
    new = venue_files.texts(paths)
    found = [each for name, text in new.items() if (each := _renewal(paths, name, text))]
    texts = {
        each.beside or each.file: new[each.file]
        for each in found
        if each.fate is not Fate.KEPT or each.is_news
    }
    found, texts = _without_premature(paths, found, texts)
    later = {EMPEROR_INI: texts.pop(EMPEROR_INI)} if EMPEROR_INI in texts else {}
    # What runs has read the others already.
    news = {name for name, text in {**texts, **later}.items() if not _was_lost(paths, name, text)}
    ran, dependent, unwell = _acts(venue, news.intersection(venue_files.OF_ACTS))
    return Work(
        files=tuple(found),
        texts=texts,
        later=later,
        library=paths.residents.is_dir() and not private_copy.is_current(paths),
        ran=ran,
        restarted=dependent,
        passed_over=unwell,
        causes=tuple(_causes(venue, {**texts, **later}, news)),
    )


def known_texts(venue_paths: VenuePaths, name: str) -> list[str]:
    """The texts that the library may have written into a file, the last one last."""
    known = shipped_record.read(venue_paths).texts.get(name, [])
    return known or venue_files.earlier_texts(venue_paths, name)


def nearest(known: list[str], present: str) -> str:
    """The text that an edited file was most likely made from."""
    return min(known, key=lambda text: len(_difference(text, present)), default="")


def _renewal(venue_paths: VenuePaths, name: str, new: str) -> Renewal | None:
    """What becomes of a file; None if it is as this version ships it."""
    path, known = venue_paths.top / name, known_texts(venue_paths, name)
    present = text_of(path)
    if present == new:
        return None
    if path.is_symlink() or present not in {None, *known}:
        edits = _difference(nearest([*known, new], present or ""), present or "")
        beside = _beside(venue_paths, name, {new, *known})
        is_there = text_of(venue_paths.top / beside) == new
        is_news = new not in known and not is_there
        kept = Renewal(name, Fate.KEPT, tuple(edits), is_news=is_news)
        return replace(kept, beside=beside) if is_news or is_there else kept
    return Renewal(name, Fate.ADDED if present is None else Fate.RENEWED)


def _was_lost(venue_paths: VenuePaths, name: str, new: str) -> bool:
    """Whether somebody has removed the file, which had this text."""
    is_gone = text_of(venue_paths.top / name) is None
    return is_gone and known_texts(venue_paths, name)[-1:] == [new]


def _beside(venue_paths: VenuePaths, name: str, ours: set[str]) -> str:
    """A name for the new text that belongs to nobody else's file."""
    names = (f"{name}.new", *(f"{name}.new{number}" for number in range(2, 100)))
    return next(each for each in names if text_of(venue_paths.top / each) in {None, *ours})


def _difference(before: str, after: str) -> list[str]:
    """The lines of `after` that are new, and those of `before` that it lacks."""
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _without_premature(
    venue_paths: VenuePaths, found: list[Renewal], texts: dict[str, str]
) -> tuple[list[Renewal], dict[str, str]]:
    """Leave emperor.ini as it is if it would run a watcher that an edited `launch` cannot start."""
    launch = texts.get(LAUNCH) or text_of(venue_paths.top / LAUNCH) or ""
    new = texts.get(EMPEROR_INI)
    if new is None or resident.is_supported(new, launch):
        return found, texts
    others = [each for each in found if each.file != EMPEROR_INI]
    waits = Renewal(EMPEROR_INI, Fate.WAITS, first=f"merge {LAUNCH}", command="backstage upgrade")
    return [*others, waits], {name: text for name, text in texts.items() if name != EMPEROR_INI}


def _acts(venue: Venue, changed: set[str]) -> tuple[tuple[str, ...], ...]:
    """The Acts that run well; those of them that have loaded what changes; and others that have."""
    states = {now.name: now.state for now in venue.snapshot() if now.state not in _NOT_LOADED}
    ran = [name for name, state in states.items() if state in _WELL]
    using = [name for name in states if changed and _includes_template(venue.act(name))]
    dependent = [name for name in using if name in ran]
    return tuple(ran), tuple(dependent), tuple(name for name in using if name not in ran)


def _includes_template(act: Act) -> bool:
    paths = act.paths
    script = includes.read(paths.venue, paths.vassal, act.vassal_text)
    return any(line.file in venue_files.OF_ACTS for line in script.lines)


def _causes(venue: Venue, texts: Mapping[str, str], news: set[str]) -> Iterator[Cause]:
    paths = venue.paths
    if EMPEROR_INI in news:
        yield Cause.CONFIGURATION
    after = [texts.get(name) or text_of(paths.top / name) or "" for name in (EMPEROR_INI, LAUNCH)]
    if resident.is_supported(*after) and not paths.residents.is_dir():
        yield Cause.WATCHER
    if (pid := venue.emperor.pid) and processes.is_replaced(pid):
        yield Cause.UWSGI
