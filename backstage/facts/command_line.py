"""Commands in messages, written so that they can be pasted into a shell."""

from __future__ import annotations

import re
import shlex

from .invisible import INVISIBLE

_UNSEEN = re.compile(rf"[{INVISIBLE}\t\n]")


def join(words: list[str]) -> str:
    """A command of these words."""
    return " ".join(map(quote, words))


def quote(word: object) -> str:
    r"""A word of a command; one that would not be seen as it is, as `$'a\nb'`."""
    text = str(word)
    return f"$'{_written(text)}'" if _UNSEEN.search(text) else shlex.quote(text)


def _written(text: str) -> str:
    """A text between `$'` and `'`, as bash, zsh and ksh read it: byte by byte where it matters."""
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return _UNSEEN.sub(lambda found: _bytes(found[0]), plain)


def _bytes(sign: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in sign.encode(errors="surrogateescape"))
