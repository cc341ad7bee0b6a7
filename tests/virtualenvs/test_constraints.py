"""Version constraints as Poetry writes them."""

from __future__ import annotations

import pytest
from packaging.specifiers import InvalidSpecifier

from backstage.virtualenvs.constraints import allows


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("*", ["0.1", "7"], []),
        ("^1.2.3", ["1.2.3", "1.9"], ["1.2.2", "2.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1"]),
        ("^3.11", ["3.11.0", "3.13"], ["3.10", "4.0"]),
        ("~1.2.3", ["1.2.9"], ["1.3", "1.2.2"]),
        ("~5.2", ["5.2.19"], ["5.3", "5.1"]),
        ("~1", ["1.9"], ["2.0"]),
        ("~=5.2.0", ["5.2.19"], ["5.3"]),
        ("1.2.*", ["1.2.7"], ["1.3"]),
        ("1.4", ["1.4"], ["1.4.1"]),
        (">=1.0,<2.0", ["1.5"], ["2.0"]),
        (">= 1.0 , != 1.5", ["1.6"], ["1.5"]),
        ("<1.0 || >=2.0", ["0.9", "2.1"], ["1.5"]),
        ("^1.0|^3.0", ["1.2", "3.4"], ["2.0"]),
        (">=1.0", ["2.0rc1"], ["1.0rc1"]),
    ],
)
def test_a_constraint_allows_what_poetry_says_it_does(
    constraint: str, allowed: list[str], refused: list[str]
) -> None:
    assert all(allows(constraint, version) for version in allowed)
    assert not any(allows(constraint, version) for version in refused)


def test_what_is_no_constraint_is_refused() -> None:
    with pytest.raises(InvalidSpecifier):
        allows("latest", "1.0")
