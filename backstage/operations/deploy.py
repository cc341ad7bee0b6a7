"""Making a release of an adopted project live, beside the one that serves: all or nothing.

Everything is built and tried first; then the vassal file is rewritten, which loses no request. A
call that was killed has changed nothing but its own directory, which the next one removes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..act import Act
from ..errors import ActFailed, Busy
from ..facts.command_line import join
from ..layout import releases
from ..layout.releases import Outcome, Release
from ..layout.settings import read_settings
from ..projects import discovery, facts, project_file
from ..projects.ask import Silence
from ..projects.discovery import Discovered
from ..projects.facts import ProjectFacts
from ..projects.project import Project, variables
from ..projects.project_file import ProjectFile
from ..sources.fetching import fetch
from ..sources.source import Source
from ..system import programs, umask, users
from ..system.files import contents, remove_tree, telling_disk_trouble, write_atomically
from ..system.locks import holder_of, locked_if_free
from ..uwsgi import log_reasons, release_lines
from ..virtualenvs import declared, interpreters, release_environment

Tell = Callable[[str], None]
_KEPT = 5
_ASKED = (
    "; give it a file that does, as --file local.py=shop/settings/local.py, or name other settings "
    "with --settings"
)


@dataclass(frozen=True)
class Deployed:
    """What a deploy has made live; `notes` say what is left to do or was chosen, a line each."""

    release: Release
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def deploy(act: Act, *, ref: str = "", tell: Tell | None = None) -> Deployed:
    """Build and try a release, and make it live.

    Raises SourceRefused, EnvironmentFailed, ProjectRefused, ActFailed, CheckFailed, CannotWrite,
    SettingsError, and Busy if another process deploys the Act: the former release serves on then.
    """
    _refuse_unfit(act)
    with _alone(act), telling_disk_trouble(f"cannot deploy {act.name}"), umask.closed():
        sweep(act)
        known = project_file.read(act.paths.project_file)
        wanted = Source.of(known.source, ref or known.ref)
        release = releases.begin(act.paths, str(wanted), wanted.ref, users.mine())
        work = _Work(act, known, release, tell or (lambda _: None))
        try:
            done = work.carried_out(wanted)
        except BaseException as error:
            # While the vassal file names it, it is what runs.
            if live_name(act) != release.id:
                for part in (release.code, release.env):
                    remove_tree(part)
                work.release.ended(Outcome.FAILED, _reason(error))
            raise
        work.clear_up()
    return done


def _refuse_unfit(act: Act) -> None:
    if not act.paths.project_file.exists():
        raise ActFailed(act.name, "has no releases, as it was made without --source")
    user = read_settings(act.paths.venue.settings).act(act.name).run_as
    if users.am_root() and user:
        why = f"it has the user {user}, who would own neither its code nor its data"
        raise ActFailed(act.name, "cannot be deployed", why)


def sweep(act: Act) -> None:
    """Remove what killed calls have left behind; what one of them has made live is a release."""
    live = live_name(act)
    for each in releases.known(act.paths):
        if each.outcome is Outcome.BUILDING and each.id == live:
            each.ended(Outcome.READY)
        elif each.outcome is Outcome.BUILDING:
            remove_tree(each.directory)


def live_name(act: Act) -> str:
    """The name of the release that the vassal file names; '' if there is none."""
    try:
        return release_lines.live(act.vassal_text, act.paths.releases)
    except ActFailed:
        return ""


def _reason(error: BaseException) -> str:
    known = error.reason if isinstance(error, ActFailed) else ""
    return known or str(error).partition("\n")[0] or type(error).__name__


@contextmanager
def _alone(act: Act) -> Iterator[None]:
    act.paths.releases.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = act.paths.releases / ".lock"
    with locked_if_free(lock) as is_free:
        if not is_free:
            pid = holder_of(lock)
            who = f"process {pid}" if pid else "another process"
            raise Busy(f"{who} deploys {act.name}; wait until it is done")
        yield


@dataclass
class _Work:
    """One deploy; the steps are methods, in order."""

    act: Act
    known: ProjectFile
    release: Release
    tell: Tell
    notes: list[str] = field(default_factory=list)

    def carried_out(self, source: Source) -> Deployed:
        with self._step("fetch"):
            fetched = fetch(
                source, self.release.code, without=("media", *self.known.media.values())
            )
            self.notes += fetched.notes
            self._put_files()
            self.release = replace(
                self.release, commit=fetched.commit, is_dirty=fetched.is_dirty
            ).write()
        with self._step("build"):
            python = self._environment()
        with self._step("check"):
            found = self._discovered()
            project = self._project(found, python)
            for name in self.known.data:
                self._keep(self.release.code / name)
            told = self._facts(project)
            self._keep_data(told)
        with self._step("static files"):
            self._collect(project, told)
        with self._step("migrations"):
            self._migrate(project, told)
        with self._step("switch"):
            options = self._options(project, python, found, told)
            self.release = replace(self.release, options=options).write()
            changes = switch(self.act, self.release)
        done = self.release.ended(Outcome.READY)
        self._write_down(found, told)
        return Deployed(done, changes, tuple(self.notes))

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.tell(name)
        began = time.monotonic()
        yield
        took = round(time.monotonic() - began, 3)
        self.release = replace(self.release, seconds=(*self.release.seconds, (name, took)))

    def _put_files(self) -> None:
        """Put the operator's files into the release."""
        for place, file in self.known.files.items():
            target = self.release.code / place
            if not Path(file).is_file():
                raise ActFailed(self.act.name, "cannot be deployed", f"there is no file {file}")
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            write_atomically(target, contents(Path(file)), mode=0o600)

    def _environment(self) -> Path:
        """The Python of the release: of its own environment if it declares what it needs."""
        venue = self.act.paths.venue
        wanted = declared.find(self.release.code)
        if wanted is None:
            return venue.python
        former = self._former()
        built = release_environment.build(
            self.release.env,
            self.release.code,
            wanted,
            interpreters.find(venue.python),
            former=former.env if former and former.env.is_dir() else None,
        )
        return built.top / "bin" / "python"

    def _former(self) -> Release | None:
        live = live_name(self.act)
        return next((each for each in releases.known(self.act.paths) if each.id == live), None)

    def _discovered(self) -> Discovered:
        found = discovery.discover(
            self.release.code, manage=self.known.manage, settings=self.known.settings
        )
        for missing in found.unknown:
            tried = ", ".join(missing.tried)
            why = f"{missing.what} was not found; looked in {tried or 'nothing'}"
            words = ["backstage", "new-act", self.act.name, missing.option, "…"]
            raise ActFailed(self.act.name, "cannot be deployed", f"{why}; type: {join(words)}")
        if not found.manage or not found.manage.file:
            raise ActFailed(self.act.name, "cannot be deployed", "the source has no manage.py")
        return found

    def _project(self, found: Discovered, python: Path) -> Project:
        assert found.manage
        environment = {**variables(self.act.paths), "DJANGO_SETTINGS_MODULE": found.settings}
        directory = self.release.code / found.manage.directory
        return Project(self.act.paths, directory, python, environment)

    def _facts(self, project: Project) -> ProjectFacts:
        told = facts.facts_of(project, [self.known.health] if self.known.health else [])
        if isinstance(told, Silence):
            raise ActFailed(self.act.name, "cannot be deployed", project.harmless(told.why))
        if trouble := told.trouble:
            where = f" ({trouble.file}, line {trouble.line})" if trouble.file else ""
            why = f"{trouble.type}: {trouble.message}{where}"
            if trouble.stage == "secret_key" and not trouble.variable:
                why = f"{project.environment['DJANGO_SETTINGS_MODULE']} sets no SECRET_KEY{_ASKED}"
            if trouble.variable:
                words = ["backstage", "env", self.act.name, "set", f"{trouble.variable}=…"]
                why = f"{why}; to set it, type: {join(words)}"
            raise ActFailed(self.act.name, "cannot be deployed", project.harmless(why))
        return told

    def _keep_data(self, told: ProjectFacts) -> None:
        """Have what outlives a release in data/, and in the code a link to it."""
        for each in told.databases:
            if each.file:
                self._keep(Path(each.file))
        if told.media_root:
            self._keep(Path(told.media_root), is_directory=True)

    def _keep(self, path: Path, *, is_directory: bool = False) -> None:
        if not path.is_relative_to(self.release.code) or path.is_symlink():
            return
        kept = self.act.paths.data / path.relative_to(self.release.code)
        kept.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if kept.exists():
            remove_tree(path)
        elif path.exists():
            path.rename(kept)
        elif is_directory:
            kept.mkdir(mode=0o755)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.symlink_to(kept)

    def _collect(self, project: Project, told: ProjectFacts) -> None:
        if told.static_root and "django.contrib.staticfiles" in told.apps:
            self._manage(project, "collectstatic", "--noinput", "--verbosity", "0")
        if told.compressor == "offline":
            self._manage(project, "compress", "--force")

    def _migrate(self, project: Project, told: ProjectFacts) -> None:
        """Apply the migrations that are pending, after a copy of the SQLite files was made."""
        for each in told.databases:
            if not each.pending:
                continue
            if each.file and Path(each.file).is_file():
                self._back_up(each.alias, Path(each.file))
            words = ["migrate", "--noinput", "--verbosity", "0", "--database", each.alias]
            try:
                self._manage(project, *words)
            except BaseException:
                self._restore(each.alias, Path(each.file) if each.file else None)
                raise
            self.release = replace(self.release, migrated=(*self.release.migrated, each.alias))
            self.notes.append(f"{each.pending} migrations of the database {each.alias} applied")

    def _backup(self, alias: str) -> Path:
        return self.release.directory / f"before-{alias}.sqlite3"

    def _back_up(self, alias: str, file: Path) -> None:
        with (
            closing(sqlite3.connect(file)) as live,
            closing(sqlite3.connect(self._backup(alias))) as copy,
        ):
            live.backup(copy)

    def _restore(self, alias: str, file: Path | None) -> None:
        if file and self._backup(alias).exists():
            with (
                closing(sqlite3.connect(self._backup(alias))) as copy,
                closing(sqlite3.connect(file)) as live,
            ):
                copy.backup(live)

    def _manage(self, project: Project, *words: str) -> None:
        done = programs.run(
            [project.python, "manage.py", *words],
            cwd=project.directory,
            env=project.whole_environment,
            uid=users.stand_in(self.act.paths.venue.top, self.act.paths.top),
        )
        if done.returncode:
            why = log_reasons.reason_from(done.stdout) or done.stdout.strip().rpartition("\n")[2]
            what = f"cannot be deployed: `manage.py {words[0]}` failed"
            raise ActFailed(self.act.name, what, project.harmless(why), done.stdout.strip())

    def _options(
        self, project: Project, python: Path, found: Discovered, told: ProjectFacts
    ) -> tuple[tuple[str, str], ...]:
        """What the vassal file says of the release."""
        own = python.parents[1]
        options = [("chdir", str(project.directory))]
        if own != self.act.paths.venue.top:
            options += [("virtualenv", str(own)), ("py-sys-executable", str(python))]
        application = self.known.wsgi or told.wsgi or found.wsgi
        options += [("module", application), ("env", f"DJANGO_SETTINGS_MODULE={found.settings}")]
        if told.static_root and told.static_url.startswith("/") and not told.whitenoise:
            options.append(("static-map", f"{told.static_url.rstrip('/')}={told.static_root}"))
        if health := self.known.health or next(iter(told.health), "") or told.login:
            options.append(("set-placeholder", f"health={health}"))
        return tuple(options)

    def _write_down(self, found: Discovered, told: ProjectFacts) -> None:
        """Fill what project.yaml does not say yet with what was found; what it says stays.

        But for the ref: the next deploy without one is of what was deployed last.
        """
        companions = {each.name: each.command for each in found.companions}
        health = next(iter(told.health), "")
        seen: dict[str, project_file.Value] = {
            **{"manage": str(found.manage), "settings": found.settings, "health": health},
            **{"wsgi": told.wsgi or found.wsgi, "asgi": told.asgi or found.asgi},
            "companions": companions,
        }
        new = {key: each for key, each in seen.items() if each and not self.known.value(key)}
        if self.release.ref != self.known.ref:
            new["ref"] = self.release.ref
        if new:
            text = project_file.changed(self.act.paths.project_file, new)
            write_atomically(self.act.paths.project_file, text)

    def clear_up(self) -> None:
        """Remove old releases, but never the one before, nor the live one."""
        live = live_name(self.act)
        keep = max(2, int(self.known.keep or _KEPT))
        for each in _good(self.act)[:-keep]:
            if each.id != live:
                remove_tree(each.directory)
        failed = [each for each in releases.known(self.act.paths) if each.outcome is Outcome.FAILED]
        for each in failed[:-keep]:
            remove_tree(each.directory)


def rollback(act: Act, name: str = "") -> Deployed:
    """Make a former release live again: its code, its packages and its .env, in one switch.

    `name` is that of a release, by default the last good one before the live one from which nobody
    has gone back. Raises ActFailed
    if there is none, CheckFailed if it does not answer any more, and what `act.rewrite` raises:
    then nothing has changed.
    """
    with _alone(act), telling_disk_trouble(f"cannot roll {act.name} back"):
        good, live = _good(act), live_name(act)
        goal = _goal(act, good, live, name)
        since = [alias for each in good if each.at > goal.at for alias in each.migrated]
        notes = [
            f"the database {alias} has migrations of later releases; they were not undone"
            for alias in dict.fromkeys(since)
        ]
        changes = switch(act, goal)
        for each in good:
            if each.id in {live, goal.id}:
                replace(each, is_withdrawn=each.id == live and each.at > goal.at).write()
        return Deployed(goal, changes, tuple(notes))


def switch(act: Act, release: Release) -> tuple[str, ...]:
    """Have the vassal file name this release, with the .env that it had; returns the changes.

    Its code is tried first. If that fails, or it does not run in time, all is as before.
    """
    before = _text(act.paths.env_file)
    former = next((e for e in releases.known(act.paths) if e.id == live_name(act)), None)
    if former and former.id != release.id and before is not None:
        write_atomically(former.former_env, before, mode=0o600)
    with ExitStack() as undo:
        text = act.vassal_text
        undo.callback(_put_back, act, text)
        kept = _text(release.former_env)
        if kept is not None and kept != before:
            undo.callback(_put, act.paths.env_file, before)
            _put(act.paths.env_file, kept)
        changes = act.rewrite(release_lines.replaced(text, release.options), based_on=text)
        undo.pop_all()
    return changes


def _put_back(act: Act, text: str) -> None:
    """Have the vassal file as it was, if it was written already; it ran like that before."""
    act.rewrite(text, based_on=act.vassal_text, wait=None, check=False)


def _text(path: Path) -> bytes | None:
    return contents(path) if path.exists() else None


def _put(path: Path, text: bytes | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, text, mode=0o600)


def _good(act: Act) -> list[Release]:
    return [each for each in releases.known(act.paths) if each.outcome is Outcome.READY]


def _goal(act: Act, good: list[Release], live: str, name: str) -> Release:
    ids = [each.id for each in good]
    before = good[: ids.index(live)] if live in ids else good
    trusted = [each for each in before if not each.is_withdrawn]
    chosen = [each for each in good if each.id == name] if name else trusted[-1:]
    if not chosen:
        there = ", ".join(ids) or "none"
        what = f"has no release {name}" if name else "has no release before the live one"
        raise ActFailed(act.name, f"{what}; there is: {there}")
    return chosen[0]
