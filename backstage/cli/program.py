"""The `backstage` program: its commands, and how it handles their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from ..errors import BackstageError, NotAVenue, NotYours, VenueMoved
from . import streams, synonyms
from .exits import Exit
from .options import shared_options
from .results import Returned, render, render_error, tell_error
from .session import Session
from .synonyms import ALIASES
from .terminal.screen import Screen, harmless

# Each command with the location of its code and its line in the help, so that printing the help
# loads none of the code.
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Create and retire": {
        "new-venue": ("new_venue:new_venue", "Create a Venue and start its Emperor."),
        "new-act": ("new_act:new_act", "Create an Act and start it."),
        "rename": ("rename:rename", "Give an Act another name."),
        "retire": ("retire:retire", "Stop an Act and move its files to retired/."),
        "relocate": ("relocate:relocate", "Make a moved or copied Venue work where it is."),
        "unretire": ("unretire:unretire", "Bring back a retired Act, or a retired Venue."),
        "upgrade": ("upgrade:upgrade", "Renew a Venue for a new version of Backstage."),
    },
    "Run": {
        "start": ("start:start", "Start Acts."),
        "stop": ("stop:stop", "Stop Acts."),
        "restart": ("restart:restart", "Restart Acts to load new code and settings."),
        "drain": ("drain:drain", "Have visitors sent elsewhere; Acts still serve them."),
        "undrain": ("undrain:undrain", "Have visitors sent to drained Acts again."),
        "venue": ("venue:venue", "Start, stop, describe or retire the Venue."),
    },
    "Inspect": {
        "status": ("status:status", "Show the state of all Acts or of those named."),
        "top": ("top:top", "Watch the Acts live."),
        "logs": ("logs:logs", "Show the logs of Acts, interleaved."),
        "events": ("events:events", "Print every state change of the Acts as it happens."),
        "notify": ("notify:notify", "Try who is told of an Act in trouble."),
        "doctor": ("doctor:doctor", "Check for problems and say how to fix them."),
        "venues": ("venues:venues", "List your Venues and what runs in them."),
    },
    "Release": {
        "deploy": ("deploy:deploy", "Make a new release of an adopted Act live."),
        "rollback": ("deploy:rollback", "Make a former release live again."),
        "releases": ("deploy:releases", "List the releases of an Act."),
    },
    "Change": {
        "manage": ("manage:manage", "Run a manage.py command for an Act."),
        "edit": ("edit:edit", "Edit an Act's vassal file and check it before use."),
        "env": ("env:env", "Show or change an Act's .env file."),
    },
    "Serve": {
        "systemd": ("systemd:systemd_", "Run the Venue's Emperor under systemd."),
        "nginx": ("nginx:nginx", "Serve an Act on its domains through nginx."),
    },
    "Find": {
        "open": ("open:open_", "Open an Act in the browser."),
        "url": ("url:url", "Print the URL of an Act."),
        "port": ("port:port", "Print the port of an Act."),
        "completion": ("completion:completion", "Print a shell completion script."),
    },
}
_HELP = "help"
_COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Program(click.Group):
    """Lists the commands by name and loads the code only of the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"{__package__}.commands.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, rest = ALIASES.get(args[0], args[0]), args[1:]
        if name == _HELP:
            name, rest = self._helped(ctx, rest)
        if name not in _COMMANDS and not name.startswith("-"):
            meant = synonyms.meant([name, *rest], _COMMANDS)
            hint = f"did you mean: backstage {meant}" if meant else "see: backstage --help"
            raise click.UsageError(f"no command '{name}'; {hint}")
        return super().resolve_command(ctx, [name, *rest])

    def _helped(self, ctx: click.Context, words: list[str]) -> tuple[str, list[str]]:
        """The command whose help is asked for, with the option that shows it."""
        if not words:
            click.echo(ctx.get_help())
            ctx.exit()
        return ALIASES.get(words[0], words[0]), ["--help"]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), line) for name, (_, line) in commands.items()]
                )


def _program() -> Program:
    program = Program(
        "backstage",
        help="Create, start, restart and stop many Django services on one host.",
        epilog=f"{synonyms.told()} For details, see `backstage COMMAND --help` or `man backstage`.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        callback=lambda: None,
    )
    click.version_option(
        None, "-V", "--version", package_name="django_backstage", prog_name="backstage"
    )(program)
    for option in shared_options():
        option(program)
    return program


program = _program()


def main() -> None:
    """Run the command and exit with its code."""
    streams.open_closed()
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # Not even that can be told, as on a full disk.
        code = Exit.SYSTEM
    # Exit without joining threads that wait for Acts.
    os._exit(code)


def run(words: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    session = Session(Screen())
    session.words = words
    name = _name_of(words)
    try:
        return _run(words, session, name)
    except BrokenPipeError:
        # The reader has closed the pipe.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return Exit.DONE
    except KeyboardInterrupt:
        return _interrupted(session)


def _run(words: Sequence[str], session: Session, name: str) -> int:
    screen = session.screen
    try:
        returned: Returned | int | None = program.main(
            list(words), prog_name="backstage", standalone_mode=False, obj=session
        )
        if returned is None or isinstance(returned, int):
            return returned or Exit.DONE
        return render(name, returned, screen, as_json=session.as_json)
    except click.Abort as abort:
        # click ends the line after a ^C in a command, but not after one in a prompt.
        return _interrupted(session, line_ended=abort.__cause__ is not None)
    except click.exceptions.NoArgsIsHelpError as error:
        screen.line(error.format_message())
        return Exit.USAGE
    except click.UsageError as error:
        as_json = session.as_json or "--json" in words
        message = error.format_message()
        tell_error(name, "UsageError", message, Exit.USAGE, screen, as_json=as_json)
        if not as_json and error.ctx:
            screen.hint(f"{error.ctx.get_usage()}\nsee: {error.ctx.command_path} --help")
        return Exit.USAGE
    except BackstageError as error:
        return _tell(name, error, session, words)
    except BrokenPipeError:
        raise
    except OSError as error:
        refused = session.refusal(error)
        refused.__cause__ = error
        return _tell(name, refused, session, words)
    except Exception as error:  # noqa: BLE001 - shown with its traceback
        return _tell_bug(name, error, session)


def _tell(name: str, error: BackstageError, session: Session, words: Sequence[str]) -> Exit:
    if session.debug:
        _show_traceback(error, session.screen)
    if isinstance(error, NotYours):
        again = _without_venue(words)
        error = NotYours(error.venue, error.owner, error.user, *again, program=error.program)
    code = render_error(name, error, session.screen, as_json=session.as_json)
    if _lacks_venue(error, name) and not session.as_json:
        session.screen.hint("see: backstage venues, or name a Venue with --venue PATH")
    return code


def _tell_bug(name: str, error: Exception, session: Session) -> Exit:
    """A programming error is not hidden: its traceback is what whoever mends it needs."""
    _show_traceback(error, session.screen)
    kind, screen = type(error).__name__, session.screen
    message = (
        f"an error in Backstage itself: {kind}: {error}. "
        "Please report it, with the lines above and what you typed"
    )
    tell_error(name, kind, message, Exit.BUG, screen, as_json=session.as_json)
    return Exit.BUG


def _show_traceback(error: BaseException, screen: Screen) -> None:
    # Loading it takes long.
    import traceback

    screen.hint(harmless("".join(traceback.format_exception(error)).rstrip()))


def _without_venue(words: Sequence[str]) -> list[str]:
    """The words of a command line but for the option `--venue`."""
    rest, kept = iter(words), []
    for word in rest:
        if word == "--venue":
            next(rest, None)
        elif not word.startswith("--venue="):
            kept.append(word)
    return kept


def _lacks_venue(error: BackstageError, name: str) -> bool:
    """Whether there is no Venue: one that was moved or copied is there.

    To make one or bring one back, a path is given that is not that of a Venue yet.
    """
    given = name == "new-venue" or (name == "unretire" and not error.advice)
    return isinstance(error, NotAVenue) and not isinstance(error, VenueMoved) and not given


def _interrupted(session: Session, *, line_ended: bool = False) -> int:
    going = ", ".join(sorted(session.under_way))
    end = "" if line_ended else "\n"
    goes_on = f" Still in progress: {going}." if going else ""
    session.screen.hint(f"{end}Interrupted.{goes_on}")
    return Exit.INTERRUPTED


def _name_of(words: Sequence[str]) -> str:
    """The command's name, for the envelope."""
    rest = iter(words)
    for word in rest:
        if word == "--venue":
            next(rest, None)
        elif not word.startswith("-"):
            name = ALIASES.get(word, word)
            return name if name in _COMMANDS else "backstage"
    return "backstage"
