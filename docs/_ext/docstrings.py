"""Links from the docstrings of the API to the errors that they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backstage import errors

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_ERRORS = [
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.BackstageError)
]
_NAME = re.compile(rf"(?<![`\w])({'|'.join(_ERRORS)})(?![`\w])")


def link_errors(_: Sphinx, what: str, name: str, __: object, ___: object, lines: list[str]) -> None:
    lines[:] = [_NAME.sub(r":exc:`~backstage.errors.\1`", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", link_errors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
