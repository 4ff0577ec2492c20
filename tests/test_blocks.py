"""Blocks, and which lengths of them a net takes."""

import pytest

from tapezoo.blocks import allowed_block, blocks, whole_hops


def test_blocks_cover_everything_once():
    assert [(part.start, part.stop) for part in blocks(10, 4)] == [(0, 4), (4, 8), (8, 10)]
    assert list(blocks(0, 4)) == []


@pytest.mark.parametrize(
    ("block", "hop", "most", "allowed"),
    [(333, 1, None, 333), (333, 4, None, 336), (333, 4, 100, 100), (333, 4, 102, 100), (333, 64, 10, 64)],
)
def test_an_allowed_block_is_whole_hops_and_no_longer_than_is_sensible(block, hop, most, allowed):
    assert allowed_block(block, hop, most) == allowed
    assert whole_hops(allowed, hop) == allowed
