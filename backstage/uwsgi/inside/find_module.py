"""Whether there is a module: `find_module NAME DIRECTORY…`, run by the Python that would import it.

The packages that it lies in are imported, the module itself is not. Only one that is missing is
told as such: what else goes wrong may be different once the application runs.
"""

from __future__ import annotations

import importlib.util
import sys


def is_missing(module: str) -> bool:
    """Whether it or a package that it lies in is not there."""
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError as error:
        return f"{module}.".startswith(f"{error.name}.")
    except BaseException:  # noqa: BLE001 - a package may raise anything, SystemExit too
        return False


sys.path[:0] = sys.argv[2:]
print("missing" if is_missing(sys.argv[1]) else "found")
