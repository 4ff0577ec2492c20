"""The report of `tapezoo test` by setting of the controls: where the model is poor, and what to record next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tapezoo.controls import Control
from tapezoo.data.settings import Kind, Setting, setting_text
from tapezoo.measure.next_setting import Candidate, Foresight
from tapezoo.measure.setting_scores import Score, SettingScore
from tapezoo.report.controls import control_heading
from tapezoo.report.tables import Cell, Column, Table

FIGURES = (
    Column("esr", "ESR", shown=".5f", written=".6g", is_number=True),
    Column("mse", "MSE", shown=".3g", written=".6g", is_number=True),
    Column("mrstft", "MR-STFT", shown=".4f", written=".6g", is_number=True),
    Column("seconds", "seconds", shown=".1f", written=".3f", is_number=True),
)


def setting_table(
    scored: Sequence[SettingScore], totals: Mapping[Kind, Score], controls: Sequence[Control]
) -> Table:
    """A line per setting, and one per kind of settings."""
    columns = (Column("setting", "setting"), Column("kind", "kind"), *_control_columns(controls), *FIGURES)
    rows: list[tuple[Cell, ...]] = []
    for one in scored:
        text = setting_text(controls, one.setting) or "no control"
        rows.append((text, one.kind, *_in_units(controls, one.setting), *_figures(one.score)))
    blank = (None,) * len(controls)
    rows += [("all", kind, *blank, *_figures(score)) for kind, score in totals.items()]
    return Table(columns, rows, title="Errors by setting", sums=len(totals))


def figures_text(score: Score) -> str:
    """What a setting reached, in one line."""
    return f"in all: ESR {score.esr:.5f}, MSE {score.mse:.3g}, MR-STFT {score.mrstft:.4f}, over {score.seconds:.1f} s"


def worst_text(worst: SettingScore, controls: Sequence[Control]) -> str:
    """Where the model is worst."""
    where = setting_text(controls, worst.setting)
    return f"worst setting: {where} ({worst.kind}), ESR {worst.score.esr:.5f}"


def candidate_table(
    ranked: Sequence[Candidate], held_out: Mapping[Setting, float], controls: Sequence[Control]
) -> Table:
    """A line per setting that could be recorded next, the most promising one first.

    Args:
        ranked: In this order.
        held_out: ESR that was measured, by setting.
        controls: All controls.
    """
    columns = (
        Column("setting", "setting"),
        *_control_columns(controls),
        Column("score", "score", shown=".3g", written=".6g", is_number=True),
        Column("held_out", "held out"),
        Column("measured_esr", "measured ESR", shown=".5f", written=".6g", is_number=True),
    )
    rows = [
        (
            setting_text(controls, one.setting),
            *_in_units(controls, one.setting),
            one.score,
            str(one.setting in held_out).lower(),
            held_out.get(one.setting),
        )
        for one in ranked
    ]
    return Table(columns, rows, title="Settings to record next")


def next_text(best: Candidate, is_held_out: bool, members: int, controls: Sequence[Control]) -> str:
    """Where a recording helps most.

    Args:
        best: The most promising candidate.
        is_held_out: Whether it is recorded already.
        members: Models that were compared; 1: the settings around a candidate were.
        controls: All controls.
    """
    if math.isnan(best.score):
        return "capture here next: unknown; with one setting and one model there is nothing to compare"
    how = f"{members} models" if members > 1 else "the settings around it"
    recorded = "; it is recorded but held out: use it for training" if is_held_out else ""
    return (
        f"capture here next: {setting_text(controls, best.setting)} "
        f"({how} disagree by {best.score:.3g} of the energy{recorded})"
    )


def foresight_text(seen: Foresight) -> str:
    """How far the ranking can be trusted."""
    if seen.rank_correlation is None:
        return (
            f"whether this ranking predicts errors cannot be checked: {seen.settings} held-out setting(s) have "
            "a score and an error, and 4 different ones are needed"
        )
    hit = "is" if seen.hit else "is not"
    return (
        f"checked on {seen.settings} held-out settings: rank correlation of score and measured ESR "
        f"{seen.rank_correlation:+.2f}; the one with the highest score {hit} among the worst third"
    )


def _control_columns(controls: Sequence[Control]) -> list[Column]:
    """One column per control, for programs."""
    return [Column(control_heading(control)) for control in controls]


def _in_units(controls: Sequence[Control], setting: Setting) -> list[str | None]:
    """The control values in the user's units; none where a control is idle."""
    return [None if at is None else control.shown(at) for control, at in zip(controls, setting, strict=True)]


def _figures(score: Score) -> tuple[float, ...]:
    return score.esr, score.mse, score.mrstft, score.seconds
