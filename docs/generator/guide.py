"""What holds for all commands: the prose of the index and of the manual."""

from __future__ import annotations

import inspect

from backstage.cli import results

_VENUE = """
A command works on the Venue that `--venue PATH` names, else on that of the variable
`BACKSTAGE_VENUE`, else on the one that the current directory lies in, at whatever depth. Only
`new-venue` and `venues` need none. `backstage venues` lists those that there are.

The options of all commands may stand before and behind the command's name.
"""

_OUTPUT = """
Results go to standard output; errors, questions and hints go to standard error.

A terminal gets colours and whatever moves, anything else plain lines without a single escape
sequence. `NO_COLOR=1` takes the colours away, `TERM=dumb` all of it. Where the locale or
`PYTHONIOENCODING` says that there is no more than ASCII, the signs of the states are `*` `~` `-`
`x` instead of `●` `◐` `○` `✗`. Control characters in what others have written, such as logs and
reasons, are spelt out, so that no log can take over your terminal.

A state is always told as a word beside its sign and colour.
"""

_INTERRUPTING = """
Ctrl-C ends any command with exit code 130. What was asked of an Act before goes on without it, and
the last line says so: an Act that is starting still comes up. `new-venue` and `new-act` take back
what they have made. A pipe that is closed, as by `head`, ends a command quietly.
"""

_COMPLETION = """
Shells complete commands, options and the names of the Acts of the Venue that is meant. For bash,
with the package bash-completion; or put `eval "$(backstage completion bash)"` into ~/.bashrc:

    mkdir -p ~/.local/share/bash-completion/completions
    backstage completion bash > ~/.local/share/bash-completion/completions/backstage

For zsh, where ~/.zshrc has the second line before the third:

    mkdir -p ~/.zfunc && backstage completion zsh > ~/.zfunc/_backstage
    fpath+=~/.zfunc
    autoload -Uz compinit && compinit

For fish:

    backstage completion fish > ~/.config/fish/completions/backstage.fish
"""

_EXITS = """
In every command a code means the same, except that `manage` ends with the code of the manage.py
command. Where several Acts end differently, the highest counts.
"""


def guide() -> dict[str, str]:
    """Texts by title: paragraphs, and what is typed or printed indented by four spaces."""
    return {
        "Which Venue": _VENUE,
        "For programs": json_format(),
        "What is printed": _OUTPUT,
        "Interrupting": _INTERRUPTING,
        "Completion": _COMPLETION,
        "Exit codes": _EXITS,
    }


def json_format() -> str:
    """The format of `--json`, as the module says that prints it."""
    return inspect.cleandoc(results.__doc__ or "").partition("\n\n")[2]
