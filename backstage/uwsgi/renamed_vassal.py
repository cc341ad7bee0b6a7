"""The vassal file of an Act under another name."""

from __future__ import annotations

import re

from ..layout.former_path import FormerPath
from ..layout.paths import ActPaths
from . import includes

# Options that name the application, which mean the same.
_MODULES = frozenset({"module", "wsgi"})
_PLACEHOLDER = r"(?m)^(\s*set(?:-placeholder|-ph)?\s*=\s*act\s*=\s*){}(?=\s*$)"
_NOTE = "# The Act was renamed; its Python package was not."


def renamed(before: ActPaths, after: ActPaths, text: str) -> str:
    """The text of an Act's vassal file for another name.

    What names the Act's directory names the new one. The package keeps its name, so what the
    template derives from the Act's name is written out.
    """
    former = FormerPath(before.top, after.top)
    placeholder = _PLACEHOLDER.format(re.escape(before.name))
    moved = former.replaced(re.sub(placeholder, rf"\g<1>{after.name}", text))
    present = _project_options(after, moved)
    wanted = {name: former.replaced(line) for name, line in _project_options(before, text).items()}
    lines = [line for name, line in wanted.items() if present.get(name) != line]
    return "\n".join([moved.rstrip(), "", _NOTE, *lines, ""]) if lines else moved


def _project_options(act_paths: ActPaths, text: str) -> dict[str, str]:
    """The lines in force that name the application and its variables."""
    script = includes.read_all(act_paths.venue, act_paths.vassal, text)
    found = {}
    for line in script.all(*_MODULES, "env"):
        if script.knows(line):
            value = script.value(line)
            name = value.partition("=")[0] if line.key == "env" else ""
            found[name] = f"{line.key} = {value.replace('%', '%%')}"
    return found
