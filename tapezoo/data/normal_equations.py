"""The normal equations of a causal FIR with an offset: gathered in one pass, solved without a matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import NDArray

Vector = NDArray[np.float64]

TOLERANCE = 1e-9  # of the residual, relative to the right-hand side
MOST_STEPS = 1000  # of conjugate gradients; recordings of music take 50 to 400
MOST_DENSE_TAPS = (
    512  # up to here a factorisation of the matrix is faster, the more so the more recordings there are
)
ROWS_AT_ONCE = 32  # recordings transformed together: bounds memory


class NormalEquations:
    """`(R + diag(ridge)) g = p` of `d[n] = c + sum_k g[k] x[n - k] + error`, silence before each recording.

    Exact (covariance method, Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63, 1975): R is the Toeplitz
    matrix of the autocorrelation, less the products in which the filter rings on after the last sample, less what the
    offset takes. All three are applied by FFT, so that conjugate gradients, preconditioned by a circulant matrix
    (T. Chan, "An optimal circulant preconditioner for Toeplitz systems", SIAM J. Sci. Stat. Comput. 9, 1988), solve
    8192 taps in a second where the matrix alone would take 512 MB. Of a few hundred taps the matrix is small, and made
    and factorised at once.

    Args:
        taps: Length of the filter, 1 or more.
    """

    def __init__(self, taps: int) -> None:
        self.taps = taps
        self.samples = 0
        self._of_input = np.zeros(taps)  # sum_n x[n] x[n - k]
        self._of_both = np.zeros(taps)  # sum_n d[n] x[n - k]
        self._sums = np.zeros(taps)  # sum_n x[n - k]
        self._target_sum = self._target_energy = 0.0
        self._ends: list[Vector] = []
        self._dense: Vector | None = None
        self._size = scipy.fft.next_fast_len(2 * taps, real=True)

    def add(self, blocks: Iterable[tuple[Vector, Vector, int]]) -> None:
        """Adds one recording.

        Args:
            blocks: Input and target in order, each after up to `taps` - 1 samples before it, and how many samples
                are new.
        """
        self._dense = None
        end = np.zeros(self.taps)
        total = 0.0
        for x, d, new in blocks:
            size = scipy.fft.next_fast_len(len(x) + self.taps, real=True)
            heard = np.conj(scipy.fft.rfft(x, size))
            before = len(x) - new
            for sums, signal in ((self._of_input, x), (self._of_both, d)):
                now = np.concatenate([np.zeros(before), signal[before:]])
                sums += scipy.fft.irfft(scipy.fft.rfft(now, size) * heard, size)[: self.taps]
            self.samples += new
            self._target_sum += float(d[before:].sum())
            self._target_energy += float(np.square(d[before:]).sum())
            total += float(x[before:].sum())
            end = np.concatenate([end, x[before:]])[-self.taps :]
        # sum_n x[n - k] lacks the last k samples
        self._sums += total - np.concatenate([[0.0], np.cumsum(end[:0:-1])])
        self._ends.append(end)

    def join(self, others: Iterable[NormalEquations]) -> None:
        """Adds the recordings of other equations of as many taps."""
        self._dense = None
        for other in others:
            self._of_input += other._of_input
            self._of_both += other._of_both
            self._sums += other._sums
            self.samples += other.samples
            self._target_sum += other._target_sum
            self._target_energy += other._target_energy
            self._ends += other._ends

    @property
    def power(self) -> float:
        """Energy of all inputs: the mean of R's diagonal, but for the ends. Ridges are relative to it."""
        return float(self._of_input[0])

    def solve(self, ridge: float | Vector, start: Vector | None = None) -> tuple[Vector, float]:
        """(g, c): the taps, the current sample's first, and the offset.

        Args:
            ridge: Added to R's diagonal, one number or one per tap; above 0 where there is any input.
            start: Taps from which to begin.
        """
        return self._solve(self._right(), ridge, start)

    def correct(self, prior: Vector, ridge: float) -> tuple[Vector, float]:
        """(g, c) with a ridge on g's distance from `prior`."""
        change, _ = self._solve(self._right() - self._operator()(prior), ridge, None)
        return prior + change, self._offset(prior + change)

    def _solve(self, right: Vector, ridge: float | Vector, start: Vector | None) -> tuple[Vector, float]:
        if not self.power:
            return np.zeros(self.taps), self._offset(np.zeros(self.taps))
        each = np.broadcast_to(np.asarray(ridge, np.float64), (self.taps,))
        if self.taps <= MOST_DENSE_TAPS:
            factored = scipy.linalg.cho_factor(self._matrix() + np.diag(each), overwrite_a=True)
            g: Vector = scipy.linalg.cho_solve(factored, right)
            return g, self._offset(g)
        # taps under a heavy ridge are counted in smaller units, so that the preconditioner fits all of them
        unit = 1 / np.sqrt(1 + each / self.power)
        products, precondition = self._operator(), self._preconditioner(float(each.min()))

        def multiply(h: Vector) -> Vector:
            scaled: Vector = unit * (products(unit * h) + each * unit * h)
            return scaled

        right = unit * right
        h = np.zeros(self.taps) if start is None else start / unit
        residual = right - multiply(h)
        enough = TOLERANCE * float(np.linalg.norm(right))
        direction = conditioned = precondition(residual)
        product = float(residual @ conditioned)
        for _ in range(MOST_STEPS):
            if np.linalg.norm(residual) <= enough:
                break
            along = multiply(direction)
            length = product / float(direction @ along)
            h += length * direction
            residual = residual - length * along
            conditioned = precondition(residual)
            before, product = product, float(residual @ conditioned)
            direction = conditioned + product / before * direction
        return unit * h, self._offset(unit * h)

    def error_energy(self, g: Vector) -> float:
        """Error energy of the filter with these taps and the best offset for them, over all recordings."""
        explained = 2 * float(g @ self._right()) - float(g @ self._operator()(g))
        own = self._target_energy - self._target_sum**2 / max(self.samples, 1)
        return max(own - explained, 0.0)

    def _right(self) -> Vector:
        right: Vector = self._of_both - self._sums * (self._target_sum / max(self.samples, 1))
        return right

    def _offset(self, g: Vector) -> float:
        return (self._target_sum - float(self._sums @ g)) / max(self.samples, 1)

    def _matrix(self) -> Vector:
        """R, (taps, taps)."""
        if self._dense is not None:
            return self._dense
        ends = np.array(self._ends).reshape(-1, self.taps)
        products = ends.T @ ends
        ringing = np.zeros_like(products)
        for k in range(1, self.taps):  # down every diagonal one sample more rings on
            ringing[k, 1:] = ringing[k - 1, :-1] + products[-k, :0:-1]
        offset = np.outer(self._sums, self._sums) / max(self.samples, 1)
        self._dense = scipy.linalg.toeplitz(self._of_input) - ringing - offset
        return self._dense

    def _operator(self) -> Callable[[Vector], Vector]:
        if self.taps <= MOST_DENSE_TAPS:
            return self._matrix().dot
        size, taps = self._size, self.taps
        gap = np.zeros(size - 2 * taps + 1)
        toeplitz = scipy.fft.rfft(np.concatenate([self._of_input, gap, self._of_input[:0:-1]]))
        ends = np.array(self._ends).reshape(-1, taps)
        spectra = [
            scipy.fft.rfft(ends[row : row + ROWS_AT_ONCE], size) for row in range(0, len(ends), ROWS_AT_ONCE)
        ]

        def multiply(g: Vector) -> Vector:
            spectrum = scipy.fft.rfft(g, size)
            result = scipy.fft.irfft(spectrum * toeplitz, size)[:taps]
            for end in spectra:
                ringing = scipy.fft.irfft(end * spectrum, size)
                ringing[:, :taps] = 0.0
                ringing[:, 2 * taps - 1 :] = 0.0
                back = scipy.fft.rfft(ringing, size) * np.conj(end)
                result -= scipy.fft.irfft(back.sum(axis=0), size)[:taps]
            all_of_it: Vector = result - self._sums * (float(self._sums @ g) / max(self.samples, 1))
            return all_of_it

        return multiply

    def _preconditioner(self, ridge: float) -> Callable[[Vector], Vector]:
        taps = self.taps
        k = np.arange(taps)
        wrapped = np.concatenate([[0.0], self._of_input[:0:-1]])
        nearest = ((taps - k) * self._of_input + k * wrapped) / taps
        levels = np.maximum(scipy.fft.rfft(nearest).real, 0.0) + ridge

        def precondition(residual: Vector) -> Vector:
            result: Vector = scipy.fft.irfft(scipy.fft.rfft(residual) / levels, taps)
            return result

        return precondition
