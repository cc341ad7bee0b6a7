"""`backstage manage`: an Act's manage.py, in the Act's environment."""

from __future__ import annotations

import click

from ...facts.command_line import quote
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session

_EXAMPLES = """
backstage manage blog migrate
backstage manage blog createsuperuser
backstage manage blog migrate --help
backstage manage blog shell
"""


@command("manage", examples=_EXAMPLES, exits=(Exit.FAILED,), allow_interspersed_args=False)
@act_argument
@click.argument("words", nargs=-1, metavar="COMMAND...", type=click.UNPROCESSED)
def manage(session: Session, act_name: str, words: tuple[str, ...]) -> Result:
    """Run a manage.py command for an Act.

    It runs as the Act does: in the directory, with the Python and with the `env` of its vassal
    file. It uses the terminal, so `shell` and `createsuperuser` can prompt. Everything after ACT is
    passed to manage.py. The exit code is that of the command. With --json, which must come before
    ACT, it has no terminal: its output is in the result, and the exit code is 1 if it fails.
    """
    if not words:
        raise click.UsageError(_usage(session, act_name))
    # Only the program gives up root; it then gets its own terminal.
    session.keeps_root = True
    found = session.act(act_name)
    if session.as_json:
        return Result({"act": act_name, "output": found.manage(*words)}, lambda _: None)
    status = found.manage_here(*words)
    return Result({"act": act_name}, lambda _: None, status)


def _usage(session: Session, word: str) -> str:
    """What was left out: the Act before the command, or the command behind it."""
    line = f"{quote(word)} COMMAND" if word in session.venue else f"ACT {quote(word)}"
    return f"an Act and a command of manage.py, both are needed; type: backstage manage {line}"
