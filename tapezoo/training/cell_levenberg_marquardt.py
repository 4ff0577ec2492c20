"""Training of many tiny nets at once, each by its own least squares, started from a finished neighbour."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from tapezoo.layers.transition_fit import Heard
from tapezoo.layers.transition_weights import WeightsByControls
from tapezoo.losses.esr import ESR
from tapezoo.net import Net, State
from tapezoo.training.arguments import require
from tapezoo.training.cell_rows import CellRows
from tapezoo.training.errors import TrainingError
from tapezoo.training.least_squares import Decay, Fit, LeastSquares
from tapezoo.training.objective import Objective, Step

SCRATCH = (
    (1, 30),
    (8, 20),
    (32, 20),
    (128, 20),
    (512, 20),
)  # roll-out lengths and numbers of steps for a net with untrained weights
NEAR = ((64, 3), (512, 4))  # for a net that starts from a neighbour's weights
BETTER = 2.0  # a neighbour with an error this many times smaller is worth a second start


@runtime_checkable
class WeightsFollowControls(Protocol):
    """A net whose weights are linear in coefficients, grouped in blocks."""

    def fitted_weights(self) -> WeightsByControls:
        """They, as a function of the controls."""

    def fresh_vectors(self, count: int) -> list[Tensor]:
        """Weights of freshly initialised nets, (P,) each."""

    def heard_rows(self, input: Tensor, controls: Tensor, state: State, target: Tensor) -> Heard:
        """The data that rows are fitted on; all audio (batch, 1, samples)."""


class CellLevenbergMarquardt(Objective):
    """Fits every net of a grid to its own rows, or one net to all rows, free-running over whole segments.

    The nets of a batch are fitted in parallel on all cores. None uses another's rows, so a cell that does not
    converge does not affect the others. The first cell starts from several untrained nets, first one step at a time
    (teacher forcing) and then on its own output over growing lengths, up to the segment. Every other cell starts from
    the nearest finished net, with long roll-outs at once. Its hidden units then correspond to the neighbour's, so that
    weights can be interpolated between the two. Every epoch visits every cell once more: the fit continues from the
    cell's own weights and from those of a neighbour with a much smaller error, and the better result is kept. The
    method is that of `tapezoo.training.LevenbergMarquardt`; for one net whose weights are functions of the controls,
    the equations of the cells are added.

    The last error of each cell is stored in the net (`WeightsByControls.errors`), so that finished cells are kept when
    a training is resumed. The recipe's optimizer is not used.

    Args:
        iterations: Steps over whole segments at every visit, 1 or more.
        starts: Number of untrained nets tried for the first cell, 1 or more.
        quiet_share: Rows are weighted to equal level, down to this share of the level of the loudest row of the cell,
            above 0 to 1.
        least_gain: A step that lowers the error by a smaller share ends a visit, 0 to 1.
        weight_decay: Factor of the squared weights, added to the relative error energy, 0 or more. Large weights that
            cancel fit no better, and amplify rounding errors.
        neighbour_decay: The same for the squared distance from the mean of the finished neighbours, 0 or more, so that
            interpolation between neighbours works.
        workers: Cells, or rows of one net, fitted at the same time; None: one per core.

    Raises:
        TrainingError: An argument is out of its range.
    """

    def __init__(
        self,
        iterations: int = 10,
        starts: int = 4,
        quiet_share: float = 0.03,
        least_gain: float = 0.003,
        weight_decay: float = 1e-6,
        neighbour_decay: float = 1e-4,
        workers: int | None = None,
    ) -> None:
        super().__init__()
        require("iterations", iterations, iterations >= 1, "1 or more")
        require("starts", starts, starts >= 1, "1 or more")
        require("quiet_share", quiet_share, 0 < quiet_share <= 1, "above 0 to 1")
        require("least_gain", least_gain, 0 <= least_gain < 1, "0 to below 1")
        require("weight_decay", weight_decay, weight_decay >= 0, "0 or more")
        require("neighbour_decay", neighbour_decay, neighbour_decay >= 0, "0 or more")
        require("workers", workers, workers is None or workers >= 1, "1 or more, or null")
        self.iterations, self.starts = iterations, starts
        self.quiet_share, self.least_gain = quiet_share, least_gain
        self.weight_decay, self.neighbour_decay = weight_decay, neighbour_decay
        self.workers = workers or os.cpu_count() or 1
        self.loss = ESR()

    def optimized_parameters(self, net: Net) -> dict[str, Sequence[torch.nn.Parameter]]:  # type: ignore[override]
        """See `Objective.optimized_parameters`. Raises TrainingError for another kind of net."""
        if not isinstance(net, WeightsFollowControls):
            raise TrainingError(
                "--model.objective",
                found=f"CellLevenbergMarquardt for {type(net).__name__}",
                expected="a net whose weights follow the controls, such as STNGrid or STNPolynomial without filters",
                fix="Train it with tapezoo.training.Supervised.",
            )
        return {"net": list(net.parameters())}

    def step(self, step: Step) -> dict[str, Tensor]:
        """See `Objective.step`: one visit of the cells of the batch."""
        net = step.net
        assert isinstance(net, WeightsFollowControls)
        weights = net.fitted_weights()
        input, target, controls, *_ = step.batch
        with torch.no_grad():
            heard = net.heard_rows(input, controls, step.net.initial_state(controls), target)
        rows = CellRows(weights.block_of(controls), controls, input, target, heard)
        # counted as an optimizer step; the optimizer itself does nothing, because the gradient is 0
        step.update(torch.stack([p.sum() for p in step.net.parameters()]).sum() * 0.0)
        numbers = rows.numbers()
        known = [int(cell) for cell in torch.isfinite(weights.errors).nonzero()]
        with ThreadPoolExecutor(self.workers) as pool:
            if not known:  # the first cell, from which the others start
                known = [int(rows.cells[0])]
                self._fit_first(step.net, rows, known[0], pool)
                numbers.remove(known[0])
            for number in numbers:
                if number not in known and (near := weights.nearest(number, known)) is not None:
                    rows.fit_scale(weights, number, near)
                rows.hold_within(weights, number)
            visits = {
                number: (
                    self._squares(weights, rows, number, known, pool),
                    self._starts(weights, number, known),
                )
                for number in numbers
            }
            fits = (map if len(visits) < 2 else pool.map)(lambda number: self._visit(*visits[number]), visits)
            for number, fit in zip(visits, fits, strict=True):
                self._store(weights, number, visits[number][0], fit)
        here = weights.errors[torch.unique(rows.cells)]
        done = weights.errors[torch.isfinite(weights.errors)]
        if not len(done):
            done = here
        return {
            "train_loss": here.mean(),
            "train_median": done.median(),
            "train_worst": done.max(),
            "train_cells": torch.tensor(float(len(done))),
        }

    def validation_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """See `Objective.validation_losses`: the ESR."""
        return {"val_loss": self.loss(output, target)} if target.shape[-1] >= self.loss.min_samples else {}

    def progress_text(self, net: Net) -> str | None:
        """See `Objective.progress_text`: the number of cells done, and the median and worst of their errors."""
        assert isinstance(net, WeightsFollowControls)
        errors = net.fitted_weights().errors
        done = errors[torch.isfinite(errors)]
        if not len(done):
            return None
        return (
            f"cells {len(done)} of {len(errors)}  missed {float(done.median()):.3g} (median), "
            f"{float(done.max()):.3g} (worst)"
        )

    def _decay(self, weights: WeightsByControls, number: int, known: Sequence[int]) -> Decay:
        """Weight decay and the pull towards the mean of the finished neighbours, combined into one decay."""
        neighbours = [
            weights.block(cell)[weights.free] for cell in weights.neighbours(number) if cell in known
        ]
        if not neighbours:
            return Decay(self.weight_decay, np.zeros(int(weights.free.sum())))
        strength = self.weight_decay + self.neighbour_decay
        share = self.neighbour_decay / strength if strength else 0.0
        return Decay(strength, share * torch.stack(neighbours).double().mean(dim=0).numpy())

    def _squares(
        self,
        weights: WeightsByControls,
        rows: CellRows,
        number: int,
        known: Sequence[int],
        pool: ThreadPoolExecutor,
    ) -> LeastSquares:
        return LeastSquares(
            rows.fitted(weights, number, self.quiet_share),
            weights.size,
            weights.free.numpy(),
            weights.block(number).double().numpy(),
            pool.map if len(weights.errors) == 1 else map,  # a single net uses the pool for its rows
            self._decay(weights, number, known),
        )

    def _fit_first(self, net: Net, rows: CellRows, number: int, pool: ThreadPoolExecutor) -> None:
        """The best of several fresh nets, fitted again after its scale has been corrected from the first fit."""
        assert isinstance(net, WeightsFollowControls)
        weights = net.fitted_weights()
        rows.fit_scale(weights, number)
        rows.hold_within(weights, number)
        squares = self._squares(weights, rows, number, [], pool)
        fresh = [
            weights.around(vector)[weights.free].double().numpy() for vector in net.fresh_vectors(self.starts)
        ]
        each = map if len(weights.errors) == 1 else pool.map
        fits = each(lambda start: self._fit(squares, Fit(start, np.inf), SCRATCH), fresh)
        best = min(fits, key=lambda fit: fit.error + fit.penalty)
        self._store(weights, number, squares, best)
        rows.mend_scale(weights, number, net)
        rows.fit_scale(weights, number, number)
        rows.hold_within(weights, number)
        squares = self._squares(weights, rows, number, [], pool)
        self._store(weights, number, squares, self._fit(squares, best, NEAR))

    @staticmethod
    def _starts(weights: WeightsByControls, number: int, known: Sequence[int]) -> list[tuple[Fit, bool]]:
        """The starting points of a cell, and whether each is a neighbour's."""

        def of(cell: int) -> Fit:
            return Fit(weights.block(cell)[weights.free].double().numpy(), float(weights.errors[cell]))

        if number not in known:
            near = weights.nearest(number, known)
            assert near is not None
            return [(of(near), True)]
        better = [cell for cell in known if weights.errors[cell] * BETTER < weights.errors[number]]
        near = weights.nearest(number, better)
        return [(of(number), False), *([] if near is None else [(of(near), True)])]

    def _visit(self, squares: LeastSquares, starts: Sequence[tuple[Fit, bool]]) -> Fit:
        """The best result over all starting points."""
        fits = [self._fit(squares, start, NEAR if is_new else ()) for start, is_new in starts]
        return min(fits, key=lambda fit: fit.error + fit.penalty)

    def _fit(self, squares: LeastSquares, fit: Fit, rollouts: Sequence[tuple[int, int]]) -> Fit:
        """Fits with roll-outs that grow to whole segments."""
        longest = squares.longest_samples
        shorter = [(rollout, steps) for rollout, steps in rollouts if rollout < longest]
        for rollout, steps in [*shorter, (longest, self.iterations)]:
            fit = squares.improve(fit.stiffened(), rollout, steps, self.least_gain)
        return fit

    @staticmethod
    def _store(weights: WeightsByControls, number: int, squares: LeastSquares, fit: Fit) -> None:
        if np.isfinite(fit.error):
            weights.set_block(number, torch.from_numpy(squares.whole(fit.coefficients)))
            weights.errors[number] = fit.error
