"""What a comparison of recipes measures: each row's figures, its learning curve, and the Pareto front."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

UNDISTURBED = 0.9  # CPU time over clock time of training steps; below it, something else used the processor


@dataclass(frozen=True)
class Figures:
    """What a trained row reached and cost; None: could not be measured.

    Args:
        model: Its architecture.
        parameters: Trained numbers in the net.
        val_esr: Of the best checkpoint.
        val_mrstft: Multi-resolution STFT distance, of the same.
        test_esr: Of the same, on the test split.
        updates: Optimizer steps.
        audio_s: Trained on, burn-ins included.
        train_cpu_s: CPU time of the training steps.
        train_wall_s: The same by the clock.
        wall_s: The whole training by the clock.
        real_time_factors: Of the exported ONNX on one thread, by block length.
        processor: Where these were measured.
        export_error: Why there are none.
        metrics: What the recipe's `metrics` gave on validation, by name; those with a figure.
    """

    model: str
    parameters: int
    val_esr: float
    val_mrstft: float | None
    test_esr: float | None
    updates: int
    audio_s: float
    train_cpu_s: float
    train_wall_s: float
    wall_s: float
    real_time_factors: dict[str, float] | None
    processor: str | None
    export_error: str | None
    metrics: dict[str, float] = field(default_factory=dict)

    def shortest_and_longest_block(self) -> tuple[float | None, float | None]:
        """Times real time at either; None: not measured."""
        factors = self.real_time_factors or {}
        by_length = [factors[length] for length in sorted(factors, key=int)]
        return (by_length[0], by_length[-1]) if by_length else (None, None)


@dataclass(frozen=True)
class Outcome:
    """How a row ended.

    Args:
        status: "finished", "failed", "interrupted", "running" or "waiting".
        reason: Of a failure, in one line.
        figures: Of a finished row.
        log: Where the output of the training lies.
    """

    status: str
    reason: str = ""
    figures: Figures | None = None
    log: str = ""


class Validation(NamedTuple):
    """One validation of a training: the CPU time of the training steps until then, seconds, and its ESR."""

    cpu_s: float
    val_esr: float


@dataclass(frozen=True)
class ComparisonRow:
    """One training of a comparison: how it ended, its validations in the order of time, and its recipe."""

    name: str
    outcome: Outcome
    learning: Sequence[Validation]
    recipe: str = ""  # whose seeds are compared; empty: the row is its recipe


@dataclass(frozen=True)
class Spread:
    """What chance does to a recipe: one figure of its trainings with several seeds.

    Args:
        recipe: Its name.
        figure: Which one.
        seeds: How many trainings have it.
        median: Of them.
        least: The lowest.
        most: The highest.
    """

    recipe: str
    figure: str
    seeds: int
    median: float
    least: float
    most: float


def measure_spreads(rows: Sequence[ComparisonRow]) -> list[Spread]:
    """The spread of val_esr and of test_esr by recipe, of finished rows; the best median of val_esr first."""
    found: dict[str, list[Figures]] = {}
    for row in rows:
        if row.recipe and row.outcome.figures is not None:
            found.setdefault(row.recipe, []).append(row.outcome.figures)
    spreads = {
        recipe: [
            Spread(recipe, name, len(values), statistics.median(values), min(values), max(values))
            for name, values in (
                ("val_esr", [one.val_esr for one in figures]),
                ("test_esr", [one.test_esr for one in figures if one.test_esr is not None]),
            )
            if values
        ]
        for recipe, figures in found.items()
    }
    return [spread for own in sorted(spreads.values(), key=lambda own: own[0].median) for spread in own]


def sort_rows(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Best first, those without figures last."""
    return sorted(rows, key=lambda row: row.outcome.figures.val_esr if row.outcome.figures else math.inf)


def equal_cost_s(rows: Sequence[ComparisonRow]) -> float:
    """The CPU time that the cheapest finished row trained for, seconds."""
    return min((row.outcome.figures.train_cpu_s for row in rows if row.outcome.figures), default=0.0)


def esr_within(learning: Sequence[Validation], cpu_s: float) -> float | None:
    """The lowest val_esr reached within `cpu_s` of training; None: no validation by then."""
    return min((one.val_esr for one in learning if one.cpu_s <= cpu_s), default=None)


def find_disturbed(rows: Sequence[ComparisonRow], threads: int) -> dict[str, float]:
    """The rows whose training had less than `UNDISTURBED` of its threads, and the share they had."""
    shares = {}
    for row in rows:
        if (figures := row.outcome.figures) is not None:
            share = divide(figures.train_cpu_s, figures.train_wall_s * threads)
            if share is not None and share < UNDISTURBED:
                shares[row.name] = share
    return shares


def divide(amount: float, time_s: float) -> float | None:
    """`amount` per second; None: it took no time."""
    return amount / time_s if time_s > 0 else None


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which points no other beats in both ways, by rising speed.

    Args:
        points: (speed, error): fast and small are good. Of equal points the first stays.
    """
    front: list[int] = []
    least = float("inf")
    for number in sorted(range(len(points)), key=lambda at: (-points[at][0], points[at][1], at)):
        if points[number][1] < least:
            least = points[number][1]
            front.append(number)
    return front[::-1]
