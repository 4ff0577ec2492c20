"""A mistyped name is answered with the one that the fewest slips lead to."""

from __future__ import annotations

import pytest

from tapezoo.nearest import nearest_names, slips


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("LSTN", ["STN", "LSTM", "GRU", "FIR"], ["LSTM"]),
        ("lstm", ["STN", "LSTM"], ["LSTM"]),
        ("wavnet", ["WaveNet", "GCN"], ["WaveNet"]),
        ("GUR", ["GRU", "GCN", "FIR"], ["GRU"]),
        ("Reverb", ["LSTM", "GRU"], []),
    ],
)
def test_the_nearest_name_is_the_one_with_the_fewest_slips(
    typed: str, known: list[str], meant: list[str]
) -> None:
    assert nearest_names(typed, known, cutoff=0.4) == meant


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [("", "abc", 3), ("abc", "acb", 1), ("abc", "abd", 1), ("kitten", "sitting", 3)],
)
def test_slips_are_letters_replaced_left_out_added_or_swapped(first: str, second: str, count: int) -> None:
    assert slips(first, second) == slips(second, first) == count
