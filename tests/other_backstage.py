"""A stand-in for the other django_backstage: a wheel with its names of files, not their text."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

VERSION = "0.0.427"
_INFO = f"django_backstage-{VERSION}.dist-info"
# What Python 2 took, and no Python 3 does.
_OLD = 'print "of another time"\n'
_FILES = {
    "backstage/__init__.py": "from backstage.version import __version__\n",
    "backstage/version.py": f'__version__ = "{VERSION}"\n',
    "backstage/shortcuts.py": "from backstage.act.act import Act\n",
    "backstage/models.py": _OLD,
    "backstage/act/__init__.py": "",
    "backstage/act/act.py": _OLD,
    "backstage/act/act_utils.py": _OLD,
    "backstage/venue/__init__.py": "",
    "backstage/venue/venue.py": _OLD,
    "backstage/venue/venue_utils.py": _OLD,
    "backstage/settings/__init__.py": "",
    "backstage/settings/app_settings.py": "",
    "backstage/utils/__init__.py": "",
    "backstage/utils/uwsgi/__init__.py": "",
    f"{_INFO}/METADATA": f"Metadata-Version: 2.1\nName: django_backstage\nVersion: {VERSION}\n",
    f"{_INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{_INFO}/entry_points.txt": "[console_scripts]\nbackstage_venue = backstage.venue:new_venue\n",
}


def wheel_in(directory: Path) -> Path:
    """Writes the wheel; unpacked into a site-packages directory it is installed."""
    path = directory / f"django_backstage-{VERSION}-py3-none-any.whl"
    listed = "".join(f"{name},,\n" for name in (*_FILES, f"{_INFO}/RECORD"))
    with ZipFile(path, "w") as wheel:
        for name, text in {**_FILES, f"{_INFO}/RECORD": listed}.items():
            wheel.writestr(name, text)
    return path
