"""Write all pages: `python -m docs.generator`."""

from __future__ import annotations

from .pages import write

write()
