"""What a trial came to: the report of its program, in the midst of whatever a project prints."""

from __future__ import annotations

import json

import pytest

from backstage.errors import CheckFailed
from backstage.facts.trials import Trial
from backstage.status.trial_report import Report

WORD = "0123abcd"
TRACE = """Traceback (most recent call last):
  File "/srv/lib/python3.11/site-packages/django/x.py", line 3, in get
    call()
  File "/srv/blog/views.py", line 7, in view
    1 / 0
ZeroDivisionError: division by zero
"""


def reported(
    *facts: object, said: str = "", status: int | None = 0, starved: bool = False
) -> Report:
    lines = "".join(f"\n{WORD}{json.dumps(fact)}\n" for fact in facts)
    return Report("blog", WORD, ("/readyz", "/"), f"{said}{lines}", status, starved, 30.0)


def failure(
    *facts: object, said: str = "", status: int | None = 0, starved: bool = False
) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        reported(*facts, said=said, status=status, starved=starved).judge()
    return caught.value


LOADING, READY, PAGE = {"doing": "load"}, {"doing": "/readyz"}, {"doing": "/"}


def done(**found: object) -> dict[str, object]:
    return {"done": True, "found": found} if found else {"done": True}


@pytest.mark.parametrize(
    ("fact", "outcome"),
    [
        (done(), Trial.PASSED),
        (done(untold="uwsgi"), Trial.NEEDS_UWSGI),
        (done(untold="wsgi"), Trial.NOT_WSGI),
    ],
)
def test_what_does_not_stand_in_the_way(fact: object, outcome: Trial) -> None:
    assert reported(LOADING, READY, PAGE, fact, said="noise").judge() is outcome


@pytest.mark.parametrize(
    ("facts", "reason", "path", "status"),
    [
        (
            [LOADING, done(traceback=TRACE)],
            "ZeroDivisionError: division by zero (/srv/blog/views.py, line 7)",
            *("", None),
        ),
        (
            [LOADING, READY, PAGE, done(path="/", status=500, line="", traceback=TRACE)],
            "/ answers 500: ZeroDivisionError: division by zero (/srv/blog/views.py, line 7)",
            *("/", 500),
        ),
        (
            [READY, done(path="/readyz", status=503, line="not ready: x", traceback="")],
            "/readyz answers 503: not ready: x",
            *("/readyz", 503),
        ),
        (
            [READY, done(path="/readyz", status=503, line="not ready", traceback=TRACE)],
            "/readyz answers 503: not ready: ZeroDivisionError: division by zero "
            "(/srv/blog/views.py, line 7)",
            *("/readyz", 503),
        ),
        ([PAGE, done(path="/", status=502, traceback="")], "/ answers 502", "/", 502),
        (
            [READY, done(path="/readyz", status=200, good=True)],
            "/readyz answers 200 without the text it should have",
            *("/readyz", 200),
        ),
        (
            [PAGE, done(path="/", traceback=TRACE)],
            "/ is not answered: ZeroDivisionError: division by zero (/srv/blog/views.py, line 7)",
            *("/", None),
        ),
    ],
)
def test_what_was_found(facts: list[object], reason: str, path: str, status: int | None) -> None:
    failed = failure(*facts)
    assert (failed.reason, failed.path, failed.status) == (reason, path, status)


@pytest.mark.parametrize(
    ("status", "starved", "said", "reason"),
    [
        (None, False, "", "/ is not answered within 30 s"),
        (0, False, "", "/ is not answered: its process ended by itself with exit code 0"),
        (
            3,
            False,
            "bye\n",
            "/ is not answered: its process ended by itself with exit code 3, saying: bye",
        ),
        (139, False, "", "/ is not answered: its process was killed by signal 11"),
        (-9, False, "", "/ is not answered: its process was killed by signal 9"),
        (137, True, "", "/ is not answered with the memory that the Act may use"),
    ],
)
def test_a_program_that_did_not_finish(
    status: int | None, starved: bool, said: str, reason: str
) -> None:
    failed = failure(LOADING, READY, PAGE, said=said, status=status, starved=starved)
    assert (failed.reason, failed.path) == (reason, "/")


def test_before_a_page_it_was_loading() -> None:
    assert failure(status=None).reason == "it does not load within 30 s"
    assert failure(LOADING, status=None).path == ""


@pytest.mark.parametrize(
    "lie",
    [
        '{"done": true}',
        f"{WORD}[]",
        f"{WORD}nothing",
        f'{WORD}{{"doing": "/etc\\u001b[2J"}}',
        f'{WORD}{{"doing": []}}',
        "\x1b[2J\x07\x9b",
    ],
)
def test_lies_are_not_taken_for_a_report_and_steer_no_terminal(lie: str) -> None:
    failed = failure(said=f"{lie}\n", status=1)
    assert failed.path == ""
    assert all(sign.isprintable() or sign == "\n" for sign in str(failed))


def test_a_long_output_is_cut() -> None:
    failed = failure(done(traceback="X" * 100_000), said="y" * 5000 + "\n" + "line\n" * 5000)
    assert len(str(failed)) < 50_000
