"""Linear recurrences (filters with feedback) computed in blocks: no loop over samples, state carried exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class BlockTables(NamedTuple):
    """The tables that `recur` needs for a bank of filters, for blocks of up to L samples; made by `block_tables`."""

    toeplitz: Tensor
    """(filters, L, L): response of output sample n to input sample j of the same block, at [j, n]."""
    write: Tensor
    """(filters, L, 2 modes): what input sample j leaves in the state at the end of a full block."""
    read: Tensor
    """(filters, 2 modes, L): contribution of the state at the start of a block to output sample n."""
    powers: Tensor
    """(filters, L + 1, modes, 2, 2): the transition over 0 to L samples."""


def recur(input: Tensor, tables: BlockTables, state: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a bank of linear filters over a block of any length, continuing from `state`.

    Filter f is a state space of M real second-order modes in parallel (scipy.signal.dlsim, in its symbols):

        x_m[n + 1] = A_m x_m[n] + B_m u[n]        A_m (2, 2), B_m (2)
        y[n]       = sum_m C_m . x_m[n] + D u[n]  C_m (2)

    `state` is x before the block's first sample. A complex pole pair p = a + ib is the mode
    A = [[a, -b], [b, a]], acting on (Re, Im); a biquad is one mode with a companion matrix. In transposed
    direct form II, `(b0 + b1/z + b2/z^2) / (1 + a1/z + a2/z^2)` is

        A = [[-a1, 1], [-a2, 0]]   B = [b1 - a1 b0, b2 - a2 b0]   C = [1, 0]   D = b0

    and its state is scipy.signal.lfilter's `zi`. Rounding in companion forms grows as poles approach z = 1 (low
    frequencies): errors of 1e-3 in float32 at 50 Hz. A trained equaliser is better in state-variable form
    (Simper, "Linear trapezoidal integrated SVF", 2013), which covers all of RBJ's cookbook: with
    g = tan(pi f / rate), k = 1 / Q (divided by sqrt(gain) for bells; g scaled for shelves, as there),
    a1 = 1 / (1 + g (g + k)), a2 = g a1, a3 = g a2 and the mix m0 u + m1 band + m2 low,

        A = [[2 a1 - 1, -2 a2], [2 a2, 1 - 2 a3]]              B = [2 a2, 2 a3]
        C = [m1 a1 + m2 a2, m2 (1 - a3) - m1 a2]               D = m0 + m1 a2 + m2 a3

    The block is cut into pieces of L samples (the duality of Dao, Gu, "Transformers are SSMs", ICML 2024,
    section 6, for time-invariant filters), the last one padded with zeros. Matrix products compute all pieces at once,
    within the pieces and between state and signal; the states at the starts of the pieces come from a scan
    in log2(pieces) steps. Cost per sample and filter: L + 4 modes multiply-adds. Differentiable in everything;
    traces to TorchScript and ONNX (a Loop over the scan's steps) at any length. Nets that run several filters
    over one block cut it once, with `cut`, `fill`, `fit` and `recur_pieces`.

    A typical use, with coefficients that depend on each batch row's controls (`filters` is the batch, one row
    each; `state` is then batch first as a Net wants it):

        powers = matrix_powers(A, 64)               # A (batch, 1, 2, 2)
        tables = block_tables(powers, B, C, D)      # B, C (batch, 1, 2), D (batch,)
        output, state = recur(input, tables, state) # input (batch, 1, samples), state (batch, 1, 1, 2)

    Coefficients shared by the whole batch are cheaper with the batch as rows: `input.transpose(0, 1)` of a
    (batch, channels, samples) signal is (filters, rows, samples).

    Args:
        input: The signals; rows of one filter share its coefficients.
        tables: Tables of the filters at the current coefficients.
        state: State at the start of the block; zeros for a filter without past input. It is computed in its own type:
            float64 (then also pass A in float64 to `matrix_powers`) avoids rounding errors that add up over thousands
            of short blocks; in float32, for poles that ring for 1000 samples and more, they reach some 1e-5 of the
            signal.

    Returns:
        The output and the state after the last sample.

    Shape:
        input, output: (filters, rows, samples), samples 1 or more;
        state: (filters, rows, modes, 2).
    """
    pieces = cut(input, tables)
    output, after = recur_pieces(fill(input, pieces), fit(tables, pieces), pieces, state)
    return output[..., : pieces.samples], after


class Pieces(NamedTuple):
    """How a block is cut; made by `cut`."""

    rows: int
    samples: int
    length: int
    """Length of a piece, L samples."""
    total: int
    last: int
    """Samples of the last piece that belong to the block, 1 to L."""


class FittedTables(NamedTuple):
    """A bank's tables for one division of a block into pieces; made by `fit`."""

    toeplitz: Tensor
    """This and the next two as in `BlockTables`."""
    write: Tensor
    read: Tensor
    step: Tensor
    """(filters, 2 modes, 2 modes): the transition over a piece, transposed."""
    last_write: Tensor
    """(filters, last, 2 modes): contribution of the last piece to the state."""
    last_step: Tensor
    """As `step`, over the last piece."""


def cut(input: Tensor, tables: BlockTables) -> Pieces:
    """Cuts a block (filters, rows, samples) into pieces of the tables' length."""
    rows, samples = input.shape[1], input.shape[2]
    longest, _ = _sizes(tables.powers)
    count = (samples + longest - 1) // longest
    return Pieces(rows, samples, longest, count, samples - (count - 1) * longest)


def fill(input: Tensor, pieces: Pieces) -> Tensor:
    """`input` padded with zeros to the end of the last piece."""
    # without padding, this saves a copy; but a traced graph must not fix the choice
    if torch.jit.is_tracing() or pieces.last < pieces.length:  # type: ignore[attr-defined,no-untyped-call]
        return torch.nn.functional.pad(input, (0, pieces.length - pieces.last))
    return input


def fit(tables: BlockTables, pieces: Pieces) -> FittedTables:
    """The tables that filters need for a block; computed for all filters at once, even if they run separately."""
    return FittedTables(
        toeplitz=tables.toeplitz,
        write=tables.write,
        read=tables.read,
        step=_joined(tables.powers[:, pieces.length]),
        last_write=tables.write[:, pieces.length - pieces.last :],
        last_step=_joined(tables.powers[:, pieces.last]),
    )


def recur_pieces(input: Tensor, tables: FittedTables, pieces: Pieces, state: Tensor) -> tuple[Tensor, Tensor]:
    """`recur` on a block that `fill` has padded; the padding affects neither state nor output.

    Shape:
        input, output: (filters, rows, count L); state: (filters, rows, modes, 2).
    """
    rows, samples, length, count, last = pieces
    size = int(tables.write.shape[2])  # 2 modes
    signal = input.reshape(-1, rows * count, length)  # (filters, rows count, L)
    written = torch.bmm(signal, tables.write).reshape(-1, rows, count, size).transpose(1, 2).to(state.dtype)
    # input of the scan: the given state, then what each piece except the last contributes to the next one
    given = state.reshape(-1, 1, rows, size)
    starts = _scan(torch.cat([given, written[:, : count - 1]], dim=1), tables.step.to(state.dtype))
    heard = starts.transpose(1, 2).reshape(-1, rows * count, size).to(input.dtype)
    output = torch.baddbmm(torch.bmm(heard, tables.read), signal, tables.toeplitz)
    # the padding must not advance the state, so the last piece's own length counts
    left = torch.bmm(input[..., samples - last : samples], tables.last_write).to(state.dtype)
    after = torch.baddbmm(left, starts[:, -1], tables.last_step.to(state.dtype))
    return output.reshape(-1, rows, count * length), after.reshape(-1, rows, size // 2, 2)


def recur_changing(step: Tensor, read: Tensor, state: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`y[n] = read[n] . s[n]`, `s[n + 1] = step[n] s[n]`: a recurrence whose matrices change with every sample.

    The block is cut into pieces of 64 samples. Products of the steps over 2, 4, ... 64 samples lead from piece to
    piece; successive halving leads from there to every sample: about two products per sample. The code can be scripted,
    and needs little shape arithmetic in its graph.

    Args:
        step: Transition matrix at every sample; an input is a column beside a state that stays 1.
        read: Output vector at every sample.
        state: s before the block.
        size: Length of s.

    Returns:
        y, and s after the block.

    Shape:
        step: (rows, samples, size, size); read: (rows, samples, size); state: (rows, size); y: (rows, samples).
    """
    rows, samples = read.shape[0], read.shape[1]
    behind = torch.zeros(
        rows, (samples + 63) // 64 * 64 - samples, size, size, dtype=step.dtype, device=step.device
    )
    over1 = torch.cat([step, behind], dim=1).reshape(-1, 64, size, size)  # (rows pieces, 64, size, size)
    over2 = _over_twice(over1)
    over4 = _over_twice(over2)
    over8 = _over_twice(over4)
    over16 = _over_twice(over8)
    over32 = _over_twice(over16)
    over64 = _over_twice(over32).reshape(rows, -1, size, size)
    place = torch.arange(over64.shape[1], device=step.device).reshape(1, -1, 1)
    starts = state.unsqueeze(1).expand(-1, over64.shape[1], -1)  # (rows, pieces, size)
    piece = 1
    while piece < over64.shape[1]:  # the same shape in every pass: runtimes warn if it changes
        after = (over64[:, piece - 1] * starts[:, piece - 1 : piece]).sum(2)
        starts = torch.where(place >= piece, after.unsqueeze(1), starts)
        piece += 1
    states = starts.reshape(-1, 1, size)  # (rows pieces, 1, size)
    states = _halved(states, over32).reshape(-1, 2, size)
    states = _halved(states, over16).reshape(-1, 4, size)
    states = _halved(states, over8).reshape(-1, 8, size)
    states = _halved(states, over4).reshape(-1, 16, size)
    states = _halved(states, over2).reshape(-1, 32, size)
    states = _halved(states, over1).reshape(rows, -1, size)[:, :samples]
    return (read * states).sum(2), (step[:, -1] * states[:, -1:]).sum(2)


def _over_twice(steps: Tensor) -> Tensor:
    """(pieces, 2 count, size, size) -> (pieces, count, size, size): each pair of steps as one."""
    earlier, later = steps[:, ::2], steps[:, 1::2]
    # for matrices this small, this is faster than matmul
    return (later.unsqueeze(3) * earlier.transpose(2, 3).unsqueeze(2)).sum(4)


def _halved(states: Tensor, steps: Tensor) -> Tensor:
    """(pieces, count, size) -> (pieces, count, 2, size): each state, and that one of the `steps` (2 count) later."""
    return torch.stack([states, (steps[:, ::2] * states.unsqueeze(2)).sum(3)], dim=2)


def matrix_powers(transition: Tensor, block_samples: int) -> Tensor:
    """A^0 to A^L of 2x2 matrices, by doubling: log2(L) products.

    Computed in float64, since every squaring doubles the relative error of float32; the result has A's type.

    Args:
        transition: A.
        block_samples: L, a power of two.

    Shape:
        transition: (filters, modes, 2, 2); result: (filters, L + 1, modes, 2, 2).
    """
    if block_samples < 1 or block_samples & (block_samples - 1):
        raise ValueError(f"block_samples is {block_samples}, not a power of two")
    step = transition.double().unsqueeze(1)  # A^n while the table holds A^0 to A^(n-1)
    table = torch.eye(2, dtype=step.dtype, device=step.device).expand_as(step)
    for _ in range(block_samples.bit_length() - 1):
        table = torch.cat([table, step @ table], dim=1)
        step = step @ step
    return torch.cat([table, step], dim=1).to(transition.dtype)


def block_tables(powers: Tensor, enter: Tensor, leave: Tensor, direct: Tensor) -> BlockTables:
    """The tables of `recur` from the filters' coefficients, differentiable in all of them.

    Args:
        powers: A^0 to A^L, from `matrix_powers` or in closed form.
        enter: B, how the input enters each mode.
        leave: C, the contribution of each mode to the output.
        direct: D, the gain from input to output of the same sample.

    Shape:
        powers: (filters, L + 1, modes, 2, 2); enter, leave: (filters, modes, 2); direct: (filters,).
    """
    longest, modes = _sizes(powers)
    table = powers[:, :longest].to(enter.dtype)
    entered = (table * enter[:, None, :, None, :]).sum(-1)  # A^k B  (filters, L, modes, 2)
    read = (table * leave[:, None, :, :, None]).sum(-2)  # C A^k  (filters, L, modes, 2)
    backwards = torch.arange(longest - 1, -1, -1, device=powers.device)
    # h[0] = D, h[k] = C A^(k-1) B
    response = (entered * leave[:, None]).sum((-1, -2))[:, : longest - 1]
    kernel = torch.cat([direct.unsqueeze(1), response], dim=1)  # (filters, L)
    return BlockTables(
        toeplitz=_toeplitz(kernel, longest),
        write=entered.index_select(1, backwards).reshape(-1, longest, 2 * modes),
        read=read.reshape(-1, longest, 2 * modes).transpose(1, 2),
        powers=powers,
    )


def _sizes(powers: Tensor) -> tuple[int, int]:
    """L and modes, as constants in a traced graph too.

    Computed in the graph they would cost nodes; and onnxruntime 1.32 (GatherToSliceFusion) computes a gather over a
    descending range of variable length, such as in `block_tables`, incorrectly.
    """
    return int(powers.shape[1]) - 1, int(powers.shape[2])


def _toeplitz(kernel: Tensor, longest: int) -> Tensor:
    """(filters, L) -> (filters, L, L) with kernel[n - j] at [j, n], zero for n < j.

    Builds rows from repetitions of the kernel and L zeros, cut one sample shorter than that period, so that each row
    is shifted by one. Unlike with a gather, the gradient is a plain sum.
    """
    period = torch.cat([kernel, torch.zeros_like(kernel)], dim=1).unsqueeze(1)  # (filters, 1, 2 L)
    repeated = period.expand(-1, longest, -1).reshape(-1, longest * 2 * longest)
    shifted = repeated[:, : longest * (2 * longest - 1)].reshape(-1, longest, 2 * longest - 1)
    return shifted[:, :, :longest]


def _joined(matrices: Tensor) -> Tensor:
    """Each filter's (modes, 2, 2) as one block-diagonal matrix, (filters, 2 modes, 2 modes), transposed."""
    modes = int(matrices.shape[1])
    diagonal = torch.eye(modes, dtype=matrices.dtype, device=matrices.device)[:, None, :, None]
    apart = matrices.transpose(2, 3).unsqueeze(3) * diagonal  # (filters, modes, 2, modes, 2)
    return apart.reshape(-1, 2 * modes, 2 * modes)


# scripted, so that in a traced graph too its loop runs as often as the signal requires
@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _scan(steps: Tensor, transition: Tensor) -> Tensor:
    """s[0] = steps[0], s[k] = s[k - 1] A + steps[k], in log2 of the length (Hillis, Steele, CACM 1986).

    Shape:
        steps, result: (filters, length, rows, size); transition: (filters, size, size).
    """
    filters, length, rows, size = steps.shape
    states = steps
    reach = 1
    while reach < length:
        earlier = states[:, : length - reach].reshape(filters, -1, size)
        later = states[:, reach:].reshape(filters, -1, size)
        moved = torch.baddbmm(later, earlier, transition).reshape(filters, -1, rows, size)
        states = torch.cat([states[:, :reach], moved], dim=1)
        transition = transition @ transition  # A^reach
        reach = 2 * reach
    return states
