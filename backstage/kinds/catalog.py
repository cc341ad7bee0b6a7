"""Every kind of service, and which one a vassal file is."""

from __future__ import annotations

from ..uwsgi.ini import VassalFile
from .daemon import DAEMON
from .kind import Kind
from .wsgi import WSGI

# The first that recognises a file is its kind; the last one recognises all that is left.
KINDS: tuple[Kind, ...] = (DAEMON, WSGI)


def kind_of(file: VassalFile | None) -> Kind:
    """The kind of service that a vassal file runs; without a file, what most are."""
    if file is None:
        return WSGI
    return next(kind for kind in KINDS if kind.recognises(file))
