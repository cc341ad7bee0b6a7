"""Loads a WSGI application and asks it for pages, without a socket: what a restart would do first.

The task comes as JSON on standard input, so that neither process lists nor another user's loader
see its environment. The application runs in a child process. This one only ends what the child
leaves behind, wherever that has moved to: orphans of a subreaper become its children.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import io
import json
import logging
import os
import re
import resource
import signal
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# The rest of a traceback or an answer is of no use for a reason.
_LONGEST = 8_000
_LONGEST_BODY = 1_000_000
_REDIRECTS = (301, 302, 307, 308)
_TAG = re.compile(r"<[^>]*>")


class Report:
    """Lines for the caller: the secret word, then JSON. A child that forks has only one voice."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._pid = os.getpid()
        self._stream = os.dup(1)

    def tell(self, **facts: object) -> None:
        if os.getpid() != self._pid:
            os._exit(0)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os.write(self._stream, f"\n{self._word}{json.dumps(facts)}\n".encode())


class NotAnswered(Exception):
    """Raised with the facts when a page is not answered as it should be."""


class Pages:
    """Requests to an application, as a client on this machine would send them."""

    def __init__(self, application: Any, errors: list[str]) -> None:
        self._application = application
        self._errors = errors
        self._host = allowed_host()

    def ask(self, path: str, status: int | None, text: str) -> None:
        """Raise NotAnswered unless the status is this one, or below 500, and the text is there."""
        del self._errors[:]
        found, headers, body = self._answer(path, "http", text)
        if found in _REDIRECTS and leads_to_tls(headers.get("location", ""), path):
            found, headers, body = self._answer(path, "https", text)
        is_good = found < 500 if status is None else found == status
        if not is_good or text not in body:
            line = first_line(headers.get("content-type", ""), body)
            trace = self._errors[-1] if self._errors else ""
            raise NotAnswered({"status": found, "line": line, "traceback": trace, "good": is_good})

    def _answer(self, path: str, scheme: str, text: str) -> tuple[int, dict[str, str], str]:
        answer: dict[str, Any] = {"status": 0, "headers": {}}
        written: list[bytes] = []

        def start_response(status: str, headers: list[Any], exc_info: Any = None) -> Any:
            answer["status"] = int(status.split()[0])
            answer["headers"] = {str(name).lower(): str(value) for name, value in headers}
            return written.append

        chunks = self._application(environ(path, scheme, self._host), start_response)
        try:
            for chunk in chunks:
                written.append(chunk)
                # An answer may be endless.
                is_read = answer["status"] < 500 and not text
                if chunk and (is_read or sum(map(len, written)) > _LONGEST_BODY):
                    break
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer["status"], answer["headers"], b"".join(written).decode(errors="replace")


def environ(path: str, scheme: str, host: str) -> dict[str, Any]:
    page, _, query = path.partition("?")
    tls = {"HTTPS": "on", "HTTP_X_FORWARDED_PROTO": "https", **tls_header()}
    return {
        **{"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "QUERY_STRING": query},
        **{"PATH_INFO": unquote_to_bytes(page).decode("latin-1"), "REQUEST_URI": path},
        **{"SERVER_NAME": "localhost", "SERVER_PORT": "443" if scheme == "https" else "80"},
        **{"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "0"},
        **{"HTTP_HOST": host, "HTTP_USER_AGENT": "backstage", "HTTP_ACCEPT": "*/*"},
        **{"wsgi.version": (1, 0), "wsgi.url_scheme": scheme, "wsgi.input": io.BytesIO()},
        **{"wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": True},
        **{"wsgi.run_once": False},
        **(tls if scheme == "https" else {}),
    }


def django_setting(name: str) -> Any:
    """A setting of the project; None if it does not use Django, or does not set it."""
    module = sys.modules.get("django.conf")
    return getattr(module.settings, name, None) if module and module.settings.configured else None


def allowed_host() -> str:
    """localhost, or a host that the project allows: others would see none of its pages."""
    names = [str(name) for name in django_setting("ALLOWED_HOSTS") or ()]
    if not names or django_setting("DEBUG") or {"*", "localhost", ".localhost"} & {*names}:
        return "localhost"
    return names[0].lstrip(".")


def tls_header() -> dict[str, str]:
    name, value = django_setting("SECURE_PROXY_SSL_HEADER") or ("", "")
    return {name: value} if name else {}


def leads_to_tls(location: str, path: str) -> bool:
    """Whether a redirect only asks for the same page by https."""
    target = urlsplit(location)
    return target.scheme == "https" and (target.path or "/") == path.partition("?")[0]


def first_line(kind: str, body: str) -> str:
    """The first line of an answer, if that is meant to be read."""
    if kind and not kind.startswith(("text/plain", "application/json", "application/problem")):
        return ""
    lines = (line.strip() for line in _TAG.sub("", body).splitlines())
    return next((line for line in lines if line), "")[:500]


def application_of(task: dict[str, Any]) -> Any:
    """Load the application as uWSGI does. Whatever the project raises, this raises too."""
    os.chdir(task["directory"])
    for path in task["paths"]:
        sys.path.insert(0, path)
    if task["file"]:
        name = "uwsgi_file_" + re.sub(r"[/.]", "_", task["file"])
        module = types.ModuleType(name)
        module.__file__ = task["file"]
        sys.modules[name] = module
        with open(task["file"], "rb") as code:
            exec(compile(code.read(), task["file"], "exec"), module.__dict__)
    else:
        module = importlib.import_module(task["module"])
    if isinstance(getattr(module, "applications", None), dict):
        # uWSGI would serve several.
        return None
    name = task["callable"]
    made = getattr(module, name[:-2] if name.endswith("()") else name)
    return made() if name.endswith("()") else made


def is_asgi(application: Any) -> bool:
    called = application if inspect.isroutine(application) else type(application).__call__
    return inspect.iscoroutinefunction(called)


class LoggedErrors(logging.Handler):
    """Collects the tracebacks that the project logs."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0]:
            self._seen.append("".join(traceback.format_exception(*record.exc_info))[-_LONGEST:])


def watch_errors() -> list[str]:
    """The tracebacks of exceptions that become answers or are logged, as they come."""
    seen: list[str] = []
    logging.getLogger().addHandler(LoggedErrors(seen))
    module = sys.modules.get("django.core.signals")
    if module:
        module.got_request_exception.connect(lambda **_: seen.append(trace()), weak=False)
    return seen


def trace() -> str:
    return traceback.format_exc()[-_LONGEST:]


def needs_uwsgi(error: BaseException | None) -> bool:
    """Whether the module is missing that exists only inside uWSGI."""
    while error is not None:
        if isinstance(error, ImportError) and error.name == "uwsgi":
            return True
        error = error.__cause__ or error.__context__
    return False


def attempt(task: dict[str, Any], report: Report) -> Iterator[dict[str, Any]]:
    """Try it all; yields what is not in order."""
    report.tell(doing="load")
    try:
        application = application_of(task)
    except BaseException as error:  # noqa: BLE001 - a project may raise anything, SystemExit too
        yield {"untold": "uwsgi"} if needs_uwsgi(error) else {"traceback": trace()}
        return
    if application is None or is_asgi(application):
        yield {"untold": "wsgi"}
        return
    pages = Pages(application, watch_errors())
    for page in task["pages"]:
        path = page["path"]
        report.tell(doing=path)
        try:
            pages.ask(path, page["status"], page["text"])
        except NotAnswered as found:
            yield {"path": path, **found.args[0]}
            return
        except BaseException:  # noqa: BLE001 - as above
            yield {"path": path, "traceback": trace()}
            return


def set_up(task: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(task["environment"])
    time.tzset()
    sys.argv[:] = ["uwsgi"]
    with contextlib.suppress(OSError):
        os.nice(task["nice"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if task["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (task["memory"], task["memory"]))
    # If memory runs out, the kernel ends this process and not the one that serves.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def run(task: dict[str, Any]) -> None:
    """The child process; never returns, so that no hook or thread of the project goes on."""
    status = 1
    try:
        report = Report(task["word"])
        set_up(task)
        found = next(attempt(task, report), None)
        report.tell(**({"done": True} if found is None else {"done": True, "found": found}))
        status = 0
    finally:
        os._exit(status)


def end_everybody() -> None:
    """Kill the child and all that it started, until nothing is left."""
    mine = f"/proc/self/task/{os.getpid()}/children"
    with contextlib.suppress(ChildProcessError):
        while True:
            with open(mine) as children:
                for pid in children.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            os.waitpid(-1, 0)


def supervise(child: int) -> int:
    """Wait for the child or for SIGTERM; returns its exit status, then nothing of it is left."""
    status = 128 + signal.SIGTERM
    try:
        _, ended = os.waitpid(child, 0)
        status = os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else 128 + os.WTERMSIG(ended)
    except SystemExit:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_everybody()
    return status


def main() -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    task = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        run(task)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os._exit(supervise(child))


if __name__ == "__main__":
    main()
