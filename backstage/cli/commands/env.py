"""`backstage env`: show an Act's .env with its secrets masked, or change it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext

import click

from ...act import Act
from ...errors import BackstageError, CheckFailed
from ...facts.command_line import quote
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session
from ..terminal.aftermath import Aftermath
from ..terminal.screen import Screen, harmless
from ..words import Word

_EXAMPLES = """
backstage env blog                              # secrets are masked
backstage env blog get DEBUG                    # only the value, not masked
backstage env blog set DEBUG=on LOG_LEVEL=DEBUG --restart
backstage env blog set SENTRY_DSN=-             # prompts, or reads a pipe
backstage env blog unset DEBUG --restart
"""
_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY, Exit.CHECK)
# This value prompts for the real one, which keeps it out of shell history and process lists.
_ASK = "-"
_ACTIONS = ("list", "get", "set", "unset")
_CHANGING = ("set", "unset")
_MEANT = {
    **dict.fromkeys(("add", "edit", "change"), "env {act} set KEY=VALUE"),
    **dict.fromkeys(("rm", "remove", "delete", "del"), "env {act} unset KEY"),
    **dict.fromkeys(("ls", "show", "cat"), "env {act}"),
}


class _Action(Word):
    """What to do with the variables; whoever names it before the Act is told the order."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        first = ctx.params.get("act_name") if ctx else None
        if value not in _ACTIONS and first in _ACTIONS:
            self.fail(f"the Act comes first; type: backstage env {quote(value)} {first} …")
        return super().convert(value, param, ctx)


@command("env", examples=_EXAMPLES, exits=_EXITS)
@act_argument
@click.argument("action", type=_Action(_ACTIONS, _MEANT), default="list")
@click.argument("words", nargs=-1, metavar="[KEY[=VALUE]]...")
@click.option("--reveal", is_flag=True, help="Do not mask secrets.")
@click.option("--restart", is_flag=True, help="Restart the Act and wait until it answers.")
def env(
    session: Session,
    act_name: str,
    action: str,
    words: tuple[str, ...],
    reveal: bool,
    restart: bool,
) -> Result:
    """Show or change an Act's .env file.

    `get` prints one value as it is. Values are taken literally; quotes are added where .env needs
    them. For the value `-`, the command prompts or reads standard input. Comments and other lines
    are kept. The Act reads its .env when it starts, so a change needs a restart. Variables already
    in its process, such as those of `env =` in the vassal file, override it. With --restart, the
    code of a running Act is first tried with the new values; if that fails, the Act runs on as
    before, and the file is as before.
    """
    if bool(words) == (action == "list") or (action == "get" and len(words) > 1):
        raise click.UsageError(_usage(act_name, action))
    if (reveal and action != "list") or (restart and action not in _CHANGING):
        raise click.UsageError("--reveal works only with list, --restart only with set and unset")
    found = session.act(act_name)
    if action == "list":
        return _listed(found, reveal)
    if action == "get":
        return _value(found, words[0])
    before = found.env.read()
    changed = _set(found, words) if action == "set" else _unset(found, words)
    after = found.env.read()
    aftermath = _restarted(session, found) if restart else None
    was_refused = aftermath is not None and isinstance(aftermath.error, CheckFailed)
    put_back = was_refused and found.env.put_back(before, after)
    document = {
        **{"act": act_name, "path": str(found.env.path)},
        **{"changed": () if put_back else changed, "restarted": restart},
        **(aftermath.document if aftermath else {}),
    }

    def show(screen: Screen) -> None:
        names = ", ".join(changed)
        if put_back and aftermath:
            aftermath.show(screen)
            screen.hint(f"{found.env.path} is as it was before: {action} {names} was taken back")
            return
        screen.line(
            f"{act_name}: {action} {names}" if changed else f"{act_name}: nothing has changed"
        )
        if aftermath:
            aftermath.show(screen)
        elif changed:
            verb = "restart" if found.wanted else "start"
            screen.hint(f"To apply it, type: backstage {verb} {quote(act_name)}")

    return Result(document, show, aftermath.exit if aftermath else Exit.DONE)


def _usage(act_name: str, action: str) -> str:
    if action == "list":
        one = f"backstage env {quote(act_name)} get KEY"
        return f"list takes no variables; for one of them, type: {one}"
    what = "KEY=VALUE" if action == "set" else "KEY"
    if action == "get":
        return f"get takes one variable; type: backstage env {quote(act_name)} get KEY"
    return f"{action} what? Type: backstage env {quote(act_name)} {action} {what}"


def _value(act: Act, key: str) -> Result:
    value = act.env.value(key)
    document = {"act": act.name, "path": str(act.env.path), "key": key, "value": value}
    return Result(document, lambda screen: screen.line(harmless(value)))


def _listed(act: Act, reveal: bool) -> Result:
    environment = act.env
    variables = dict(environment) if reveal else environment.masked
    unread = environment.unread
    document = {
        **{"act": act.name, "path": str(environment.path)},
        **{"variables": variables, "masked": not reveal, "unread": list(unread)},
    }

    def show(screen: Screen) -> None:
        for key, value in variables.items():
            screen.line(f"{key}={harmless(value)}")
        if not variables:
            screen.hint(f"{environment.path} has no variables yet; see .env.example beside it")
        if unread:
            lines = ", ".join(map(str, unread))
            screen.hint(f"Django ignores lines that are not KEY=VALUE without spaces: line {lines}")

    return Result(document, show)


def _set(act: Act, words: Sequence[str]) -> tuple[str, ...]:
    variables: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            value = words[1] if words[0] == word and len(words) == 2 else "VALUE"
            line = f"backstage env {quote(act.name)} set {quote(f'{word}={value}')}"
            raise click.UsageError(f"'{word}' is not KEY=VALUE; type: {line}")
        variables[key] = value
    asked = [key for key, value in variables.items() if value == _ASK]
    if len(asked) > 1 and not sys.stdin.isatty():
        raise click.UsageError(f"standard input can supply one value, not {len(asked)}")
    return act.env.set({**variables, **{key: _ask(key) for key in asked}})


def _ask(key: str) -> str:
    if sys.stdin.isatty():
        value: str = click.prompt(key, hide_input=True, default="", show_default=False, err=True)
        return value
    return sys.stdin.buffer.read().decode(errors="surrogateescape").removesuffix("\n")


def _unset(act: Act, words: Sequence[str]) -> tuple[str, ...]:
    keys = tuple(dict.fromkeys(words))
    act.env.unset(*keys)
    return keys


def _restarted(session: Session, act: Act) -> Aftermath:
    going_on = f"{act.name} is restarting"
    session.under_way.add(going_on)
    with nullcontext() if session.as_json else session.screen.waiting(f"Restarting {act.name}"):
        try:
            act.restart()
            error = None
        except BackstageError as failure:
            error = failure
    session.under_way.discard(going_on)
    return Aftermath(act.snapshot(), error)
