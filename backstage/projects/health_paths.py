"""The paths at which projects tell whether they are well."""

from __future__ import annotations

import re

from . import python_source
from .tree import Tree

# Those that ask most come first: whether it can serve, whether it is well, whether it runs.
KNOWN = (
    *("readyz", "ready", "readiness", "health/ready", "healthz", "health", "healthcheck"),
    *("health-check", "health_check", "_health", "-/healthy", "-/health", "__heartbeat__"),
    *("heartbeat", "ht", "up", "livez", "live", "liveness", "health/live", "alive", "ping"),
    *("status", "__lbheartbeat__"),
)
# Deeper in a list, a route is below another one.
_ROUTE = re.compile(
    r"""^(?:\s{0,4}|urlpatterns\s*\+?=\s*\[\s*)(?:re_path|path|url)\(\s*r?["']\^?/?([\w/-]{1,60})\$?["']""",
    re.MULTILINE,
)


def seen_in(tree: Tree, urls: str) -> tuple[str, ...]:
    """The known paths that a file of URLs has, those that ask most first."""
    routes = _ROUTE.findall(python_source.without_comments(tree.text(urls)))
    paths = {route.strip("/"): f"/{route}" for route in reversed(routes)}
    return tuple(paths[each] for each in KNOWN if each in paths)
