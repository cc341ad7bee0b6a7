"""Masks the secrets of all Acts in what the group gets to see, such as logs and reasons."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress

from ..errors import BackstageError
from ..layout.paths import VenuePaths
from ..projects import masking
from ..projects.dotenv import MASK, DotEnv
from ..system.files import contents

# A shorter secret is masked only as a word of its own: it may be a part of any other.
_SHORTEST = 6
# A .env is read so far, in bytes, and again after so many seconds.
_LONGEST, _FRESH = 1_000_000, 5.0


class Veil:
    """Masks the secrets in texts; those in a .env of the Venue, as they are now."""

    def __init__(self, venue_paths: VenuePaths) -> None:
        self._paths = venue_paths
        self._read_at = float("-inf")
        self._pattern: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """The text with every secret masked."""
        if time.monotonic() >= self._read_at + _FRESH:
            self._read_at = time.monotonic()
            # One that is the name of an Act is no secret, and would hide that Act.
            found = set(self._secrets()) - {each.name for each in self._paths.acts.glob("*")}
            secrets = sorted(found, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_pattern, secrets))) if secrets else None
        return self._pattern.sub(MASK, text) if self._pattern else text

    def _secrets(self) -> Iterator[str]:
        for file in (self._paths.env_file, *self._paths.acts.glob("*/.env")):
            with suppress(OSError, BackstageError):
                environment = DotEnv(contents(file)[:_LONGEST].decode(errors="replace"))
                yield from masking.all_secrets_in(environment)


def _pattern(secret: str) -> str:
    written = re.escape(secret)
    return written if len(secret) >= _SHORTEST else rf"(?<!\w){written}(?!\w)"
