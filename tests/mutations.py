"""Documents that are almost as they should be, for the readers of what others may have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def mutated(draw: Callable[[Any], Any], value: Any) -> Any:
    """A document like the value, in which anything may be something else, or missing."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANY)
    if isinstance(value, dict):
        kept = [key for key in value if draw(st.integers(0, 19))]
        return {key: mutated(draw, value[key]) for key in kept}
    if isinstance(value, list):
        return [mutated(draw, each) for each in value] * draw(st.integers(0, 2))
    return value
