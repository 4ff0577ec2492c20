"""Errors by setting of the controls: the rows of a test pooled, and classified relative to the trained settings."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tapezoo.data.settings import KINDS, Kind, Setting, kind_of, sort_settings
from tapezoo.esr import esr


@dataclass(frozen=True)
class RowScore:
    """What a test found on one row.

    Args:
        setting: Of the controls.
        error: Energy of output - target.
        energy: Of the target.
        mrstft: Multi-resolution STFT distance; NaN where the row is too short for it.
        samples: How many were scored.
    """

    setting: Setting
    error: float
    energy: float
    mrstft: float
    samples: int


@dataclass(frozen=True)
class Score:
    """Errors of rows taken together.

    Args:
        mse: Error energy per sample.
        esr: Error energy over target energy, each summed over the rows; NaN without energy.
        mrstft: Mean over the rows that have one, weighted by their lengths; NaN where none has.
        seconds: Scored audio.
        rows: How many.
    """

    mse: float
    esr: float
    mrstft: float
    seconds: float
    rows: int


@dataclass(frozen=True)
class SettingScore:
    """One setting and how a model did there."""

    setting: Setting
    kind: Kind
    score: Score


def pool_rows(rows: Sequence[RowScore], sample_rate: int) -> Score:
    """The rows as one; at least one of them with a sample."""
    error, energy = math.fsum(row.error for row in rows), math.fsum(row.energy for row in rows)
    samples = sum(row.samples for row in rows)
    judged = [row for row in rows if not math.isnan(row.mrstft)]
    weight = sum(row.samples for row in judged)
    return Score(
        mse=error / samples if samples else math.nan,
        esr=esr(error, energy),
        mrstft=math.fsum(row.mrstft * row.samples for row in judged) / weight if weight else math.nan,
        seconds=samples / sample_rate,
        rows=len(rows),
    )


def score_by_setting(
    rows: Sequence[RowScore], trained: Collection[Setting], recorded: Collection[Setting], sample_rate: int
) -> list[SettingScore]:
    """A score per setting: kind after kind, in each by position.

    Args:
        rows: Of the test.
        trained: Settings of the training rows, at least one.
        recorded: Settings of all rows.
        sample_rate: Hz.
    """
    by_setting: dict[Setting, list[RowScore]] = {}
    for row in rows:
        by_setting.setdefault(row.setting, []).append(row)
    scores = [
        SettingScore(setting, kind_of(setting, trained, recorded), pool_rows(own, sample_rate))
        for setting, own in ((setting, by_setting[setting]) for setting in sort_settings(by_setting))
    ]
    return sorted(scores, key=lambda scored: KINDS.index(scored.kind))


def score_by_kind(
    rows: Sequence[RowScore], scored: Sequence[SettingScore], sample_rate: int
) -> dict[Kind, Score]:
    """A score per kind that occurs, its rows taken together."""
    kinds = {one.setting: one.kind for one in scored}
    return {
        kind: pool_rows([row for row in rows if kinds[row.setting] == kind], sample_rate)
        for kind in KINDS
        if kind in kinds.values()
    }


def find_worst(scored: Sequence[SettingScore]) -> SettingScore | None:
    """The setting with the highest ESR; None where no setting has one."""
    judged = [one for one in scored if not math.isnan(one.score.esr)]
    return max(judged, key=lambda one: one.score.esr, default=None)
