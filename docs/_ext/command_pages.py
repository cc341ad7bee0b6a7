"""The commands of `backstage` as sphinx-click wants them, with their exit codes and examples.

`.. click:: command_pages:start` finds the command `start` here, although the program loads it late.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import click
from docutils import nodes

from backstage.cli.options import Command
from backstage.cli.program import program

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Words stay whole for whoever searches, and a tilde stays one that can be pasted.
_MAN_SETTINGS = r"""
.nr HY 0
.nh
.ad l
.char ~ \(ti
.char ^ \(ha
"""
_SHARED = {option.name for option in program.params}


def __getattr__(name: str) -> click.Command:
    """The command of this name, without the options that every command has."""
    found = program.get_command(click.Context(program), name)
    if found is None:
        raise AttributeError(name)
    command = copy.copy(found)
    command.params = [each for each in found.params if each.name not in _SHARED]
    return command


def add_epilog(_: Sphinx, context: click.Context, lines: list[str]) -> None:
    command = context.command
    assert isinstance(command, Command)
    lines += [".. rubric:: Examples", "", ".. code-block:: sh", ""]
    lines += [*(f"   {line}" for line in command.examples.splitlines()), ""]
    codes = ", ".join(str(int(code)) for code in command.exits)
    lines += [".. only:: man", "", f"   Exit codes: {codes}.", ""]
    lines += [".. only:: not man", "", "   .. rubric:: Exit codes", ""]
    lines += [f"   - `{int(code)}`: {code.meaning}" for code in command.exits]
    lines += ["", "   :ref:`What holds for all commands <commands>`"]


def plain_usage(_: Sphinx, __: click.Context, lines: list[str]) -> None:
    """No shell reads the brackets of a usage line."""
    lines[0] = ".. code-block:: text"


def drop_arguments(_: Sphinx, __: click.Context, lines: list[str]) -> None:
    """The usage line names them, and the text says what they are."""
    lines.clear()


def fit_for_man(app: Sphinx, tree: nodes.document, _: str) -> None:
    """On paper links have nowhere to go."""
    if app.builder.name != "man":
        return
    tree.insert(0, nodes.raw("", _MAN_SETTINGS, format="manpage"))
    for link in list(tree.findall(nodes.reference)):
        if link.get("internal"):
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("sphinx-click-process-usage", plain_usage)
    app.connect("sphinx-click-process-arguments", drop_arguments)
    app.connect("sphinx-click-process-epilog", add_epilog)
    app.connect("doctree-resolved", fit_for_man)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
