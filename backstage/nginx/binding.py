"""Binding Acts to domains in nginx, completely or not at all."""

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
from . import certbot
from .plan import BindRequest, Plan, bind_words, plan_binding, plan_unbinding, refuse_edited
from .program import Nginx, find
from .reload import reload, start, stop
from .site import SHARED, Site, Tls
from .sites_directory import FileBackup
from .step import Deed, Step, carry_out

_AWAY = "away.html"
# In these states, a changed .env is read with the next start anyway.
_NOT_LOADED = frozenset({State.STOPPED, State.WAITING, State.SLEEPING, State.FAILING})


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound site and its file; `edited` tells whether the file was edited by hand.

    `steps` are the steps that a call has carried out, `notes` what is left to do, one line each;
    `runs` tells whether nginx runs.
    """

    site: Site
    file: Path
    origin: str
    edited: bool = False
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    runs: bool = True


def bind(act: Act, request: BindRequest, nginx: Nginx | None = None) -> Bound:
    """Have nginx serve an Act under these domains, instead of those it had before.

    Returns when nginx serves them and the Act accepts their names. With `automatic`, certbot is run
    if it can be, and the site gets its certificate. Raises SiteRefused, NotAllowed,
    PortUnavailable, CannotWrite or what `act.restart` raises; then everything is restored.
    """
    nginx = nginx or find()
    with _at_work(nginx, act, bind_words(act.name, request)):
        plan = plan_binding(act, request, nginx)
        done = carry_out(_steps(act, plan, nginx))
        if plan.site.automatic and plan.site.tls is None and certbot.is_ready(nginx):
            plan, more = _with_certificate(act, request, plan, nginx)
            done += more
    return _bound(plan, done, nginx)


def unbind(act: Act, nginx: Nginx | None = None, *, replace_edited: bool = False) -> Bound:
    """Have nginx stop serving an Act, and remove from its .env what `bind` has added.

    The Act need not exist any more. Raises as `bind` does.
    """
    nginx = nginx or find()
    with _at_work(nginx, act, ["unbind", act.name]):
        place = nginx.place()
        present = place.site_of(act.paths)
        if present is None:
            raise SiteRefused(f"{act.name} is not bound to a domain; there is nothing to do")
        refuse_edited(present, replace_edited)
        plan = plan_unbinding(act, present, nginx, place)
        done = carry_out(_steps(act, plan, nginx))
    _sweep(nginx, plan)
    return _bound(plan, done, nginx)


def bound(venue_paths: VenuePaths, nginx: Nginx | None = None) -> list[Bound]:
    """The bound sites of a Venue, sorted by Act."""
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
    """The absolute paths of a certificate and its key, links not resolved."""
    # The target of a link changes with each renewal.
    return Tls(str(Path(certificate).absolute()), str(Path(key).absolute()))


def _with_certificate(
    act: Act, request: BindRequest, plan: Plan, nginx: Nginx
) -> tuple[Plan, tuple[Step, ...]]:
    """The plan with a certificate, and what was done for it; without one, the site stays as it is.

    The authority asks nginx for the proof, so this begins when the site is served without TLS.
    """
    if why := certbot.obtain(nginx, plan.site):
        return _noted(plan, f"certbot got no certificate: {why}"), ()
    got = Step(Deed.GET_CERTIFICATE, _nothing, _nothing, details=plan.site.names)
    try:
        # The site that was just written is ours.
        secured = plan_binding(act, replace(request, replace_edited=True), nginx)
        return secured, (got, *carry_out(_steps(act, secured, nginx)))
    except BackstageError as error:
        return _noted(plan, f"the certificate is not used yet: {error}"), (got,)


def _noted(plan: Plan, note: str) -> Plan:
    return replace(plan, notes=(note, *plan.notes))


def _nothing() -> None:
    """There is nothing to do, or to undo: a certificate that nobody uses does no harm."""


@contextmanager
def _at_work(nginx: Nginx, act: Act, words: Iterable[str]) -> Iterator[None]:
    venue = str(act.paths.venue.top)
    nginx.refuse_foreign("--venue", venue, "nginx", *words)
    with telling_disk_trouble("changing what nginx serves"):
        _make_public(nginx.state)
        with locked(nginx.lock, "changing what nginx serves"):
            yield


def _steps(act: Act, plan: Plan, nginx: Nginx) -> Iterator[Step]:
    """The steps in order; each is decided only when those before it are done."""
    yield _site_step(plan, nginx)
    if plan.changes:
        yield _env_step(act, plan)
    ports = plan.ports if plan.texts else ()
    if nginx.pid is not None:
        yield Step(Deed.RELOAD_NGINX, partial(reload, nginx, ports), partial(reload, nginx, ()))
    elif plan.texts and nginx.has_unit:
        yield Step(Deed.START_NGINX, partial(start, ports), stop)
    if plan.changes and _is_loaded(act):
        restart, restart_back = partial(_as_owner, act, act.restart), partial(_read_again, act)
        yield Step(Deed.RESTART_ACT, restart, restart_back, subject=act.name)


def _site_step(plan: Plan, nginx: Nginx) -> Step:
    paths = [path for name in (SHARED, plan.name) for path in plan.place.paths(name)]
    backups = [FileBackup.of(path) for path in paths]
    deed = Deed.WRITE_SITE if plan.name in plan.texts else Deed.REMOVE_SITE
    put, put_back = partial(_put_in_place, plan, nginx), partial(_put_back, backups)
    return Step(deed, put, put_back, subject=str(plan.place.file(plan.name)))


def _put_in_place(plan: Plan, nginx: Nginx) -> None:
    """Write the files and have nginx check its whole configuration."""
    _make_public(nginx.pages, nginx.challenges)
    if not (nginx.pages / _AWAY).exists():
        write_atomically(nginx.pages / _AWAY, _shipped_page())
    for name in (SHARED, plan.name):
        if name in plan.texts:
            plan.place.write(name, plan.texts[name])
        else:
            plan.place.remove(name)
    if said := nginx.fault():
        raise SiteRefused("nginx rejects its configuration with this change", said)


def _put_back(backups: Iterable[FileBackup]) -> None:
    with ExitStack() as stack:
        for backup in backups:
            stack.callback(backup.put_back)


def _env_step(act: Act, plan: Plan) -> Step:
    values = dict(act.env)
    former = {key: values.get(key) for key in plan.changes}
    change = partial(_change_env, act, plan.changes)
    change_back = partial(_change_env_back, act, former, was_loaded=_is_loaded(act))
    path, keys = str(act.env.path), tuple(plan.changes)
    return Step(Deed.CHANGE_ENV, change, change_back, subject=path, details=keys)


def _change_env(act: Act, changes: Mapping[str, str | None]) -> None:
    _as_owner(act, partial(_change, act, changes))


def _change_env_back(act: Act, former: Mapping[str, str | None], *, was_loaded: bool) -> None:
    _change_env(act, former)
    if not was_loaded:
        # It may have started in the meantime, with the settings that are now undone.
        _read_again(act)


def _read_again(act: Act) -> None:
    """Make a running Act read its .env again, without waiting for it."""
    if _is_loaded(act):
        _as_owner(act, partial(act.restart, wait=None))


def _is_loaded(act: Act) -> bool:
    """Whether it has read its .env, and needs a restart to read it again."""
    return act.state not in _NOT_LOADED


def _as_owner(act: Act, errand: Callable[[], object]) -> None:
    """Run what changes files of the Venue as its owner."""
    as_user.run_as(users.stand_in(act.paths.venue.top), errand)


def _change(act: Act, changes: Mapping[str, str | None]) -> None:
    present = dict(act.env)
    act.env.set({key: value for key, value in changes.items() if value is not None})
    if gone := [key for key, value in changes.items() if value is None and key in present]:
        act.env.unset(*gone)


def _sweep(nginx: Nginx, plan: Plan) -> None:
    """Remove our directories with the last site, unless they contain other files."""
    if not plan.texts:
        page = nginx.pages / _AWAY
        if page.exists() and page.read_bytes() == _shipped_page():
            page.unlink()
        for directory in (nginx.pages, nginx.challenges):
            with suppress(OSError):
                directory.rmdir()


def _shipped_page() -> bytes:
    return (shelf("scaffolds") / "nginx" / _AWAY).read_bytes()


def _bound(plan: Plan, done: tuple[Step, ...], nginx: Nginx) -> Bound:
    runs = nginx.pid is not None
    is_needed = bool(plan.texts) and not runs
    to_start = [f"nginx does not run; type: {nginx.start_command}"] if is_needed else []
    return Bound(
        site=plan.site,
        file=plan.place.file(plan.name),
        origin=plan.listening.origin(plan.site.domains[0], tls=plan.site.tls is not None),
        steps=done,
        notes=(*plan.notes, *to_start),
        runs=runs,
    )


def _make_public(*directories: Path) -> None:
    for directory in directories:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Regardless of the caller's umask.
        directory.chmod(0o755)
