"""A table read as a loop: the same in any blocks, rows apart, exact for hours."""

import pytest
import torch

from tapezoo.layers.looped_table import LoopedTable

TABLE = torch.randn(50, generator=torch.Generator().manual_seed(0))


def read(table: LoopedTable, place: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    parts = []
    for length in lengths:
        part, place = table(place, length)
        parts.append(part)
    return torch.cat(parts, dim=-1)


@pytest.mark.parametrize("lengths", [[140], [1] * 140, [7, 64, 69]])
def test_blocks_of_any_length_read_one_loop(lengths):
    whole = TABLE.repeat(4)
    output = read(LoopedTable(TABLE), torch.tensor([0, 13]), lengths)
    assert torch.equal(output, torch.stack([whole[:140], whole[13:153]]))


def test_rows_at_rest_begin_apart_and_rows_that_have_begun_go_on():
    table = LoopedTable(TABLE)
    output, place = table(table.rest.expand(3), 4)
    assert place.tolist() == [(31 + 4) % 50, (62 + 4) % 50, (93 + 4) % 50]
    alone, _ = table(place[1:2], 4)
    assert torch.equal(alone, table(place, 4)[0][1:2])
    assert not torch.equal(output[0], output[1])


def test_another_beginning_is_another_take_of_the_same_loop():
    first, other = (read(LoopedTable(TABLE, begin), torch.tensor([0]), [50]) for begin in (0, 20))
    assert torch.equal(other, first.roll(-20, dims=-1))


def test_a_host_may_begin_hours_into_the_loop():
    far = torch.tensor([50 * 2**40 + 3])
    assert torch.equal(LoopedTable(TABLE)(far, 5)[0][0], TABLE[3:8])


def test_a_table_of_nothing_is_refused():
    with pytest.raises(ValueError, match="1 or more"):
        LoopedTable(torch.zeros(0))
