"""`tapezoo test` on the settings of the controls: measures them, writes the report, shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.controls import Control
from tapezoo.data.batch import Batch
from tapezoo.data.settings import Setting
from tapezoo.data.splits import SPLITS
from tapezoo.measure.disagreement import choose_excerpts
from tapezoo.measure.next_setting import (
    Candidate,
    compare_scores,
    find_midpoints,
    rank_by_ensemble,
    rank_by_neighbours,
)
from tapezoo.measure.setting_scores import (
    RowScore,
    SettingScore,
    find_worst,
    score_by_kind,
    score_by_setting,
)
from tapezoo.report.figures import write_png
from tapezoo.report.settings import (
    candidate_table,
    figures_text,
    foresight_text,
    next_text,
    setting_table,
    worst_text,
)
from tapezoo.report.settings_map import draw_settings_map
from tapezoo.report.tables import screen_table, write_csv
from tapezoo.report.worst_rows import worst_rows
from tapezoo.screen import Screen
from tapezoo.training.effect import EffectModel


class SettingsReport(Callback):
    """Errors by setting as table, file and picture, and a ranking of settings to record next.

    A net with a phase of its own has none (`ClipTable` says so).

    Leaves test_settings.csv; where the data has controls also test_settings.png and capture_next.csv.

    Args:
        folder: Where the files go.
        console: Where the tables are shown.
        members: Models of the same task from other seeds; where they and the tested one disagree, a recording
            would help. Without them the settings around a candidate are compared.
    """

    def __init__(self, folder: Path, console: Screen, members: Sequence[EffectModel] = ()) -> None:
        self.folder, self.console, self.members = folder, console, list(members)
        self.rows: list[tuple[str, tuple[float, float, float, int]]] = []

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *args: Any
    ) -> None:
        """Collects what was found on each row."""
        for name, (error, energy), mrstft, samples in zip(
            batch.names,
            outputs["energies"].tolist(),
            outputs["mrstft"].tolist(),
            outputs["samples"].tolist(),
            strict=True,
        ):
            self.rows.append((name, (error, energy, mrstft, samples)))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and shows both reports."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        controls = [Control(**control) for control in data.controls]
        if not self.rows or not isinstance(pl_module, EffectModel) or pl_module.net.own_phase:
            return
        tested = data.split_arrays("test")
        settings = {row.name: row.setting for row in tested}
        rows = [RowScore(settings[name], *figures) for name, figures in self.rows]
        self.rows = []
        trained = data.settings("train")
        scored = score_by_setting(rows, trained, data.settings(*SPLITS), data.sample_rate)
        self.folder.mkdir(parents=True, exist_ok=True)
        totals = score_by_kind(rows, scored, data.sample_rate)
        table = setting_table(scored, totals, controls)
        path = write_csv(table, self.folder / "test_settings.csv")
        if controls:
            self.console.print(screen_table(worst_rows(table, "esr", path.name)))
        else:
            self.console.say(*map(figures_text, totals.values()))  # the table would have one line
        bad = find_worst(scored)
        if not controls or bad is None:
            self.console.say(f"written to {path}")
        else:
            self.console.say(worst_text(bad, controls))
            title = f"{type(pl_module).__name__}: ESR on test by setting"
            picture = write_png(draw_settings_map(scored, controls, title), self.folder / "test_settings.png")
            self.console.say(f"written to {path} and {picture.name}")
        if controls:
            self._report_next(pl_module, data, scored, controls)

    def _report_next(
        self, model: EffectModel, data: Any, scored: Sequence[SettingScore], controls: Sequence[Control]
    ) -> None:
        trained = data.settings("train")
        held_out = {one.setting: one.score.esr for one in scored if one.kind != "trained"}
        candidates = [
            *held_out,
            *(at for at in find_midpoints(trained, data.switches) if at not in held_out),
        ]
        if not candidates:
            return
        ranked = self._rank(model, data, candidates)
        path = write_csv(candidate_table(ranked, held_out, controls), self.folder / "capture_next.csv")
        best = ranked[0]
        self.console.say(next_text(best, best.setting in held_out, len(self.members) + 1, controls))
        if not math.isnan(best.score):
            self.console.say(foresight_text(compare_scores(ranked, held_out)))
        self.console.say(f"written to {path}")

    def _rank(self, model: EffectModel, data: Any, candidates: Sequence[Setting]) -> list[Candidate]:
        excerpts = choose_excerpts([row.input for row in data.split_arrays("test")], data.sample_rate)
        if self.members:
            models = [model, *(member.to(model.device) for member in self.members)]
            return rank_by_ensemble(models, candidates, excerpts)
        return rank_by_neighbours(model, candidates, data.settings("train"), excerpts)
