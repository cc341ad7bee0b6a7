"""Acts under domains: what nginx is told to serve, as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..act import Act
from ..errors import BackstageError, SiteRefused
from ..facts.states import State
from ..layout.paths import VenuePaths
from ..layout.shipped_files import shelf
from ..system import as_user, users
from ..system.files import telling_disk_trouble, write_atomically
from ..system.locks import locked
from .plan import BindRequest, Plan, bind_words, plan_binding, plan_unbinding, refuse_edited
from .program import Nginx, find
from .reload import reload, start, stop
from .site import SHARED, Site, Tls
from .sites_directory import FileBackup

_AWAY = "away.html"
_READ = "had nginx read its configuration"
# States in which a changed .env is read by itself, with the next start.
_NOT_LOADED = frozenset({State.STOPPED, State.WAITING, State.SLEEPING, State.FAILING})


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A site in place: its file, and what stands in it; `edited` whether somebody has changed it.

    `did` is what a call has done, `notes` what is left to do, each in a line; `runs` whether nginx
    does.
    """

    site: Site
    file: Path
    origin: str
    edited: bool = False
    did: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    runs: bool = True


def bind(act: Act, request: BindRequest, nginx: Nginx | None = None) -> Bound:
    """Have nginx serve an Act under domains, instead of what was bound to it before.

    Returns when nginx answers for them and the Act knows its names. Raises SiteRefused, NotAllowed,
    PortUnavailable, CannotWrite or what `act.restart` raises; then all is as it was before.
    """
    nginx = nginx or find()
    with _at_work(nginx, act, bind_words(act.name, request)), ExitStack() as undo:
        plan = plan_binding(act, request, nginx)
        _put_in_place(plan, nginx, undo)
        changed = _tell(act, plan, undo)
        notes = [*plan.notes, *_serve(plan, nginx, undo)]
        if changed:
            _restart(act, plan)
        undo.pop_all()
    return replace(_bound(plan, notes), runs=nginx.pid is not None)


def unbind(act: Act, nginx: Nginx | None = None, *, replace_edited: bool = False) -> Bound:
    """Have nginx serve an Act no more, and take out of its .env what `bind` has put in.

    The Act may be gone already. Raises as `bind` does.
    """
    nginx = nginx or find()
    with _at_work(nginx, act, ["unbind", act.name]), ExitStack() as undo:
        place = nginx.place()
        present = place.site_of(act.paths)
        if present is None:
            raise SiteRefused(f"{act.name} is bound to no domain; nothing has to be done")
        refuse_edited(present, replace_edited)
        plan = plan_unbinding(act, present, nginx, place)
        _put_in_place(plan, nginx, undo)
        changed = _tell(act, plan, undo)
        notes = _serve(plan, nginx, undo)
        if changed:
            _restart(act, plan)
        undo.pop_all()
    _sweep(nginx, plan)
    return _bound(plan, notes)


def bound(venue_paths: VenuePaths, nginx: Nginx | None = None) -> list[Bound]:
    """What nginx serves of a Venue, by the names of the Acts."""
    nginx = nginx or find()
    found = [
        Bound(
            site=each.site,
            file=each.file,
            origin=nginx.origin(each.site.domains[0], tls=each.site.tls is not None),
            edited=each.edited,
        )
        for each in nginx.place().sites()
        if each.site.venue == str(venue_paths.top)
    ]
    return sorted(found, key=lambda each: each.site.act)


def tls_files(certificate: str, key: str) -> Tls:
    """The files of a certificate as they are written down, from where the caller stands."""
    # What a link names changes with each renewal.
    return Tls(str(Path(certificate).absolute()), str(Path(key).absolute()))


@contextmanager
def _at_work(nginx: Nginx, act: Act, words: Iterable[str]) -> Iterator[None]:
    venue = str(act.paths.venue.top)
    nginx.refuse_foreign("--venue", venue, "nginx", *words)
    with telling_disk_trouble("changing what nginx serves"):
        _make_public(nginx.state)
        with locked(nginx.lock, "changing what nginx serves"):
            yield


def _put_in_place(plan: Plan, nginx: Nginx, undo: ExitStack) -> None:
    """Write the files and have nginx look at all of its configuration."""
    undo.callback(_reload_old, nginx, plan)
    for name in (SHARED, plan.name):
        for path in plan.place.paths(name):
            undo.callback(FileBackup.of(path).put_back)
    _make_public(nginx.pages, nginx.challenges)
    if not (nginx.pages / _AWAY).exists():
        write_atomically(nginx.pages / _AWAY, _shipped_page())
    for name in (SHARED, plan.name):
        if name in plan.texts:
            plan.place.write(name, plan.texts[name])
        else:
            plan.place.remove(name)
    if said := nginx.fault():
        raise SiteRefused("nginx would not take its configuration with this change", said)
    verb = "wrote" if plan.name in plan.texts else "removed"
    plan.did.append(f"{verb} {plan.place.file(plan.name)}")


def _tell(act: Act, plan: Plan, undo: ExitStack) -> bool:
    """Change the Act's .env; returns whether there was anything to change."""
    if not plan.changes:
        return False
    values = dict(act.env)
    former = {key: values.get(key) for key in plan.changes}
    undo.callback(_change_back, act, former)
    _as_owner(act, partial(_change, act, plan.changes))
    plan.did.append(f"changed {', '.join(plan.changes)} in {act.env.path}")
    return True


def _serve(plan: Plan, nginx: Nginx, undo: ExitStack) -> list[str]:
    """Have nginx use what is in place; what to type where it does not run."""
    ports = plan.ports if plan.texts else ()
    if nginx.pid is not None:
        plan.did.append(_READ)
        reload(nginx, ports)
    elif plan.texts and not nginx.has_unit:
        return [f"nginx does not run; type: {nginx.start_command}"]
    elif plan.texts:
        undo.callback(stop)
        start(ports)
        plan.did.append("started nginx")
    return []


def _restart(act: Act, plan: Plan) -> None:
    if act.state not in _NOT_LOADED:
        _as_owner(act, act.restart)
        plan.did.append(f"restarted {act.name}")


def _as_owner(act: Act, errand: Callable[[], object]) -> None:
    """Do what changes files of the Venue as the user that it belongs to."""
    as_user.run_as(users.stand_in(act.paths.venue.top), errand)


def _change(act: Act, changes: Mapping[str, str | None]) -> None:
    present = dict(act.env)
    act.env.set({key: value for key, value in changes.items() if value is not None})
    if gone := [key for key, value in changes.items() if value is None and key in present]:
        act.env.unset(*gone)


def _change_back(act: Act, former: Mapping[str, str | None]) -> None:
    with suppress(BackstageError):
        _as_owner(act, partial(_change, act, former))
        if act.state not in _NOT_LOADED:
            _as_owner(act, partial(act.restart, wait=None))


def _reload_old(nginx: Nginx, plan: Plan) -> None:
    if _READ in plan.did:
        with suppress(BackstageError):
            reload(nginx, ())


def _sweep(nginx: Nginx, plan: Plan) -> None:
    """After the last site, leave no directory of ours, unless somebody else put something there."""
    if not plan.texts:
        page = nginx.pages / _AWAY
        if page.exists() and page.read_bytes() == _shipped_page():
            page.unlink()
        for directory in (nginx.pages, nginx.challenges):
            with suppress(OSError):
                directory.rmdir()


def _shipped_page() -> bytes:
    return (shelf("scaffolds") / "nginx" / _AWAY).read_bytes()


def _bound(plan: Plan, notes: Iterable[str]) -> Bound:
    return Bound(
        site=plan.site,
        file=plan.place.file(plan.name),
        origin=plan.listening.origin(plan.site.domains[0], tls=plan.site.tls is not None),
        did=tuple(plan.did),
        notes=tuple(notes),
    )


def _make_public(*directories: Path) -> None:
    for directory in directories:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Whatever the umask of whoever runs this.
        directory.chmod(0o755)
