"""The reason in what uv prints, as several of its versions print it."""

from __future__ import annotations

import pytest

from backstage.virtualenvs.uv_reasons import reason, unreachable

MISMATCH = """error: Failed to download `six==1.16.0`
  cause: Hash mismatch for `six==1.16.0`

         Expected:
           sha256:00
"""
OLD_MISMATCH = """  \N{MULTIPLICATION SIGN} Failed to download `six==1.16.0`
  ╰─▶ Hash mismatch for `six==1.16.0`
"""
BUILD = """Resolved 2 packages in 3ms
error: Failed to build `psycopg2==2.9.9`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stdout]
         running bdist_wheel

         [stderr]
         Error: pg_config executable not found.

         pg_config is required to build psycopg2 from source.

hint: Build failures usually indicate a problem with the package or the build environment
"""
QUIET_BUILD = """  \N{MULTIPLICATION SIGN} Failed to download and build `bad==1.0`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `x` failed (exit status: 1)
      [stderr]
      it is broken
"""
UNREACHABLE = """error: Failed to fetch: http://127.0.0.1:9/simple/six/
  cause: error sending request for url (http://127.0.0.1:9/simple/six/)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
FOREIGN = """error: No solution found when resolving dependencies
  cause: Because foreign==1.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you
         require foreign==1.0, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.11 (`cp311`), but we only found wheels for `foreign` (v1.0) with the \
following Python ABI tags: `cp38`, `cp39`
"""
FOREIGN_FILE = """error: No solution found when resolving dependencies
  cause: Because only foreign==1.0 is available and foreign==1.0 has no wheels with a matching \
Python version tag (e.g., `cp311`), we can conclude that all versions of foreign cannot be used.
"""


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (MISMATCH, "six==1.16.0 is not the file that was locked: its hash is another one"),
        (OLD_MISMATCH, "six==1.16.0 is not the file that was locked: its hash is another one"),
        (BUILD, "psycopg2==2.9.9 does not build: Error: pg_config executable not found."),
        (QUIET_BUILD, "bad==1.0 does not build: it is broken"),
        (
            UNREACHABLE,
            "http://127.0.0.1:9/simple/six/ cannot be fetched: Connection refused (os error 111)",
        ),
        (FOREIGN, "foreign 1.0 has wheels only for another Python: cp38, cp39"),
        (FOREIGN_FILE, "foreign==1.0 has wheels only for another Python"),
        (
            "error: No solution found\n  cause: Because nope was not found in the package registry",
            "no index has a package nope",
        ),
        ("error: x\n  cause: No space left on device (os error 28)", "there is no space left"),
        ("error: Because there is no version of six==99 and you", "no index has six==99"),
        ("error: something\n  cause: else", "something else"),
        ("", "it failed without a word"),
    ],
)
def test_the_reason_is_one_line_with_the_package(output: str, told: str) -> None:
    assert reason(output).startswith(told)
    assert "\n" not in reason(output)


def test_what_could_not_be_fetched_is_told() -> None:
    assert unreachable(UNREACHABLE) == "http://127.0.0.1:9/simple/six/"
    assert unreachable(BUILD) == ""
