"""Examining what the Venue runs on: its Python, its Django and its uWSGI."""

from __future__ import annotations

import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..facts.command_line import join
from ..layout import made
from ..layout.paths import VenuePaths
from ..system import programs
from ..system.files import contents
from ..uwsgi import log_reasons
from ..uwsgi.emperor import uwsgi_of
from ..virtualenvs import namesake, replacement
from ..virtualenvs.distributions import Library
from ..virtualenvs.versions import is_older, series_of
from .finding import Finding, Remedy, note, ok, trouble, warning

_DJANGO = "Django"
_PACKAGES = (_DJANGO, "django-environ")
_SHOW_PYTHON = "import sys, django\nprint(sys.version)\n"
# Optional features of uWSGI: compiler flags, name, package to build it, and what needs it.
_FEATURES = (
    ({"-DUWSGI_PCRE", "-DUWSGI_PCRE2"}, "pcre", "libpcre2-dev", "route and rewrite options"),
    ({"-DUWSGI_SSL"}, "ssl", "libssl-dev", "https, signed subscriptions and the legion"),
    ({"-DUWSGI_CAP"}, "capabilities", "libcap-dev", "the options cap and emperor-cap"),
)


def environment(venue_paths: VenuePaths) -> Iterator[Finding]:
    """Whether the Venue's Python runs, and which packages it has."""
    status, said = _ask(venue_paths, venue_paths.python, "-B", "-c", _SHOW_PYTHON)
    if status:
        yield _no_python(venue_paths, said)
        return
    library = Library(venue_paths.site_packages)
    installed = [(name, library.get(name)) for name in _PACKAGES]
    with_what = ", ".join(f"{name} {found.version}" for name, found in installed if found)
    yield ok("Python", f"{said.split()[0]} with {with_what}")
    own = Library(Path(sysconfig.get_path("purelib"))).get(_DJANGO)
    if own and (there := library.get(_DJANGO)):
        yield from outdated(venue_paths, there.version, own.version)
    if other := namesake.found_in([venue_paths.site_packages]):
        pip = join([str(venue_paths.top / "bin" / "pip"), "uninstall", "--yes", "django_backstage"])
        what = f"{other.version} is another, older program; here `import backstage` loads that one"
        yield warning("django_backstage", what, Remedy(command=pip))


def uwsgi(venue_paths: VenuePaths) -> Iterator[Finding]:
    """Whether the Venue's uWSGI runs, uses the Venue's Python, and which features it has."""
    program = uwsgi_of(venue_paths)
    status, version = _ask(venue_paths, program, "--version")
    if status:
        what = f"does not run: {_last_line(version)}"
        yield trouble("uWSGI", what, Remedy(command=_reinstall(venue_paths)))
        return
    _, flags = _ask(venue_paths, program, "--cflags")
    yield from _features(venue_paths, version.strip(), set(flags.split()))
    yield from _wrong_python(venue_paths, program)


def _ask(venue_paths: VenuePaths, *words: str | Path) -> tuple[int, str]:
    env = programs.service_environment(venue_paths.top)
    done = programs.run(words, cwd=venue_paths.top, env=env, timeout=20.0)
    return done.returncode, done.stdout


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "it printed nothing"


def _no_python(venue_paths: VenuePaths, said: str) -> Finding:
    if "No module named 'django'" in said:
        command = join([str(venue_paths.top / "bin" / "pip"), "install", "Django"])
        return trouble("Python", "has no Django", Remedy(command=command))
    configuration = venue_paths.top / "pyvenv.cfg"
    text = contents(configuration).decode(errors="replace") if configuration.exists() else ""
    home = next((line.partition("=")[2] for line in text.splitlines() if line[:4] == "home"), "")
    known = made.read(venue_paths)
    release = f"Python {known.python}" if known and known.python else "Python"
    reinstall = f"reinstall the {release} that was in {home.strip() or '?'}, or"
    if replacement.is_needed(venue_paths.top):
        words = "to have another release of the same series take its place,"
        remedy = Remedy(f"{reinstall}, {words}", "backstage relocate")
    else:
        anew = "create a new Venue and move acts/ and kept/ into it"
        remedy = Remedy(f"{reinstall} {anew}")
    why = log_reasons.reason_from(said) or _last_line(said)
    where = (
        "; this Venue was made on another host" if known and made.is_of_another_host(known) else ""
    )
    return trouble("bin/python", f"does not run: {why}{where}", remedy)


def outdated(venue_paths: VenuePaths, present: str, own: str) -> Iterator[Finding]:
    """Whether the library's Django is a newer release in the same series as the Venue's."""
    series = series_of(own)
    if series == series_of(present) and is_older(present, own):
        pip = join([str(venue_paths.top / "bin" / "pip"), "install", "-U", f"Django=={series}.*"])
        what = f"{present} is older than {own}, which Backstage itself uses"
        yield warning("Django", what, Remedy(command=f"{pip} && backstage restart --all"))


def _features(venue_paths: VenuePaths, version: str, flags: set[str]) -> Iterator[Finding]:
    there = [name for wanted, name, _, _ in _FEATURES if flags & wanted]
    yield ok("uWSGI", f"{version} with {', '.join(there) or 'no optional features'}")
    for wanted, name, package, users in _FEATURES:
        if not flags & wanted:
            yield note(
                "uWSGI",
                f"was built without {name}, which {users} need",
                _rebuild(venue_paths, package),
            )


def _rebuild(venue_paths: VenuePaths, package: str) -> Remedy:
    needed = f"sudo apt install gcc python3-dev {package}"
    if uwsgi_of(venue_paths).name == "uwsgi":
        return Remedy(command=f"{needed} && {_reinstall(venue_paths)}")
    words = "this is the prebuilt pyuwsgi; before you create a new Venue with every feature,"
    return Remedy(words, needed)


def _reinstall(venue_paths: VenuePaths) -> str:
    pip = venue_paths.top / "bin" / "pip"
    words = [*("install", "--force-reinstall", "--no-cache-dir", "--no-binary", "uwsgi"), "uWSGI"]
    return join([str(pip), *words])


def _wrong_python(venue_paths: VenuePaths, program: Path) -> Iterator[Finding]:
    """A uWSGI that was built for another Python starts anyway, and fails later."""
    if program.name != "uwsgi":
        # The prebuilt uWSGI is loaded by the Venue's Python.
        return
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "show.py"
        script.write_text(_SHOW_PYTHON)
        _, said = _ask(venue_paths, program, "--virtualenv", venue_paths.top, "--pyrun", script)
    status, version = _ask(venue_paths, venue_paths.python, "-B", "-c", _SHOW_PYTHON)
    if not status and version.strip() not in said:
        why = log_reasons.reason_from(said) or "it runs a different one"
        what = f"does not run the Venue's Python: {why}"
        yield trouble("uWSGI", what, Remedy(command=_reinstall(venue_paths)))
