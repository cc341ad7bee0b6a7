"""Examining whether the Django projects of Acts are ready for deployment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..facts.command_line import quote
from ..layout.paths import ActPaths
from ..projects import inspection
from ..projects.dotenv import DotEnv
from ..projects.inspection import Report
from ..projects.project import Project, project_of
from .finding import Finding, Remedy, note, ok, trouble, warning

# The settings that only make sense with https, by the check that asks for them.
_FOR_HTTPS = {
    "security.W004": "SECURE_HSTS_SECONDS",
    "security.W005": "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "security.W008": "SECURE_SSL_REDIRECT",
    "security.W010": "SESSION_COOKIE_SECURE",
    "security.W011": "SESSION_COOKIE_SECURE",
    "security.W012": "SESSION_COOKIE_SECURE",
    "security.W016": "CSRF_COOKIE_SECURE",
    "security.W021": "SECURE_HSTS_PRELOAD",
}
_SECURITY = "security."
_DEBUG_ON = "security.W018"
_WEAK_KEYS = frozenset({"security.W009", "security.W025"})
_GUIDE = "https://docs.djangoproject.com/en/stable/howto/deployment/checklist/#https"
_KEY = "SECRET_KEY"
_NEW_KEY = 'python3 -c "import secrets; print(secrets.token_urlsafe(64))"'
# Django's message levels, https://docs.djangoproject.com/en/stable/topics/checks/#messages.
_ERROR, _WARNING = 40, 30
_SHOWN = 3


def examine(acts: Iterable[ActPaths]) -> Iterator[Finding]:
    """`check --deploy`, migrations, DEBUG and SECRET_KEY of each Act that is a Django project."""
    projects = []
    for act in acts:
        if project := project_of(act):
            projects.append(project)
        else:
            yield note(act.name, "is not examined: it has no manage.py")
    holders: dict[str, list[Project]] = defaultdict(list)
    for project, told in inspection.reports(projects):
        if isinstance(told, Report):
            holders[told.key].append(project)
            yield from judged(project, told)
        else:
            yield _unexamined(project, told)
    yield from shared(holders)


def judged(project: Project, report: Report) -> Iterator[Finding]:
    """The findings in a report."""
    name, fine = project.name, []
    if report.debug:
        judge = trouble if report.is_public else warning
        yield judge(name, "DEBUG is on: visitors see settings and tracebacks", _off(project))
    else:
        fine.append("DEBUG is off")
    for part, error in report.errors.items():
        yield _untold(project, part, error)
    if report.pending:
        count, shown = len(report.pending), ", ".join(report.pending[:_SHOWN])
        what = f"{count} migration{'s' * (count > 1)} not applied: {shown}"
        more = ", …" if count > _SHOWN else ""
        yield trouble(name, f"{what}{more}", Remedy(command=f"{_manage(project)} migrate"))
    elif "pending" not in report.errors:
        fine.append("all migrations are applied")
    advice = [*_checks(project, report)]
    yield from advice
    if not advice and "messages" not in report.errors:
        fine.append("`check --deploy` reports nothing")
    if fine:
        yield ok(name, f"Django {report.django}: {', '.join(fine)}")


def shared(holders: Mapping[str, Sequence[Project]]) -> Iterator[Finding]:
    """Keys that several projects share, given as digests; '' stands for no key."""
    for key, projects in holders.items():
        if key and len(projects) > 1:
            names = ", ".join(project.name for project in projects)
            what = "have the same SECRET_KEY: each accepts what another has signed"
            yield trouble(names, what, _new_key(projects[-1]))


def _unexamined(project: Project, why: str) -> Finding:
    """Why a project cannot be loaded, from the last output of its Python."""
    if _KEY in why and _reads_env_file(project) and not _own_key(project):
        remedy = Remedy(f"to give {project.name} a key,", _key_set(project))
        return trouble(project.name, f"cannot be loaded: it has no {_KEY}", remedy)
    remedy = Remedy("fix that; to see the full output,", f"{_manage(project)} check --deploy")
    return trouble(project.name, f"cannot be examined: {why}", remedy)


def _untold(project: Project, part: str, error: str) -> Finding:
    manage = _manage(project)
    what, remedy = {
        "pending": ("its migrations cannot be listed", Remedy(command=f"{manage} showmigrations")),
        "key": (f"its {_KEY} cannot be used", _new_key(project)),
    }.get(part, ("`check --deploy` fails", Remedy(command=f"{manage} check --deploy")))
    return trouble(project.name, f"{what}: {project.harmless(error)}", remedy)


def _checks(project: Project, report: Report) -> Iterator[Finding]:
    """What `check --deploy` says, each once; messages with the same remedy are combined."""
    messages = [each for each in report.messages if each[0] != _DEBUG_ON]
    if any(each[0] in _WEAK_KEYS for each in messages):
        what = "SECRET_KEY is weak: it is too short, or was made for development"
        yield trouble(project.name, what, _new_key(project))
    if ids := sorted({each[0] for each in messages if each[0] in _FOR_HTTPS}):
        yield _for_https(project, report, ids)
    others = [each for each in messages if each[0] not in {*_FOR_HTTPS, *_WEAK_KEYS}]
    times = Counter(each[0] for each in others)
    first = {each[0]: each for each in reversed(others)}
    for identity in times:
        _, level, message, hint = first[identity]
        judge = trouble if level >= _ERROR else warning if level >= _WARNING else note
        count = f" ({times[identity]} times)" if times[identity] > 1 else ""
        what = f"{identity}{count}: {project.harmless(message)}"
        advice = project.harmless(hint)
        see = Remedy(command=f"{_manage(project)} check --deploy")
        yield judge(project.name, what, Remedy(advice) if advice else see)


def _for_https(project: Project, report: Report, ids: Sequence[str]) -> Finding:
    judge = warning if report.is_public else note
    settings = ", ".join(dict.fromkeys(_FOR_HTTPS[each] for each in ids))
    remedy = Remedy(f"once it is served only over https, set {settings}; see {_GUIDE}")
    if report.tls is False:
        bind = f"backstage nginx bind {quote(project.name)} DOMAIN --tls auto"
        words = f"to serve it over https with nginx: {bind}; if another proxy in front does so,"
        remedy = Remedy(words, _set(project, "TLS=on"))
    checks = ", ".join(each.removeprefix(_SECURITY) for each in ids)
    return judge(project.name, f"is not set up for https ({_SECURITY}{checks})", remedy)


def _off(project: Project) -> Remedy:
    if "DEBUG" in project.environment:
        return Remedy("remove the line `env = DEBUG=`;", f"backstage edit {quote(project.name)}")
    if "DEBUG" in DotEnv(project.dotenv).values:
        return Remedy(command=_set(project, "DEBUG=off"))
    words = f"write DEBUG = False into {project.environment['DJANGO_SETTINGS_MODULE']}"
    if not _is_wanted(project):
        return Remedy(words)
    return Remedy(f"{words}, then", f"backstage restart {quote(project.name)}")


def _new_key(project: Project) -> Remedy:
    if "SECRET_KEY" not in DotEnv(project.dotenv).values:
        return Remedy(f"give {project.name} a new key; to generate one,", _NEW_KEY)
    return Remedy(f"to give {project.name} a new key,", _key_set(project))


def _own_key(project: Project) -> str:
    """The key that is set for the project outside its code."""
    return project.environment.get(_KEY) or DotEnv(project.dotenv).values.get(_KEY, "")


def _reads_env_file(project: Project) -> bool:
    """Whether the project is meant to have a .env, and `backstage env` would change that one."""
    places = (project.act.env_file, project.act.env_file.with_name(".env.example"))
    return project.directory == project.act.top and any(place.exists() for place in places)


def _key_set(project: Project) -> str:
    # Piped, because every user on this machine can read the arguments of a command.
    return f"{_NEW_KEY} | {_set(project, 'SECRET_KEY=-')}"


def _set(project: Project, change: str) -> str:
    restart = " --restart" if _is_wanted(project) else ""
    return f"backstage env {quote(project.name)} set {change}{restart}"


def _is_wanted(project: Project) -> bool:
    return project.act.vassal.exists()


def _manage(project: Project) -> str:
    return f"backstage manage {quote(project.name)}"
