"""A diagonal complex recurrence over many samples at once, in real arithmetic.

Within chunks of a fixed length the recurrence is one matrix product per mode; from chunk to chunk it is an
associative scan in log2(chunks) steps (Blelloch, "Prefix sums and their applications", 1990; the doubling
form is Hillis, Steele, "Data parallel algorithms", CACM 1986). Work and memory grow linearly with the
samples. Complex numbers are pairs: index 0 of an axis of length 2 is the real part. Nothing here is complex
for torch, because complex arithmetic does not reach ONNX.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def complex_powers(nu: Tensor, theta: Tensor, count: int) -> Tensor:
    """`lambda^k` for k = 0..count-1, `lambda = exp(-nu + i theta)`.

    Shape:
        nu, theta: (modes,); output: (modes, 2, count).
    """
    exponents = torch.arange(count, dtype=nu.dtype, device=nu.device)
    magnitude = torch.exp(-nu.unsqueeze(-1) * exponents)  # (modes, count)
    phase = theta.unsqueeze(-1) * exponents
    return torch.stack([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], dim=1)


class ChunkMatrices(NamedTuple):
    """What one chunk does to its input and to the state before it, for every mode.

    Shape:
        within: (modes, 2 length, 2 length), input to states; ends: (modes, 2, 2 length), its rows of the
        last sample; decay: (modes, 2 length, 2), state before the chunk to states; across: (modes, 2),
        lambda^length.
    """

    within: Tensor
    ends: Tensor
    decay: Tensor
    across: Tensor

    def split(self, modes: int) -> list[ChunkMatrices]:
        """Cut into pieces of `modes` modes each."""
        pieces = zip(*(matrix.split(modes) for matrix in self), strict=True)
        return [ChunkMatrices(*piece) for piece in pieces]


def chunk_matrices(nu: Tensor, theta: Tensor, length: int) -> ChunkMatrices:
    """The matrices for `lambda = exp(-nu + i theta)` and chunks of `length` samples.

    Shape:
        nu, theta: (modes,).
    """
    powers = complex_powers(nu, theta, length + 1)  # (modes, 2, length + 1)
    time = torch.arange(length, device=nu.device)
    # lambda^(t-s) for s <= t; a zero in front of the powers stands for every s > t
    index = (time.unsqueeze(1) - time.unsqueeze(0) + 1).clamp(min=0).reshape(-1)
    padded = torch.cat([torch.zeros_like(powers[..., :1]), powers[..., :length]], dim=-1)
    toeplitz = padded.index_select(-1, index).reshape(-1, 2, length, length)
    within = _real_matrix(toeplitz[:, 0], toeplitz[:, 1])
    ends = within.reshape(-1, 2, length, 2 * length)[:, :, length - 1]
    later = powers[..., 1:].unsqueeze(-1)  # lambda^(t+1), (modes, 2, length, 1)
    return ChunkMatrices(within, ends, _real_matrix(later[:, 0], later[:, 1]), powers[..., length])


def linear_recurrence(drive: Tensor, start: Tensor, matrices: ChunkMatrices) -> Tensor:
    """`x[n] = lambda x[n-1] + v[n]` for every mode, all samples at once.

    Args:
        drive: v, cut into chunks; chunk m holds the samples m * length and following.
        start: x before the first sample.
        matrices: `chunk_matrices(nu, theta, length)`.

    Returns:
        x, cut as `drive`.

    Shape:
        drive, output: (modes, 2, length, chunks, batch); start: (modes, 2, batch).
    """
    modes, _, length, chunks, batch = drive.shape
    flat = drive.reshape(modes, 2 * length, chunks * batch)
    ends = torch.bmm(matrices.ends, flat).reshape(modes, 2, chunks, batch)  # what each chunk adds by its end
    before = torch.cat([start.unsqueeze(2), ends[:, :, :-1]], dim=2)
    starts = doubling_scan(before, matrices.across).reshape(modes, 2, chunks * batch)
    states = torch.baddbmm(torch.bmm(matrices.decay, starts), matrices.within, flat)
    return states.reshape(modes, 2, length, chunks, batch)


# a script, because the number of steps depends on the number of chunks: ONNX gets a Loop
@torch.jit.script_if_tracing
def doubling_scan(terms: Tensor, factor: Tensor) -> Tensor:
    """`s[m] = factor s[m-1] + terms[m]`, `s[0] = terms[0]`, in log2(chunks) steps.

    Shape:
        terms, output: (modes, 2, chunks, batch); factor: (modes, 2).
    """
    chunks = terms.shape[2]
    real, imaginary = terms[:, 0], terms[:, 1]  # (modes, chunks, batch)
    factor_real, factor_imaginary = factor[:, 0, None, None], factor[:, 1, None, None]
    reach = 1
    while reach < chunks:
        # s[m] so far sums the last `reach` terms; adding factor^reach s[m - reach] doubles that
        earlier_real = torch.cat([torch.zeros_like(real[:, :reach]), real[:, : chunks - reach]], dim=1)
        earlier_imaginary = torch.cat(
            [torch.zeros_like(imaginary[:, :reach]), imaginary[:, : chunks - reach]], dim=1
        )
        real = real + factor_real * earlier_real - factor_imaginary * earlier_imaginary
        imaginary = imaginary + factor_real * earlier_imaginary + factor_imaginary * earlier_real
        squared_real = factor_real * factor_real - factor_imaginary * factor_imaginary
        factor_imaginary = 2 * factor_real * factor_imaginary
        factor_real = squared_real
        reach = 2 * reach
    return torch.stack([real, imaginary], dim=1)


def _real_matrix(real: Tensor, imaginary: Tensor) -> Tensor:
    """The real matrix that multiplies stacked (real; imaginary) vectors; (modes, 2 rows, 2 columns)."""
    upper = torch.cat([real, -imaginary], dim=-1)
    lower = torch.cat([imaginary, real], dim=-1)
    return torch.cat([upper, lower], dim=1)
