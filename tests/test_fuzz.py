"""The parsers of what others can write take anything; `make fuzz` tries harder."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.parsers import PARSERS, SEEDS


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_what_it_is_for_with_anything_in_it(name: str) -> None:
    seeds = st.sampled_from(SEEDS[name])

    @settings(max_examples=100, deadline=None)
    @given(seeds, st.binary(max_size=20), st.integers(0, 400), st.integers(0, 40))
    def check(seed: bytes, put: bytes, at: int, less: int) -> None:
        PARSERS[name](seed[:at] + put + seed[at + less :])

    for seed in SEEDS[name]:
        PARSERS[name](seed)
    check()
