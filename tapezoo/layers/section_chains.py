"""Second-order filters over a block, in series or in parallel, with carried state."""

from __future__ import annotations

import torch
from torch import Tensor

from tapezoo.layers.recurrence import (
    BlockTables,
    FittedTables,
    block_tables,
    cut,
    fill,
    fit,
    matrix_powers,
    recur,
    recur_pieces,
)
from tapezoo.layers.sections import (
    Sections,
)

TABLE_SAMPLES = 64  # longest piece that `recur` handles by one matrix product


def join_tables(sections: Sections) -> BlockTables:
    """The tables of all sections at once: filter `i rows + j` is section i for row j."""
    # not `flatten`, which would fix the number of rows in ONNX
    powers = matrix_powers(sections.transition.reshape(-1, 1, 2, 2), TABLE_SAMPLES)
    enter, leave = sections.enter.reshape(-1, 1, 2), sections.leave.reshape(-1, 1, 2)
    return block_tables(powers, enter, leave, sections.direct.reshape(-1))


def run_chain(input: Tensor, sections: Sections, state: Tensor, num_controls: int) -> tuple[Tensor, Tensor]:
    """All sections over a block, in series.

    Args:
        input: The block.
        sections: In the order of the signal.
        state: (s1, s2) of every section before the block.
        num_controls: 0: the whole batch shares the coefficients; otherwise each row has its own.

    Shape:
        input, output: (batch, 1, samples); state: (batch, sections, 2).
    """
    count, rows = sections.transition.shape[0], sections.transition.shape[1]
    tables = join_tables(sections)
    # (filters, rows, samples): the batch is the filters if it has its own coefficients, otherwise the rows
    across = 2 if num_controls else 1
    before = state.transpose(0, 1).unsqueeze(across).unsqueeze(3)  # (sections, filters, rows, 1, 2)
    signal = input if num_controls else input.transpose(0, 1)
    pieces = cut(signal, tables)
    signal, fitted = fill(signal, pieces), fit(tables, pieces)
    after = []
    for index in range(count):
        own = FittedTables(*(table[index * rows : (index + 1) * rows] for table in fitted))
        signal, left = recur_pieces(signal, own, pieces, before[index])
        after.append(left)
    output = signal[..., : pieces.samples]
    left = torch.stack(after).squeeze(3).squeeze(across).transpose(0, 1)
    return output if num_controls else output.transpose(0, 1), left


def run_followers(
    signals: Tensor, sections: Sections, state: Tensor, num_controls: int
) -> tuple[Tensor, Tensor]:
    """Each section over its own signal.

    Args:
        signals: The block, one channel per section.
        sections: One per channel.
        state: State before the block.
        num_controls: As in `run_chain`.

    Shape:
        signals, output: (batch, sections, samples); state: (batch, sections, 2).
    """
    channels, samples = signals.shape[1], signals.shape[2]
    if num_controls:
        by_row = Sections(*(tensor.transpose(0, 1) for tensor in sections))
        apart = signals.reshape(-1, 1, samples)  # (batch sections, 1, samples)
        output, after = recur(apart, join_tables(by_row), state.reshape(-1, 1, 1, 2))
        return output.reshape(-1, channels, samples), after.reshape(-1, channels, 2)
    output, after = recur(signals.transpose(0, 1), join_tables(sections), state.transpose(0, 1).unsqueeze(2))
    return output.transpose(0, 1), after.squeeze(2).transpose(0, 1)
