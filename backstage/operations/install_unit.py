"""Running a Venue's Emperor under systemd: installs its unit and uninstalls it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pwd import struct_passwd

from ..errors import BackstageError, NotAllowed, ServiceFailed
from ..facts.command_line import quote
from ..layout import names, registry
from ..layout.former_path import FormerPath
from ..layout.settings import Settings
from ..layout.shipped_files import filled, shelf
from ..system import as_user, files, programs, seals, users
from ..systemd import client
from ..systemd.client import Service
from ..systemd.unit import Unit, finished, unit_names, venue_of
from ..uwsgi import launch
from ..venue import Venue

_ROOT = "root"
_NO_USER = re.compile(r"[^a-z0-9_]+")
# How long to wait for the Emperor to end, in seconds.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Installation:
    """A planned installation: the text of the unit, and the new owner of the Venue's files.

    `present` is the text of the unit that was installed when this was planned.
    """

    venue: Venue
    service: Service
    text: str
    present: str
    account: struct_passwd | None

    @property
    def is_edited(self) -> bool:
        """Whether a unit is installed that somebody has edited."""
        return bool(self.present) and seals.is_edited(self.present)

    @property
    def is_there(self) -> bool:
        """Whether exactly this unit is already installed."""
        return self.present == self.text

    @cached_property
    def hands_over(self) -> bool:
        """Whether the Venue's files get a new owner."""
        return self.account is not None and _owner(self.venue) != self.account.pw_uid


def plan(venue: Venue, *, own: bool, run_as: str = "") -> Installation:
    """Plan the installation of a system unit, or of a user unit if `own`; changes nothing.

    `run_as` is the user that the Emperor runs as, by default the owner of the Venue. Raises
    UnknownUser, SettingsError for an invalid venue.yaml, and NotAllowed if the Emperor would run as
    root without an explicit request.
    """
    names.check_venue_path(venue.path)
    account = None if own else _account(venue, run_as)
    _check_settings(venue.settings, account)
    service = client.free_name(venue.path, own=own)
    text = finished(_unit_text(venue, account), service.name)
    return Installation(venue, service, text, service.text, account)


def refuse_unless_possible(wanted: Installation) -> None:
    """Raise ServiceFailed without systemd, NotAllowed for a system unit without root."""
    if not client.booted():
        raise ServiceFailed(
            "systemd does not run on this machine (no /run/systemd/system), so it cannot run the "
            f"Emperor; type: backstage --venue {quote(wanted.venue.path)} venue start"
        )
    if not wanted.service.own and not users.am_root():
        raise NotAllowed(f"only root can install system units; type: {_again(wanted)}")
    _refuse_other(wanted)


def install(wanted: Installation) -> Service:
    """Install, enable and start the unit; returns when every Act answers or has failed.

    A running Emperor is stopped first; the new one starts its Acts again. On an error, everything
    is restored. Raises NotAllowed, ServiceFailed, CannotWrite.
    """
    service, venue = wanted.service, wanted.venue
    refuse_unless_possible(wanted)
    if service.own:
        # Raises an error that says what to do if the user has no systemd running.
        client.reload_units(own=True)
    if fault := _fault(wanted):
        raise ServiceFailed(f"systemd rejects the unit {service.name}:", fault)
    if wanted.account:
        _check_reach(venue, wanted.account)
    trouble = files.telling_disk_trouble(f"cannot install {service.path}")
    with trouble, registry.installing_units(), ExitStack() as undo:
        _refuse_changed(wanted)
        _stop_emperor(venue, undo)
        if wanted.hands_over and wanted.account:
            former = venue.path.stat()
            undo.callback(files.hand_over, venue.path, former.st_uid, former.st_gid)
            files.hand_over(venue.path, wanted.account.pw_uid, wanted.account.pw_gid)
        facts = service.show("ActiveState", "UnitFileState") if wanted.present else {}
        undo.callback(_put_back, service, wanted.present, facts)
        service.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        files.write_atomically(service.path, wanted.text)
        _as_owner(venue, lambda: launch.prepare_all(venue.paths, venue.settings))
        client.reload_units(own=service.own)
        service.tell("enable", "--quiet")
        service.forgive()
        service.tell("restart")
        undo.pop_all()
    return service


def renewal(venue: Venue) -> Installation | None:
    """The installed unit of a Venue, as this version would write it; None if it would not.

    The user stays the same. Changes nothing.
    """
    service = client.service_of(venue.path)
    if service is None:
        return None
    run_as = _ROOT if _owner(venue) == users.ROOT and not service.own else ""
    wanted = plan(venue, own=service.own, run_as=run_as)
    return None if wanted.is_there else wanted


def renew(wanted: Installation) -> None:
    """Replace the text of an installed unit; it is in force from the next start.

    On an error, everything is restored. Raises ServiceFailed, CannotWrite.
    """
    service = wanted.service
    if fault := _fault(wanted):
        raise ServiceFailed(f"systemd rejects the unit {service.name}:", fault)
    trouble = files.telling_disk_trouble(f"cannot write {service.path}")
    with trouble, registry.installing_units(), ExitStack() as undo:
        _refuse_changed(wanted)
        undo.callback(put_back_text, wanted)
        files.write_atomically(service.path, wanted.text)
        client.reload_units(own=service.own)
        undo.pop_all()


def relocated(venue: Venue, former: Service, path: FormerPath) -> Installation:
    """The unit of a Venue that was moved, as it should be now; edits by hand are kept."""
    text = former.text
    if seals.is_edited(text):
        return Installation(venue, former, path.replaced(text), text, None)
    run_as = _ROOT if _owner(venue) == users.ROOT and not former.own else ""
    wanted = plan(venue, own=former.own, run_as=run_as)
    if former.name not in unit_names(venue.path):
        return wanted
    text = finished(_unit_text(venue, wanted.account), former.name)
    return Installation(venue, former, text, former.text, wanted.account)


def replace(former: Service, wanted: Installation) -> ExitStack:
    """Put the unit of a Venue that was moved in the place of its former one, which is stopped.

    Returns what undoes it. On an error, everything is restored. Raises ServiceFailed, CannotWrite.
    """
    if fault := _fault(wanted):
        raise ServiceFailed(f"systemd rejects the unit {wanted.service.name}:", fault)
    trouble = files.telling_disk_trouble(f"cannot write {wanted.service.path}")
    enabled = former.show("UnitFileState").get("UnitFileState") == "enabled"
    with trouble, registry.installing_units(), ExitStack() as undo:
        undo.callback(_switch, wanted.service, former, former.text, enabled=enabled)
        _switch(former, wanted.service, wanted.text, enabled=enabled)
        return undo.pop_all()


def _switch(before: Service, after: Service, text: str, *, enabled: bool) -> None:
    """Have systemd know one unit instead of another, with the operator's own settings for it."""
    if before.path != after.path:
        _try_all(lambda: before.tell("disable", "--quiet"))
        if before.drop_ins.is_dir() and not after.drop_ins.exists():
            before.drop_ins.rename(after.drop_ins)
    files.write_atomically(after.path, text)
    if before.path != after.path:
        _remove(before)
    client.reload_units(own=after.own)
    if enabled:
        after.tell("enable", "--quiet")


def put_back_text(wanted: Installation) -> None:
    """Restore the text of a unit that `renew` has replaced."""
    files.write_atomically(wanted.service.path, wanted.present)
    client.reload_units(own=wanted.service.own)


def uninstall(venue: Venue) -> Service:
    """Stop the Emperor and remove its unit completely. Returns the removed service.

    Raises ServiceFailed if there is no unit, NotAllowed.
    """
    service = client.service_of(venue.path)
    if service is None:
        raise ServiceFailed(f"no unit runs {venue.path}; type: backstage systemd install")
    if not service.own and not users.am_root():
        command = users.root_command("--venue", str(venue.path), "systemd", "uninstall")
        raise NotAllowed(f"only root can uninstall system units; type: {command}")
    service.tell("disable", "--now", "--quiet")
    _remove(service)
    return service


def _refuse_changed(wanted: Installation) -> None:
    """Refuse a plan if a unit of this name has been installed or edited since."""
    name = client.free_name(wanted.venue.path, own=wanted.service.own)
    if name != wanted.service or name.text != wanted.present:
        raise ServiceFailed(f"{wanted.service.path} has changed meanwhile; run the command again")


def _refuse_other(wanted: Installation) -> None:
    """Refuse a second unit for a Venue: a system unit next to its owner's user unit."""
    venue, own = wanted.venue, wanted.service.own
    home = Path(users.home_of(_owner(venue)))
    other = client.directory(own=False) if own else home / ".config" / "systemd" / "user"
    for name in unit_names(venue.path):
        # Only read, never changed: the files in a home directory can be anything.
        if (other / name).is_file() and (
            not own or venue_of((other / name).read_text()) == venue.path
        ):
            remedy = users.root_command("--venue", str(venue.path), "systemd", "uninstall")
            if not own:
                remedy = f"as {users.name_of(_owner(venue))}: backstage systemd uninstall"
            raise ServiceFailed(f"{other / name} already runs this Venue; type {remedy}")


def _account(venue: Venue, run_as: str) -> struct_passwd:
    owner = _owner(venue)
    if run_as == _ROOT and owner != users.ROOT:
        raise NotAllowed(
            f"{venue.path} belongs to {users.name_of(owner)}, who may have changed what root "
            "would run there; create a Venue as root instead"
        )
    if run_as:
        return users.by_name(run_as)
    if owner == users.ROOT:
        raise NotAllowed(
            f"{venue.path} belongs to root, and services should not run as root. Name the user "
            "to run them, who becomes the owner of its files: --run-as NAME. To create one, type: "
            f"adduser --system --group --home /srv/{_user_for(venue)} {_user_for(venue)}. Or, "
            "to run each Act as its own user, started by root: --run-as root"
        )
    return users.by_name(users.name_of(owner))


def _user_for(venue: Venue) -> str:
    """A name for a user who is to own the Venue: the Venue's, without what no user's may have."""
    return _NO_USER.sub("-", venue.name.lower())[:31].strip("-").lstrip("0123456789") or "venue"


def _check_settings(settings: Settings, account: struct_passwd | None) -> None:
    """Refuse users for Acts if the Emperor cannot switch to them."""
    if account and account.pw_name == _ROOT:
        return
    named = [name for name, act in settings.acts.items() if act.run_as]
    if named:
        raise NotAllowed(
            f"venue.yaml sets run_as for {', '.join(named)}, which needs an Emperor that runs as "
            "root; install with --run-as root, or remove run_as"
        )


def _unit_text(venue: Venue, account: struct_passwd | None) -> str:
    python = venue.paths.python.resolve()
    unit = Unit(
        venue=venue.path,
        python=venue.paths.python,
        user=account.pw_name if account else "",
        group=users.group_of(account) if account else "",
        limits=venue.settings.limits,
        logs=venue.settings.logs,
        places=(venue.path, python),
        drain=venue.settings.drain,
    )
    parts = (filled(shelf("emperor") / name, **unit.markers) for name in unit.hardening)
    hardening = "".join(parts)
    return filled(shelf("emperor") / "backstage.service", hardening=hardening, **unit.markers)


def _fault(wanted: Installation) -> str:
    """The errors that systemd finds in the unit, checked in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        trial = Path(directory) / wanted.service.name
        trial.write_text(wanted.text, encoding="utf-8")
        return client.faults(trial, own=wanted.service.own)


def _check_reach(venue: Venue, account: struct_passwd) -> None:
    """Refuse a user who cannot run the Venue's Python."""
    # Through sh, as setpriv itself keeps root's rights until execve.
    command: list[str | Path] = ["sh", "-c", 'exec "$@"', "sh", venue.paths.python, "-c", ""]
    done = programs.run(command, uid=account.pw_uid, env=programs.service_environment(venue.path))
    if done.returncode:
        python = venue.paths.python.resolve()
        raise NotAllowed(
            f"{account.pw_name} cannot run {python}, the Python of this Venue "
            f"({done.stdout.strip()}); create the Venue with one that everybody can "
            "run, such as --python /usr/bin/python3, in a directory that everybody can enter"
        )


def _stop_emperor(venue: Venue, undo: ExitStack) -> None:
    """Stop an Emperor that the unit has not started; it is started again on failure."""
    service = client.service_of(venue.path)
    if venue.emperor.pid is None or (service and service.at_work):
        return
    undo.callback(_start_again, venue)
    _as_owner(venue, lambda: venue.emperor.end(_PATIENCE))


def _start_again(venue: Venue) -> None:
    if not client.service_of(venue.path):
        _try_all(lambda: _as_owner(venue, venue.start))


def _as_owner(venue: Venue, errand: Callable[[], object]) -> None:
    """Run as the Venue's owner, as files that root creates would belong to root."""
    as_user.run_as(users.stand_in(venue.path), errand)


def _put_back(service: Service, before: str, facts: Mapping[str, str]) -> None:
    """Restore the former unit and its state in `facts`, or remove the new one if there was none."""
    if not before:
        _try_all(lambda: service.tell("disable", "--now"), lambda: _remove(service))
        return
    files.write_atomically(service.path, before)
    client.reload_units(own=service.own)
    enabled = facts.get("UnitFileState") == "enabled"
    _try_all(
        lambda: service.tell("stop" if facts.get("ActiveState") == "inactive" else "restart"),
        service.forgive,
        lambda: service.tell("enable" if enabled else "disable", "--quiet"),
    )


def _remove(service: Service) -> None:
    service.path.unlink(missing_ok=True)
    client.reload_units(own=service.own)
    # Otherwise systemd would remember a failed unit although it is gone.
    _try_all(lambda: service.tell("reset-failed"))


def _try_all(*steps: Callable[[], object]) -> None:
    """Run every step of an undo; a failure does not stop the others."""
    for step in steps:
        try:
            step()
        except BackstageError:
            continue


def _again(wanted: Installation) -> str:
    user = ["--run-as", wanted.account.pw_name] if wanted.account else []
    again = ("--venue", str(wanted.venue.path), "systemd", "install", *user)
    alternative = "; or, for a user unit: backstage systemd install --user"
    return f"{users.root_command(*again)}{alternative}"


def _owner(venue: Venue) -> int:
    return venue.path.stat().st_uid
