"""`backstage new-act`: create an Act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from ... import shortcuts
from ...facts.command_line import join
from ...layout.retirement import retirements
from ...operations.adopt import adopt
from ...projects.project_file import ProjectFile
from ..deploying import progress, told
from ..exits import Exit
from ..options import command
from ..results import Result
from ..rights import start_unit
from ..session import Session
from ..words import Whole

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.BUSY)
_EXAMPLES = """
backstage new-act blog
backstage new-act shop --port 8010
backstage new-act api --template https://example.org/template.zip
backstage new-act wiki --source ../wiki --ref v1.4 --set SECRET_KEY=abc
"""


@command("new-act", examples=_EXAMPLES, exits=_EXITS)
@click.argument("name")
@click.option(
    "--template",
    default="django",
    show_default=True,
    metavar="TEMPLATE",
    help="A project template: a directory, an archive or its URL.",
)
@click.option(
    "--port",
    type=Whole(1, 65535),
    metavar="PORT",
    help="The port to listen on; by default, the next free one.",
)
@click.option("--no-start", is_flag=True, help="Create it but do not start it.")
@click.option(
    "--source",
    metavar="SOURCE",
    help="A project of yours: a directory, a git repository, an archive or name==version.",
)
@click.option("--ref", default="", metavar="REF", help="A branch, tag or commit of the source.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A variable for its .env.")
@click.option(
    "--file", "files", multiple=True, metavar="FILE=PLACE", help="A file to put into its code."
)
@click.option("--settings", default="", metavar="MODULE", help="The settings module of the source.")
@click.option("--manage", default="", metavar="FILE", help="The manage.py of the source.")
def new_act(
    session: Session,
    name: str,
    template: str,
    port: int | None,
    no_start: bool,
    source: str | None,
    ref: str,
    pairs: Sequence[str],
    files: Sequence[str],
    settings: str,
    manage: str,
) -> Result:
    """Create an Act and start it.

    With --source, a project of yours is adopted: its code is fetched and examined, what it needs is
    installed, and what was found is written into acts/NAME/project.yaml. If that fails, nothing
    runs, and what was written stays, to be mended; then repeat the command.

    It gets a Django project in acts/NAME, a database, static files and a port. If the Act exists,
    it is started; it keeps its project and its port. If you have put a project into acts/NAME, that
    project is used unchanged. On an error, nothing is left behind but what the Act said, in
    log/NAME.failed.log.
    """
    if not no_start:
        start_unit(session)
    venue = session.venue
    if source is not None:
        known = ProjectFile(source=source, ref=ref, settings=settings, manage=manage)
        given = _Given(dict(map(_pair, pairs)), {place: Path(f) for f, place in map(_pair, files)})
        return _adopted(session, name, known, given, port=port, start=not no_start)
    is_there = name in venue and not venue.paths.act(name).preparing.exists()
    if is_there and _is_typed("template") and not session.as_json:
        session.screen.hint(f"{name} exists and keeps its project: --template is not used")
    if not session.as_json and (retired := _retired(session, name)):
        session.screen.hint(retired)
    with nullcontext() if session.as_json else session.screen.waiting(f"Creating {name}"):
        act = shortcuts.new_act(venue, name, template=template, port=port, start=not no_start)
    seen = act.snapshot()
    document = {"act": name, "state": str(seen.state), "port": seen.port, "url": seen.url or None}
    return Result(document, lambda screen: screen.state_line(name, seen.state, seen.url))


@dataclass(frozen=True)
class _Given:
    """What the project is given besides its code."""

    variables: Mapping[str, str]
    files: Mapping[str, Path]


def _adopted(
    session: Session,
    name: str,
    known: ProjectFile,
    given: _Given,
    *,
    port: int | None,
    start: bool,
) -> Result:
    act, done = adopt(
        session.venue,
        name,
        known,
        variables=given.variables,
        files=given.files,
        port=port,
        start=start,
        tell=progress(session),
    )
    return told(act, done)


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError(f"{text} is no pair with a = in it")
    return key, value


def _retired(session: Session, name: str) -> str:
    """How to have the Act that was retired under this name beside the new one; '' without one."""
    known = [each for each in retirements(session.venue.paths) if each.act == name]
    if name in session.venue or not known:
        return ""
    words = ["backstage", "unretire", known[-1].directory.name, "--as", f"{name}2"]
    return f"{name} was retired, and this is a new one; to bring that back too, type: {join(words)}"


def _is_typed(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE
