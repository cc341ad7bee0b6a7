"""What requirements files name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import SettingsError
from backstage.virtualenvs import requirement_files

HASH = "--hash=sha256:" + "0" * 64


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.txt").write_text(text)
    return directory / "main.txt"


def test_lines_are_told_with_their_place_wherever_they_are_included(tmp_path: Path) -> None:
    """Comments and continued lines do not disturb the count."""
    main = write(
        tmp_path,
        main="# for all\n-r base.txt\n\nDjango[argon2]==5.2 \\\n    " + HASH + "  # pinned\n",
        base="six  # old\n-c limits.txt\n--requirement=more.txt\n",
        more="sqlparse>=0.5 ; python_version > '3'\n",
    )
    found = [(line.file.stem, line.number, line.text) for line in requirement_files.read(main)]
    assert found == [
        ("base", 1, "six"),
        ("base", 2, "-c limits.txt"),
        ("more", 1, "sqlparse>=0.5 ; python_version > '3'"),
        ("main", 4, f"Django[argon2]==5.2 {HASH}"),
    ]
    assert requirement_files.names(requirement_files.read(main)) == {"django", "six", "sqlparse"}


@pytest.mark.parametrize(
    ("text", "name", "index", "is_option", "is_local"),
    [
        ("Django_Filter==1.0", "django-filter", "", False, False),
        (f"six==1.17.0 {HASH} {HASH}", "six", "", False, False),
        ("six @ git+https://example.org/six@abc#subdirectory=x", "six", "", False, False),
        ("git+https://example.org/six", "", "", False, False),
        ("six @ file:///tmp/six.whl", "six", "", False, True),
        ("./libs/six", "", "", False, True),
        ("libs/six", "", "", False, True),
        (".", "", "", False, True),
        ("-e .", "", "", False, True),
        ("--editable=./libs/six", "", "", False, True),
        ("-i http://example.org/simple", "", "http://example.org/simple", True, False),
        ("--index-url=http://example.org/", "", "http://example.org/", True, False),
        ("--extra-index-url http://a.org/x", "", "http://a.org/x", True, False),
        ("--find-links ./wheels", "", "./wheels", True, False),
        ("-f ./wheels", "", "./wheels", True, False),
        ("--pre", "", "", True, False),
        ("--no-binary :all:", "", "", True, False),
    ],
)
def test_what_a_line_says(
    text: str, name: str, index: str, is_option: bool, is_local: bool
) -> None:
    [line] = requirement_files.lines_of(text, Path("r.txt"))
    assert (line.name, line.index, line.is_option, line.is_local) == (
        name,
        index,
        is_option,
        is_local,
    )


def test_files_that_include_each_other_are_refused_with_the_line(tmp_path: Path) -> None:
    main = write(tmp_path, main="-r base.txt\n", base="six\n-r main.txt\n")
    with pytest.raises(SettingsError, match=r"base\.txt, line 2: main\.txt includes itself"):
        requirement_files.read(main)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"base\.txt: cannot be read: .*No such file"):
        requirement_files.read(write(tmp_path, main="-r base.txt\n"))
