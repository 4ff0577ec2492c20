"""What a training says about itself: what it goes on from, what came out, what it leaves."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from lightning.pytorch import LightningDataModule, Trainer

from tapezoo import checkpoint
from tapezoo.callbacks import Register
from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.callbacks.data_report import floors_text
from tapezoo.callbacks.ends import reason_of_end
from tapezoo.callbacks.history import HISTORY, read_history
from tapezoo.callbacks.steadiness import steadiness_check
from tapezoo.cli.run_folder import belongs_to
from tapezoo.data.described import DescribedData
from tapezoo.data.module import PairsDataModule
from tapezoo.errors import TapezooError
from tapezoo.measure.metric_units import metrics_text
from tapezoo.measure.steadiness import Steadiness
from tapezoo.measure.test_split import TestScore
from tapezoo.metrics import ALWAYS
from tapezoo.report.advice import Outcome, advice
from tapezoo.report.floor import beside_floor_text
from tapezoo.report.html.run_page import write_run_page
from tapezoo.report.metrics import metrics_table
from tapezoo.report.steadiness import refused_text, verdict_text
from tapezoo.report.summary import Summary, write_summary
from tapezoo.report.tables import write_csv
from tapezoo.report.verdict import verdict_markdown
from tapezoo.screen import Screen
from tapezoo.terminal import shell
from tapezoo.tracking import TrackedRun
from tapezoo.training.effect import EffectModel
from tapezoo.training.trained import TrainedModel

log = logging.getLogger(__name__)


def say_what_is_resumed(
    console: Screen, run_dir: Path, resumed: Path, model: TrainedModel, datamodule: LightningDataModule
) -> None:
    """In its own folder a training has to beat the best.ckpt there, which another data set could not be."""
    if not belongs_to(run_dir, str(resumed)):
        text = f"{resumed} continues in another folder; best.ckpt there is chosen from the new epochs"
        console.say(text)
        return
    best = run_dir / checkpoint.BEST
    if isinstance(datamodule, DescribedData):
        for path in (resumed, best) if best.is_file() else (resumed,):
            checkpoint.check_same_data(path, datamodule.dataset_hash)
    if not best.is_file():
        console.say(f"there is no {best} to compare with; best.ckpt is chosen from the new epochs")
        return
    before, now = checkpoint.monitor_of(best), (model.objective.monitor, model.objective.mode)
    if before != now:
        console.say(
            f"{best} was chosen by {before[0]} ({before[1]}); from here on {now[0]} ({now[1]}) decides"
        )


def say_result(
    console: Screen,
    run_dir: Path,
    trainer: Trainer,
    linear_floors: dict[int, float],
    store: str | None,
    tested: TestScore | None = None,
    command: str = "",
) -> None:
    """What came out of a training, and what to do with it; the same becomes the description of its run, and its page.

    Args:
        console: Where to say it.
        run_dir: The run's folder.
        trainer: Whose training has ended.
        linear_floors: The val_esr of the best filters, by their length; none for a net with a phase of its own.
        store: URI of what tracks the run; None: nothing does.
        tested: What the best checkpoint reached on the test split.
        command: With which it was trained.
    """
    best = run_dir / checkpoint.BEST
    callback = best_and_last(trainer)
    if callback is None or callback.best_model_score is None:
        return  # fast_dev_run, or no epoch was trained
    floor = min(linear_floors.values(), default=math.nan)
    monitored, score = "", float(callback.best_model_score)
    if callback.monitor != "val_esr":
        monitored = f"{callback.monitor} {score:.5f}; "
        score = checkpoint.score_of(best) or math.nan
    measured = checkpoint.read_checkpoint(best)["tapezoo"]["metrics"]
    found = Steadiness.of_metrics(measured)
    check = steadiness_check(trainer)
    advised = list(_advice(run_dir, trainer, score, floor, tested))
    model = trainer.lightning_module
    own_phase = model.net.own_phase if isinstance(model, EffectModel) else ""
    quality = [
        f"best {monitored}val_esr {score:.5f}; linear floor {floors_text(linear_floors)}",
        f"             {beside_floor_text(score, floor)}",
    ]
    if own_phase:
        quality = [
            f"best {monitored.removesuffix('; ')}",
            f"             no ESR and no linear floor, which compare waveforms: {own_phase}",
        ]
    lines = [
        *quality,
        *(_test_lines(tested) if tested is not None and not math.isnan(tested.esr) else ()),
        *_metric_lines(run_dir, trainer, measured),
        *([f"steadiness   {verdict_text(found)}"] if found is not None else []),
        *([f"             {refused_text(check.refused)}"] if check is not None and check.refused else []),
        *(f"advice       {text}" for text in advised),
        f"checkpoint   {best}",
        f"listen       {shell('tapezoo', 'render', best)} IN.wav OUT.wav (excerpts and pictures: "
        f"{run_dir / 'report'})",
        f"export       {shell('tapezoo', 'export', best)} --out BUNDLE",
    ]
    lines += [f"registered   {register}" for register in registers(trainer)]
    done, planned = trainer.current_epoch, trainer.max_epochs
    updates = f"{trainer.global_step} updates"
    if planned is not None and done < planned:
        updates = f"epoch {done} of {planned}, {updates}"
    ended = f"{updates}: {reason_of_end(trainer)}"
    lines.insert(0, f"ended after {ended}")
    steadiness = verdict_text(found) if found is not None else ""
    figures = {} if own_phase else {"validation": (score, floor)}
    if tested is not None:
        figures["test"] = (tested.esr, min(tested.linear_floors.values(), default=math.nan))
    recordings = _recordings(trainer)
    _describe_run(trainer, verdict_markdown(figures, ended, recordings, advised))
    shown = {split: (_known(esr), _known(least)) for split, (esr, least) in figures.items()}
    name = type(trainer.lightning_module).__name__
    title, warned = _title(trainer, run_dir), _warnings(trainer)
    summary = Summary(title, name, recordings, ended, shown, steadiness, advised, command, warned)
    if (page := _write_page(run_dir, summary, trainer)) is not None:
        lines.append(f"report       {page}: listen and look, in a browser")
    if store is not None:
        served = store.startswith(("http://", "https://"))
        lines.append(
            f"all runs     tapezoo runs; with pictures: "
            f"{store if served else shell('mlflow', 'ui', '--backend-store-uri', store)}"
        )
    console.say(*lines)


def say_generator_result(console: Screen, run_dir: Path, trainer: Trainer, store: str | None) -> None:
    """What came out of the training of a generator, and what to do with it.

    Args:
        console: Where to say it.
        run_dir: The run's folder.
        trainer: Whose training has ended.
        store: URI of what tracks the run; None: nothing does.
    """
    best, callback = run_dir / checkpoint.BEST, best_and_last(trainer)
    if callback is None or callback.best_model_score is None:
        return
    model = trainer.lightning_module
    is_noise = getattr(model, "quantity", "") == "noise"
    made = "NOISE.wav" if is_noise else "TAKE.csv"
    lines = [
        f"ended after {trainer.global_step} updates: {reason_of_end(trainer)}",
        f"best {callback.monitor} {float(callback.best_model_score):.5f}",
        f"checkpoint   {best}",
        f"report       {run_dir / 'report'}: a page, its table and picture, and what it makes",
        f"make more    {shell('tapezoo', 'generate', best)} --out {made}",
    ]
    if store is not None:
        lines.append("all runs     tapezoo runs")
    console.say(*lines)


def _metric_lines(run_dir: Path, trainer: Trainer, measured: Mapping[str, float]) -> Iterator[str]:
    """Writes every metric of the best checkpoint for the page; says those that the recipe asked for."""
    model = trainer.lightning_module
    if not isinstance(model, EffectModel):
        return
    values = {name: measured.get(f"val_{name}", math.nan) for name in model.metric_names()}
    folder = run_dir / "report"
    folder.mkdir(exist_ok=True)
    write_csv(metrics_table(values), folder / "metrics.csv")
    if asked_for := {name: value for name, value in values.items() if name not in ALWAYS}:
        yield f"metrics      on validation: {metrics_text(asked_for)}"


def _known(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


def _title(trainer: Trainer, run_dir: Path) -> str:
    data = trainer.datamodule  # type: ignore[attr-defined]
    return f"{data.title}, {run_dir.name}" if isinstance(data, PairsDataModule) else run_dir.name


def _write_page(run_dir: Path, summary: Summary, trainer: Trainer) -> Path | None:
    """The run's page, in its folder and with its run; None where it could not be written, which fails no training."""
    folder = run_dir / "report"
    try:
        folder.mkdir(exist_ok=True)
        write_summary(summary, folder)
        page = write_run_page(run_dir)
    except (OSError, ValueError, TapezooError) as error:
        log.warning("the run's page could not be written: %s", error)
        return None
    for logger in trainer.loggers:
        if isinstance(logger, TrackedRun):
            logger.log_file(page, "report")
    return page


def _describe_run(trainer: Trainer, text: str) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, TrackedRun):
            logger.describe(text)


def _recordings(trainer: Trainer) -> str:
    data = trainer.datamodule  # type: ignore[attr-defined]
    return str(data.origin().get("recordings", "")) if isinstance(data, PairsDataModule) else "unknown data"


def _warnings(trainer: Trainer) -> list[str]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    found = data.findings if isinstance(data, PairsDataModule) else []
    return [f"{one.subject}: {one.text}" for one in found if one.severity == "warning"]


def _advice(
    run_dir: Path, trainer: Trainer, val_esr: float, floor: float, tested: TestScore | None
) -> Iterator[str]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, PairsDataModule):
        return iter(())
    history = read_history(run_dir / HISTORY) if (run_dir / HISTORY).is_file() else []
    validated = [(row.updates, row.val_esr) for row in history if row.val_esr is not None]
    train_samples = sum(len(row.input) for row in data.split_arrays("train"))
    return advice(
        Outcome(
            train_samples / data.sample_rate,
            val_esr,
            math.nan if tested is None else tested.esr,
            floor,
            [updates for updates, _ in validated],
            [error for _, error in validated],
            data.findings,
            trainer.max_epochs not in (None, -1) and trainer.current_epoch < trainer.max_epochs,
            *(float(trainer.callback_metrics.get(name, math.nan)) for name in ("train_loss", "val_loss")),
        )
    )


def _test_lines(tested: TestScore) -> Iterator[str]:
    yield f"test_esr     {tested.esr:.5f}; linear floor {floors_text(tested.linear_floors)}"
    yield f"             {beside_floor_text(tested.esr, min(tested.linear_floors.values(), default=math.nan))}"


def say_what_is_left(console: Screen, run_dir: Path, how: str) -> None:
    """What a training that did not reach its end has kept; `how` it ended."""
    kept = [str(run_dir / name) for name in (checkpoint.BEST, checkpoint.LAST) if (run_dir / name).exists()]
    if kept:
        message = f"{how}; kept {' and '.join(kept)}. Resume: add {shell('--ckpt_path', kept[-1])}"
    elif not run_dir.is_dir():
        message = f"{how}; {run_dir} no longer exists; if it was moved, the checkpoints are there"
    else:
        message = f"{how} before the end of the first epoch: there is no checkpoint yet"
    console.say(message)


def registers(trainer: Trainer) -> list[Register]:
    """The callbacks that register what was trained."""
    return [found for found in trainer.callbacks if isinstance(found, Register)]  # type: ignore[attr-defined]
