"""All kinds of service, and the kind of a vassal file."""

from __future__ import annotations

from ..uwsgi.ini import VassalFile
from .daemon import DAEMON
from .kind import Kind
from .wsgi import WSGI

# The first kind that recognises a file wins; the last one recognises every file.
KINDS: tuple[Kind, ...] = (DAEMON, WSGI)


def kind_of(file: VassalFile | None) -> Kind:
    """The kind of service that a vassal file runs; without a file, the most common kind."""
    if file is None:
        return WSGI
    return next(kind for kind in KINDS if kind.recognises(file))
