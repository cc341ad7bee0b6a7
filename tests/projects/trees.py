"""Small trees of files that have the layouts of real projects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

RUNS = "    from django.core.management import execute_from_command_line\n"


def plant(top: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory."""
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


def manage_py(settings: str) -> str:
    return f'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")\n{RUNS}'


def wsgi_py(settings: str) -> str:
    return (
        "import os\nfrom django.core.wsgi import get_wsgi_application\n"
        f"os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{settings}')\n"
        "application = get_wsgi_application()\n"
    )


def plain(name: str = "shop", below: str = "") -> dict[str, str]:
    """The files of `django-admin startproject`, in a directory that ends with a slash."""
    return {
        f"{below}manage.py": manage_py(f"{name}.settings"),
        f"{below}{name}/__init__.py": "",
        f"{below}{name}/settings.py": (
            f"ROOT_URLCONF = '{name}.urls'\nWSGI_APPLICATION = '{name}.wsgi.application'\n"
        ),
        f"{below}{name}/urls.py": "urlpatterns = []\n",
        f"{below}{name}/wsgi.py": wsgi_py(f"{name}.settings"),
    }
