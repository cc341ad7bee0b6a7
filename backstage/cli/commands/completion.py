"""`backstage completion`: a script that completes commands and Act names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..options import command
from ..results import Result
from ..session import Session
from ..words import Word

_EXAMPLES = """
eval "$(backstage completion bash)"            # in ~/.bashrc
backstage completion zsh > ~/.zfunc/_backstage
backstage completion fish > ~/.config/fish/completions/backstage.fish
"""
_VARIABLE = "_BACKSTAGE_COMPLETE"


@command("completion", examples=_EXAMPLES)
@click.argument("shell", type=Word(["bash", "zsh", "fish"]))
def completion(session: Session, shell: str) -> Result:
    """Print a shell completion script.

    It completes commands, options and the names of Acts. `man backstage` says where to put it.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "backstage", _VARIABLE).source()
    return Result({"shell": shell, "script": script}, lambda screen: screen.line(script))
