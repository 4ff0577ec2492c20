"""What `tapezoo test` says about the settings of the controls: where the model is bad, and what to record next."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.table import Table

from tapezoo.controls import Control
from tapezoo.data.batch import Batch
from tapezoo.data.settings import Setting, setting_text
from tapezoo.data.splits import SPLITS
from tapezoo.measure.disagreement import programme
from tapezoo.measure.next_setting import (
    Candidate,
    Foresight,
    foresight,
    midpoints,
    scored_by_ensemble,
    scored_by_neighbours,
)
from tapezoo.measure.pictures import write_png
from tapezoo.measure.setting_scores import (
    RowScore,
    Score,
    SettingScore,
    scores_by_kind,
    scores_by_setting,
    worst,
)
from tapezoo.measure.settings_map import settings_map
from tapezoo.screen import Screen
from tapezoo.staging import replaced_file
from tapezoo.training.effect import EffectModel

FIGURES = ("esr", "mse", "mrstft", "seconds")


class SettingsReport(Callback):
    """Errors by setting as table, file and picture, and a ranking of settings to record next.

    Leaves test_settings.csv; where the data has controls also test_settings.png and capture_next.csv.

    Args:
        folder: Where the files go.
        console: Where the tables are shown.
        members: Models of the same task from other seeds; where they and the tested one disagree, a recording
            is missing. Without them the settings around a candidate are compared.
    """

    def __init__(self, folder: Path, console: Screen, members: Sequence[EffectModel] = ()) -> None:
        self.folder, self.console, self.members = folder, console, list(members)
        self.rows: list[tuple[str, float, float, float, int]] = []

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
            self.rows.append((name, error, energy, mrstft, samples))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and shows both reports."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        controls = [Control(**control) for control in data.controls]
        if not self.rows or not isinstance(pl_module, EffectModel):
            return
        tested = data.split_arrays("test")
        settings = {row.name: row.setting for row in tested}
        rows = [
            RowScore(settings[name], error, energy, mrstft, samples)
            for name, error, energy, mrstft, samples in self.rows
        ]
        self.rows = []
        trained = data.settings("train")
        scored = scores_by_setting(rows, trained, data.settings(*SPLITS), data.sample_rate)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._report_errors(rows, scored, controls, data.sample_rate, type(pl_module).__name__)

        if not controls:
            return
        held_out = {one.setting: one.score.esr for one in scored if one.kind != "trained"}
        candidates = [*held_out, *(at for at in midpoints(trained, data.switches) if at not in held_out)]
        if candidates:
            excerpts = programme([row.input for row in tested], data.sample_rate)
            if self.members:
                models = [pl_module, *(member.to(pl_module.device) for member in self.members)]
                ranked = scored_by_ensemble(models, candidates, excerpts)
            else:
                ranked = scored_by_neighbours(pl_module, candidates, trained, excerpts)
            self._report_next(ranked, held_out, controls)

    def _report_errors(
        self,
        rows: Sequence[RowScore],
        scored: Sequence[SettingScore],
        controls: Sequence[Control],
        sample_rate: int,
        architecture: str,
    ) -> None:
        table = Table(
            "setting",
            "kind",
            "ESR",
            "MSE",
            "MR-STFT",
            "seconds",
            title="Errors by setting, after the burn-in",
        )
        path = self.folder / "test_settings.csv"
        with replaced_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["setting", "kind", *map(column, controls), *FIGURES])
            for one in scored:
                text = setting_text(controls, one.setting) or "no control"
                writer.writerow([text, one.kind, *in_units(controls, one.setting), *exact(one.score)])
                table.add_row(text, one.kind, *shown(one.score))
            table.add_section()
            for kind, score in scores_by_kind(rows, scored, sample_rate).items():
                writer.writerow(["all", kind, *("" for _ in controls), *exact(score)])
                table.add_row("all", kind, *shown(score))
        self.console.print(table)
        bad = worst(scored)
        if controls and bad is not None:
            self._say(
                f"worst setting: {setting_text(controls, bad.setting)} ({bad.kind}), ESR {bad.score.esr:.5f}"
            )
            title = f"{architecture}: ESR on test by setting"
            picture = write_png(settings_map(scored, controls, title), self.folder / "test_settings.png")
            self._say(f"written to {path} and {picture.name}")
        else:
            self._say(f"written to {path}")

    def _report_next(
        self, ranked: Sequence[Candidate], held_out: dict[Setting, float], controls: Sequence[Control]
    ) -> None:
        path = self.folder / "capture_next.csv"
        with replaced_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["setting", *map(column, controls), "score", "held_out", "measured_esr"])
            for one in ranked:
                esr = f"{held_out[one.setting]:.6g}" if one.setting in held_out else ""
                writer.writerow(
                    [
                        setting_text(controls, one.setting),
                        *in_units(controls, one.setting),
                        f"{one.score:.6g}",
                        str(one.setting in held_out).lower(),
                        esr,
                    ]
                )
        best = ranked[0]
        if math.isnan(best.score):
            self._say(
                "capture here next: cannot be said, with one setting and one model there is no comparison"
            )
        else:
            how = f"{len(self.members) + 1} models" if self.members else "the settings around it"
            recorded = "; recorded and held out: let training have it" if best.setting in held_out else ""
            self._say(
                f"capture here next: {setting_text(controls, best.setting)} "
                f"({how} disagree by {best.score:.3g} of the energy{recorded})"
            )
            self._say(foresight_text(foresight(ranked, held_out)))
        self._say(f"written to {path}")

    def _say(self, text: str) -> None:
        self.console.say(text)


def foresight_text(seen: Foresight) -> str:
    """One sentence on how far the ranking can be trusted."""
    if seen.rank_correlation is None:
        return (
            f"whether this ranking foretells errors cannot be checked: {seen.settings} held-out setting(s) with "
            "a score and an error, 4 different ones are needed"
        )
    hit = "is" if seen.hit else "is not"
    return (
        f"checked on {seen.settings} held-out settings: rank correlation of score and measured ESR "
        f"{seen.rank_correlation:+.2f}; the one with the highest score {hit} among the worst third"
    )


def column(control: Control) -> str:
    """The control as the head of a column."""
    return f"{control.name} ({control.unit})" if control.unit else control.name


def in_units(controls: Sequence[Control], setting: Setting) -> list[str]:
    """The control values in the user's units, empty where a control is idle."""
    return ["" if at is None else control.shown(at) for control, at in zip(controls, setting, strict=True)]


def exact(score: Score) -> list[str]:
    """The figures for a file."""
    return [f"{value:.6g}" for value in (score.esr, score.mse, score.mrstft)] + [f"{score.seconds:.3f}"]


def shown(score: Score) -> list[str]:
    """The figures for a reader."""
    return [f"{score.esr:.5f}", f"{score.mse:.3g}", f"{score.mrstft:.4f}", f"{score.seconds:.1f}"]
