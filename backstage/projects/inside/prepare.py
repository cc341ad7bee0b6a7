"""Creates a new project's database and static files; the argument is the project's name.

One Python does both, as each start of Django takes a third of a second. It runs so briefly that
garbage collection would only cost a fifth of its time.
"""

from __future__ import annotations

import gc
import os
import sys


def main(name: str) -> None:
    gc.disable()
    from django.conf import settings
    from django.core.management import execute_from_command_line as manage_py

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{name}.settings")
    if settings.DATABASES:
        manage_py(["manage.py", "migrate", "--noinput", "--verbosity=0"])
    if settings.STATIC_ROOT:
        manage_py(["manage.py", "collectstatic", "--noinput", "--verbosity=0"])


if __name__ == "__main__":
    main(sys.argv[1])
