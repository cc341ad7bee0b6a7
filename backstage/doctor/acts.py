"""Examining Acts: why they fail, and whether their vassal files can work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ..facts.command_line import quote
from ..facts.faults import Fault
from ..facts.states import PASSING, State
from ..layout.paths import ActPaths
from ..projects.dotenv import DotEnv
from ..projects.masking import secrets_in, veiled
from ..status import explanation
from ..status.survey import Look, Survey
from ..system.deadlines import Deadline
from ..system.files import contents
from ..system.sockets import in_use
from ..uwsgi import dry_run, vassal_files
from .finding import Finding, Remedy, note, ok, trouble, warning

# How long to wait for Acts in a passing state, and how often to look at them, in seconds.
_PATIENCE, _PAUSE = 3.0, 0.1


def examine(survey: Survey, names: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with each of these Acts, apart from Django's own checks."""
    # How one that is not complete is completed is told with the leftovers.
    whole = [name for name in names if not survey.paths.act(name).preparing.exists()]
    for name, look in _settled(survey, whole).items():
        act = survey.paths.act(name)
        found = [*_act(act, look)]
        yield from found
        if not found:
            port = f" on port {look.address.port}" if look.address and look.pid else ""
            yield ok(name, f"{look.state}{port}")


def _settled(survey: Survey, names: Sequence[str]) -> dict[str, Look]:
    """Looks at Acts; those in a passing state get some time to settle.

    A failing Act is retried again and again, so a single look may find it starting.
    """
    looks, deadline = survey.look_at(names), Deadline(_PATIENCE)
    while passing := [name for name, look in looks.items() if look.state in PASSING]:
        if deadline.expired:
            break
        time.sleep(_PAUSE)
        looks.update(survey.look_at(passing))
    return looks


def _act(act_paths: ActPaths, look: Look) -> Iterator[Finding]:
    """What is wrong with an Act, apart from Django's own checks."""
    name = quote(act_paths.name)
    if look.state is State.FAILING:
        told = explanation.why(act_paths, look) or dry_run.fault(act_paths)
        why = _harmless(act_paths, str(told or "its logs do not say why"))
        words = f"fix that (its log is {act_paths.log}), then"
        remedy = Remedy(words, f"backstage start {name}")
        yield trouble(act_paths.name, f"fails: {why}", remedy)
    elif look.state is State.UNHEALTHY:
        why = _harmless(act_paths, explanation.why(act_paths, look))
        words = f"fix that (its log is {act_paths.log}), then"
        remedy = Remedy(words, f"backstage restart {name}")
        yield trouble(act_paths.name, f"does not answer well: {why}", remedy)
    elif look.state is State.WAITING:
        yield note(act_paths.name, "waits for the Emperor", Remedy(command="backstage venue start"))
    elif look.state in PASSING:
        yield note(act_paths.name, f"is {look.state}")
    if look.refused:
        words = "it keeps running as before; to fix the file,"
        remedy = Remedy(words, f"backstage edit {name}")
        yield warning(
            act_paths.name,
            f"an edit is not used: {_harmless(act_paths, str(look.refused))}",
            remedy,
        )
    elif fault := _fault(act_paths, look):
        remedy = Remedy("fix it, then", f"backstage restart {name}")
        yield trouble(
            act_paths.name, f"cannot be started: {_harmless(act_paths, str(fault))}", remedy
        )
    elif look.untaken:
        yield warning(act_paths.name, look.untaken.what, Remedy(command=look.untaken.command))


def _fault(act_paths: ActPaths, look: Look) -> Fault | None:
    """Why the vassal file cannot work; the check of ports reports who holds its port."""
    if look.state is State.FAILING or not look.seen.wanted:
        return None
    address = look.address
    has_port = look.pid or (address and in_use(address.port, address.bound_host))
    used = vassal_files.kept(act_paths) or vassal_files.current(act_paths)
    return dry_run.fault(act_paths, running=used if has_port else None)


def _harmless(act_paths: ActPaths, text: str) -> str:
    """A text from the logs, without the secrets in the Act's .env."""
    if not act_paths.env_file.exists():
        return text
    environment = DotEnv(contents(act_paths.env_file).decode(errors="replace"))
    return veiled(text, secrets_in(environment, {act_paths.name}), [str(act_paths.venue.top)])
