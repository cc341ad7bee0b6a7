"""The functions that most programs need, such as new_venue, new_act and use_venue.

Importing this module is cheap; each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .act import Act
    from .facts.relocations import Relocation
    from .facts.renewals import Upgrade
    from .operations.deploy import Deployed
    from .operations.new_venue import Progress
    from .venue import Venue

__all__ = [
    "deploy_act",
    "new_act",
    "new_venue",
    "relocate_venue",
    "rename_act",
    "retire_venue",
    "rollback_act",
    "unretire_act",
    "unretire_venue",
    "upgrade_venue",
    "use_venue",
    "venue_from_cwd",
]


def new_venue(
    name: str,
    path: str | Path = ".",
    *,
    python: str | Path | None = None,
    requirements: str | Path | Sequence[str] | None = None,
    start: bool = True,
    progress: Progress | None = None,
) -> Venue:
    """Create the Venue `path/name`, start its Emperor, and return when it is ready.

    An existing Venue is opened instead, and a half-built one is finished. `python` is a version
    ('3.12') or an executable, by default the Python that runs this. `requirements` is the path of
    a requirements file or a list of requirements. `progress` is called with a `Step` as each step
    begins. On an error, nothing is left behind.

    Raises NameNotAllowed, NotAVenue, EnvironmentFailed, CannotWrite, UnsafeDirectory,
    EmperorFailed.
    """
    from .operations.new_venue import VenuePlan, create

    wanted = Path(requirements) if isinstance(requirements, str) else requirements
    plan = VenuePlan(python=python, requirements=wanted, start=start, progress=progress)
    return create(name, path, plan)


def new_act(
    venue: Venue,
    name: str,
    *,
    template: str | Path = "django",
    port: int | None = None,
    start: bool = True,
    source: str | Path = "",
    ref: str = "",
    variables: Mapping[str, str] | None = None,
    files: Mapping[str, str | Path] | None = None,
) -> Act:
    """Create the Act `name` in a Venue, start it, and return when it answers.

    With `source`, a project of yours is adopted and deployed: a directory, a git repository with
    the branch, tag or commit `ref`, an archive, or `name==version` from the index; `variables` are
    written into its .env, and `files` are put into each release, by their place in the code. If
    that fails, nothing runs, and acts/NAME stays, to be mended; then
    repeat the call.

    An existing Act is opened and started instead, and a half-built one is finished. A project that
    is already in `acts/NAME` is used unchanged. `template` is 'django' or anything that Django's
    `startproject --template` accepts; `port` overrides the choice from the Venue's range. On an
    error, nothing is left behind but what the Act said, in log/NAME.failed.log.

    Raises NameNotAllowed, PortUnavailable, ActFailed, CannotWrite; with a source also
    SourceRefused, ProjectRefused, EnvironmentFailed, SettingsError.
    """
    if source:
        from .operations.adopt import adopt
        from .projects.project_file import ProjectFile

        known = ProjectFile(source=str(source), ref=ref)
        placed = {place: Path(file) for place, file in (files or {}).items()}
        given = variables or {}
        return adopt(venue, name, known, variables=given, files=placed, port=port, start=start)[0]
    from .operations.new_act import create

    return create(venue, name, template=template, port=port, start=start)


def unretire_act(venue: Venue, name: str, *, new_name: str = "", start: bool = True) -> Act:
    """Bring a retired Act back, and start it if it was to run when it was retired.

    `name` is that of the Act, or of its directory in `retired/` if not the last of several is
    meant; `new_name` is another name for it. Its project, data and logs are where they were; if its
    port is taken, it gets another one. On an error, it stays retired.

    Raises NameNotAllowed, NoSuchAct if there is none, ActFailed if its name is taken,
    PortUnavailable, CannotWrite, and what `act.start` raises.
    """
    from .operations.unretire import unretire

    return unretire(venue, name, start=start, new_name=new_name)


def deploy_act(act: Act, ref: str = "") -> Deployed:
    """Make a new release of an adopted Act live, beside the one that serves until then.

    `ref` is a branch, tag or commit, by default that of project.yaml. Code that does not answer
    never goes live. Raises what `new_act` with a source does, CheckFailed, and Busy if another
    process deploys the Act: the former release serves on.
    """
    from .operations.deploy import deploy

    return deploy(act, ref=ref)


def rollback_act(act: Act, release: str = "") -> Deployed:
    """Make a former release live again: its code, its packages and its .env, in one switch.

    `release` is its id, by default the last good one before the live one from which nobody has gone
    back. Raises ActFailed if there is none, and CheckFailed if it does not answer any more.
    """
    from .operations.deploy import rollback

    return rollback(act, release)


def rename_act(act: Act, name: str) -> Act:
    """Give an Act another name, and return it as it is then; it runs if it was to run.

    Its project, data, logs, port, domains and settings in venue.yaml stay its own; its Python
    package keeps its name. Visitors wait or get nginx's page while it stops and starts. On an
    error, everything is restored; only if it does not start any more, it has the new name.

    Raises NameNotAllowed, ActFailed if it would not start again, NotAllowed if only root may change
    its domains, SettingsError, SiteRefused, CannotWrite, and what `act.start` raises.
    """
    from .operations.rename import rename
    from .venue import Venue

    return rename(Venue(act.paths.venue), act.name, name)[0]


def retire_venue(venue: Venue) -> Path:
    """Stop a Venue and move it away, with everything in it; returns where it is then.

    That is beside its place, as `NAME.retired-DATE`. Its Acts are unbound from their domains, its
    unit is uninstalled, and it is no longer in the register. Nothing is deleted. On an error,
    everything is restored.

    Raises NotAllowed if only root may do that, SiteRefused, ServiceFailed, CannotWrite.
    """
    from .operations.retire_venue import retire

    return retire(venue)


def unretire_venue(path: str | Path) -> Venue:
    """Bring a retired Venue back to where it was, served and running as before.

    `path` is where it is now. As root for another user's Venue, domains are not bound again. On an
    error, it stays retired. Raises NotAVenue if it is none that was retired or if its place is
    taken, and what `nginx bind` and `start` raise.
    """
    from .operations.retire_venue import unretire

    return unretire(Path(path).expanduser().resolve())[0]


def use_venue(path: str | Path) -> Venue:
    """Open the Venue at `path`; its Emperor is neither started nor stopped.

    Another user's Venue that is shared with a group of this user's is opened for what its members
    may do; the rest raises NotAllowed. Raises NotAVenue, SettingsError, VenueMoved for one that was
    moved or copied, and SystemRefused; for a Venue of another's NotYours for a user who is not in
    the group, EmperorFailed if its watcher does not run.
    """
    from .sharing.opening import open_venue

    return open_venue(path)


def venue_from_cwd() -> Venue:
    """Open the Venue that contains the current directory. Raises NotAVenue, SettingsError."""
    from .layout.registry import here, venue_above

    return use_venue(venue_above(here()))


def relocate_venue(path: str | Path, *, dry_run: bool = False) -> Relocation:
    """Make a Venue that was moved or copied work where it is, or tell what `dry_run` would do.

    What names its former path gets the new one. A copy gets ports of its own; its original, if that
    is still there, is not touched. If an Emperor runs in the Venue, it is stopped before and
    started after.

    Raises NotAVenue, NameNotAllowed, NotAllowed, PortUnavailable, CannotWrite, SiteRefused,
    ServiceFailed after everything was undone, Busy if another process relocates the Venue, and what
    `venue.start` raises.
    """
    from .operations.relocate import plan, relocate

    return (plan if dry_run else relocate)(path)


def upgrade_venue(venue: Venue, *, restart_emperor: bool = False, dry_run: bool = False) -> Upgrade:
    """Renew what a Venue got from an earlier version of this library, or tell what `dry_run` would.

    Files that were edited are kept, and the new ones are put beside them. Acts that use a renewed
    template restart one after the other and lose no request; stopped Acts stay stopped. What needs
    a new Emperor is done only with `restart_emperor`, since all Acts are away meanwhile.

    Raises UpgradeFailed after everything was undone, Busy if another process upgrades the Venue,
    NotAllowed.
    """
    from .operations.upgrade import plan, upgrade

    return (plan if dry_run else upgrade)(venue, restart_emperor=restart_emperor)
