"""`backstage systemd`: the unit that runs the Emperor of a Venue."""

from __future__ import annotations

from dataclasses import dataclass

import click

from ...errors import NotAllowed, ServiceFailed
from ...facts.command_line import quote
from ...operations import install_unit
from ...operations.install_unit import Installation
from ...system import seals, users
from ...systemd import client
from ...systemd.client import Service
from ..exits import Exit
from ..options import command
from ..results import Document, Result
from ..session import Session
from ..terminal import wording
from ..terminal.screen import Screen

_EXAMPLES = """
sudo backstage systemd install                  # runs as the Venue's owner
sudo backstage systemd install --run-as shows   # who gets its files, too
backstage systemd install --user                # without root
backstage systemd status
backstage systemd show > unit.txt               # what install would write
sudo backstage systemd uninstall
"""
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.SYSTEM, Exit.LATE, Exit.BUSY)
_PROPERTIES = (
    *("ActiveState", "SubState", "UnitFileState", "MainPID", "NRestarts", "MemoryCurrent"),
    *("DropInPaths", "NeedDaemonReload"),
)
_NO_NUMBER = "[not set]"


@dataclass(frozen=True)
class _Wish:
    own: bool
    run_as: str
    yes: bool


@command("systemd", examples=_EXAMPLES, exits=_EXITS)
@click.argument("verb", type=click.Choice(["install", "show", "status", "uninstall"]))
@click.option("--user", "own", is_flag=True, help="Use your own user manager, without root.")
@click.option("--run-as", default="", metavar="NAME", help="Run as this user (default: the owner).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def systemd_(session: Session, verb: str, own: bool, run_as: str, yes: bool) -> Result:
    """Run the Venue's Emperor under systemd.

    `install` shows the unit and asks you to confirm. It then checks, installs, enables and starts
    the unit, which replaces a running Emperor. The unit starts at boot and restarts within a second
    if it is killed. Limits and logs come from venue.yaml; after you change it, install again. A
    unit that you have edited is replaced only if you confirm or use --yes. `show` prints the
    installed unit, or the one that would be installed. `status` shows its state. `uninstall` stops
    the Emperor and removes the unit.

    System units need root. They run as the Venue's owner, or as the user of `--run-as`, who then
    owns the Venue's files. With `--run-as root`, each Act runs as its own user, set by `run_as` in
    venue.yaml. User units (`--user`) need no root. To keep them running while you are logged out,
    type once: `sudo loginctl enable-linger $USER`.
    """
    session.keeps_root = True
    if (own or run_as) and verb not in {"install", "show"}:
        raise click.UsageError("--user and --run-as work only with install and show")
    if own and run_as:
        raise click.UsageError("a user unit always runs as you; drop --run-as")
    wish = _Wish(own, run_as, yes)
    actions = {"install": _install, "show": _show, "status": _status, "uninstall": _uninstall}
    return actions[verb](session, wish)


def _install(session: Session, wish: _Wish) -> Result:
    plan = install_unit.plan(session.venue, own=wish.own, run_as=wish.run_as)
    install_unit.refuse_unless_possible(plan)
    document: Document = {"unit": plan.service.name, "path": str(plan.service.path)}
    if not session.as_json:
        _present(session.screen, plan)
    if not wish.yes and not _agreed(session, plan):
        return Result(document, lambda screen: screen.line("Nothing has changed"), Exit.INTERRUPTED)
    with session.screen.waiting(f"Starting {plan.service.name}"):
        service = install_unit.install(plan)
    running = _seen(session, service)

    def show(screen: Screen) -> None:
        screen.line(f"{service.name} is installed, enabled and {running['state']}")
        for hint in _hints(session, service):
            screen.hint(hint)

    return Result({**document, **running}, show)


def _present(screen: Screen, plan: Installation) -> None:
    """Show what will be done before doing it."""
    screen.line(plan.text)
    pid = plan.venue.emperor.pid
    steps = [f"write {plan.service.path}, as shown above"]
    if plan.hands_over and plan.account:
        name = plan.account.pw_name
        steps.insert(0, f"give {plan.venue.path} and everything in it to {name}")
    if pid:
        steps.insert(0, f"stop the running Emperor, pid {pid}; its Acts continue under the new one")
    steps.append("start it now and at every boot")
    for number, step in enumerate(steps, 1):
        screen.line(f"{number}. {step}")


def _agreed(session: Session, plan: Installation) -> bool:
    if plan.is_edited:
        question = f"{plan.service.path} was edited. Replace it?"
        if not session.screen.is_terminal or session.as_json:
            raise ServiceFailed(
                f"{plan.service.path} was edited after it was installed; to replace it, type: "
                "backstage systemd install --yes. To keep your settings, move them into a drop-in: "
                f"{plan.service.command('edit')}"
            )
    else:
        question = "Continue?"
        if not session.screen.is_terminal or session.as_json:
            return True
    return click.confirm(question, err=True)


def _show(session: Session, wish: _Wish) -> Result:
    installed = client.service_of(session.venue.path)
    if installed and not (wish.own or wish.run_as):
        path, text = installed.path, installed.text
    else:
        plan = install_unit.plan(session.venue, own=wish.own, run_as=wish.run_as)
        path, text = plan.service.path, plan.text
    document = {"path": str(path), "installed": bool(installed), "text": text}
    return Result(document, lambda screen: screen.line(text.rstrip("\n")))


def _status(session: Session, _: _Wish) -> Result:
    service = client.service_of(session.venue.path)
    if service is None:
        raise ServiceFailed(
            f"no unit runs {session.venue.path}; to install one, type: backstage systemd install"
        )
    seen = _seen(session, service)

    def show(screen: Screen) -> None:
        for title, text in _rows(seen).items():
            screen.line(f"{title:<10}{text}")
        for hint in _hints(session, service):
            screen.hint(hint)

    return Result(seen, show, Exit.DONE if seen["state"] == "active" else Exit.FAILED)


def _uninstall(session: Session, wish: _Wish) -> Result:
    service = client.service_of(session.venue.path)
    asks = session.screen.is_terminal and not session.as_json and not wish.yes
    if service and asks:
        question = f"Stop the Emperor and all its Acts, and remove {service.path}?"
        if not click.confirm(question, err=True):
            return Result({}, lambda screen: screen.line("Nothing has changed"), Exit.INTERRUPTED)
    gone = install_unit.uninstall(session.venue)

    def show(screen: Screen) -> None:
        screen.line(f"{gone.name} is stopped and removed")
        if gone.drop_ins.exists():
            screen.hint(f"Your own settings remain in {gone.drop_ins}")
        screen.hint("To run the Acts without systemd, type: backstage venue start")

    return Result({"unit": gone.name, "path": str(gone.path)}, show)


def _seen(session: Session, service: Service) -> dict[str, object]:
    facts = service.show(*_PROPERTIES)
    memory = facts.get("MemoryCurrent", _NO_NUMBER)
    return {
        "unit": service.name,
        "path": str(service.path),
        "own": service.own,
        "state": facts.get("ActiveState", ""),
        "detail": facts.get("SubState", ""),
        "enabled": facts.get("UnitFileState", "") == "enabled",
        "emperor": session.venue.emperor.pid,
        "restarts": int(facts.get("NRestarts") or 0),
        "memory": int(memory) if memory.isdecimal() and len(memory) < 19 else None,
        "exposure": client.exposure(service),
        "edited": seals.is_edited(service.text),
        "drop_ins": facts.get("DropInPaths", "").split(),
    }


def _rows(seen: Document) -> dict[str, str]:
    enabled = "starts at boot" if seen["enabled"] else "does not start at boot"
    told = {
        "Unit": f"{seen['unit']}, {'a user unit' if seen['own'] else 'a system unit'}",
        "File": f"{seen['path']}{', edited' if seen['edited'] else ''}",
        "State": f"{seen['state']} ({seen['detail']}), {enabled}",
        "Emperor": f"running, pid {seen['emperor']}" if seen["emperor"] else "not running",
        "Restarts": str(seen["restarts"]),
    }
    if isinstance(seen["memory"], int):
        told["Memory"] = wording.size(seen["memory"])
    if seen["exposure"]:
        told["Exposure"] = f"{seen['exposure']} of 10, according to systemd-analyze security"
    if isinstance(seen["drop_ins"], list) and seen["drop_ins"]:
        told["Drop-ins"] = ", ".join(seen["drop_ins"])
    return told


def _hints(session: Session, service: Service) -> list[str]:
    """What the operator should know besides the state."""
    hints = []
    user = users.mine()
    if service.own and not client.lingers(user):
        hints.append(
            f"It stops when {user} logs out and does not start at boot. To change that, type: "
            f"sudo loginctl enable-linger {quote(user)}"
        )
    if _is_stale(session, service):
        hints.append("venue.yaml has changed; to apply it, type: backstage systemd install")
    limited = [name for name, act in session.venue.settings.acts.items() if act.limits]
    if limited and not client.divides():
        names = ", ".join(limited)
        hints.append(f"The limits of {names} have no effect: this kernel has no control groups v2")
    return hints


def _is_stale(session: Session, service: Service) -> bool:
    """Whether installing again would change a unit that was not edited."""
    if seals.is_edited(service.text):
        return False
    try:
        run_as = "root" if session.venue.path.stat().st_uid == users.ROOT else ""
        plan = install_unit.plan(
            session.venue, own=service.own, run_as="" if service.own else run_as
        )
    except NotAllowed:
        return True
    return not plan.is_there
