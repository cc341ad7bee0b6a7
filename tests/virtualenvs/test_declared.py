"""Which file of a project declares what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstage.errors import SettingsError
from backstage.virtualenvs.declared import Declared, Format, find, of_file

ONLY_DJANGO = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["Django>=5.2"]\n'
CHECKS_ONLY = "[tool.ruff]\nline-length = 100\n"
BUILT = '[build-system]\nrequires = ["hatchling"]\n'


def lock(*names: str) -> str:
    return "".join(f'[[package]]\nname = "{name}"\nversion = "1"\n' for name in names)


def tree(top: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


def found(top: Path, files: dict[str, str]) -> Declared:
    declared = find(tree(top, files))
    assert declared is not None
    return declared


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"requirements.txt": "django\n"}, "requirements.txt"),
        ({"requirements.txt": "django", "pyproject.toml": ONLY_DJANGO}, "requirements.txt"),
        ({"requirements.txt": "mkdocs", "pyproject.toml": ONLY_DJANGO}, "pyproject.toml"),
        ({"requirements.txt": "django", "pyproject.toml": CHECKS_ONLY}, "requirements.txt"),
        ({"requirements.txt": "-e .\n", "pyproject.toml": ONLY_DJANGO}, "requirements.txt"),
        ({"requirements/production.txt": "six", "pyproject.toml": ONLY_DJANGO}, "production.txt"),
        ({"requirements/prod.txt": "django", "requirements.txt": "django"}, "prod.txt"),
        ({"requirements-prod.txt": "django", "requirements.txt": "x"}, "requirements-prod.txt"),
        ({"prod-requirements.txt": "django", "requirements.txt": "x"}, "prod-requirements.txt"),
        ({"requirements/base.txt": "django", "requirements/local.txt": "x"}, "base.txt"),
        ({"requirements.in": "django", "requirements.txt": "django==5"}, "requirements.txt"),
        ({"requirements-dev.txt": "x", "pyproject.toml": ONLY_DJANGO}, "pyproject.toml"),
        ({"uv.lock": lock("django"), "requirements.txt": "django"}, "uv.lock"),
        ({"poetry.lock": lock("sphinx"), "requirements.txt": "django"}, "requirements.txt"),
        ({"poetry.lock": lock("django"), "pyproject.toml": ONLY_DJANGO}, "poetry.lock"),
        ({"pdm.lock": lock("Django"), "pyproject.toml": ONLY_DJANGO}, "pdm.lock"),
        ({"Pipfile.lock": '{"default": {"django": {}}}', "setup.py": ""}, "Pipfile.lock"),
        ({"pylock.toml": lock("django").replace("[[package]]", "[[packages]]")}, "pylock.toml"),
        ({"setup.cfg": "[options]\ninstall_requires = django\n", "setup.py": ""}, "setup.cfg"),
        ({"setup.py": ""}, "setup.py"),
        ({"back/manage.py": "", "back/requirements.txt": "django"}, "requirements.txt"),
        ({"src/manage.py": "", "src/x/manage.py": "", "uv.lock": lock("django")}, "uv.lock"),
    ],
)
def test_the_best_file_is_chosen(tmp_path: Path, files: dict[str, str], chosen: str) -> None:
    declared = found(tmp_path, files)
    assert declared.file.name == chosen
    assert (tmp_path / declared.file).is_file()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"manage.py": "", "pyproject.toml": CHECKS_ONLY},
        {"manage.py": "", "requirements/test.txt": "pytest", "dev-requirements.txt": "x"},
        {"docs/requirements.txt": "sphinx", "manage.py": ""},
    ],
)
def test_a_project_that_declares_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    assert find(tree(tmp_path, files)) is None


def test_what_is_for_production_is_installed_too(tmp_path: Path) -> None:
    """Extras and groups of that name, and none of the others."""
    more = '[project.optional-dependencies]\nprod = ["six"]\ntest = ["x"]\n'
    more += '[dependency-groups]\ndev = ["x"]\nproduction = ["six"]\n'
    declared = found(tmp_path, {"pyproject.toml": ONLY_DJANGO + more, "manage.py": ""})
    assert (declared.extras, declared.groups) == (("prod",), ("production",))


@pytest.mark.parametrize(
    ("files", "is_installed"),
    [
        ({"pyproject.toml": ONLY_DJANGO + BUILT, "manage.py": ""}, False),
        ({"pyproject.toml": ONLY_DJANGO + BUILT, "src/manage.py": ""}, False),
        ({"pyproject.toml": ONLY_DJANGO + BUILT}, True),
        ({"pyproject.toml": ONLY_DJANGO}, False),
        ({"setup.py": ""}, True),
        (
            {
                "pyproject.toml": ONLY_DJANGO + '[project.scripts]\nshop-manage = "x:y"\n' + BUILT,
                "manage.py": "",
            },
            True,
        ),
    ],
)
def test_the_project_is_installed_only_where_it_is_run_so(
    tmp_path: Path, files: dict[str, str], is_installed: bool
) -> None:
    assert found(tmp_path, files).with_project is is_installed


def test_a_project_in_a_workspace_has_its_lock_above(tmp_path: Path) -> None:
    files = {"uv.lock": lock("django"), "pyproject.toml": "[tool.uv.workspace]\n"}
    files |= {"web/pyproject.toml": ONLY_DJANGO, "web/manage.py": "", "web/.python-version": "3.12"}
    declared = found(tmp_path, files)
    assert (declared.file, declared.directory) == (Path("uv.lock"), Path("web"))
    assert declared.python is not None
    assert declared.python.text == "3.12"


def test_a_file_that_somebody_has_chosen(tmp_path: Path) -> None:
    """What it names is relative to the project, not to its folder."""
    top = tree(tmp_path, {"requirements/site.txt": "django", "requirements.txt": "django"})
    declared = of_file(top, Path("requirements/site.txt"))
    assert declared.format is Format.REQUIREMENTS
    assert (declared.file, declared.directory) == (Path("requirements/site.txt"), Path())


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_a_file_that_cannot_be_read_is_named_with_the_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name}: is no TOML: .*line 2"):
        find(tree(tmp_path, {name: "[project]\nname =\n"}))
