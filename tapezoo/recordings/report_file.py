"""report.json: every figure of a preparation, for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tapezoo import __version__
from tapezoo.data.align.timing import ChannelTiming
from tapezoo.recordings.figures import ChannelFigures
from tapezoo.recordings.laying import Laying
from tapezoo.recordings.levels import LOWEST_DB, STEP_DB, Clipping, Levels
from tapezoo.recordings.preparation import PairReport, Preparation
from tapezoo.recordings.remarks import Remark

SCHEMA_VERSION = 1


def report_document(preparation: Preparation) -> dict[str, Any]:
    """The whole report as plain values; a figure that does not exist is null."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tapezoo_version": __version__,
        "sample_rate_hz": preparation.sample_rate,
        "verdict": preparation.verdict,
        "because": preparation.reasons(),
        "remarks": _remarks(preparation.remarks),
        "pairs": [_pair(report, preparation.sample_rate) for report in preparation.pairs],
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def _pair(report: PairReport, sample_rate: int) -> dict[str, Any]:
    pair = report.recording.pair
    return {
        "name": report.name,
        "dry": str(pair.dry),
        "wet": str(pair.wet),
        "controls": dict(pair.controls),
        "held_out": pair.held_out,
        "verdict": report.verdict,
        "remarks": _remarks(report.remarks),
        "length_s": report.seconds,
        "excitation": None if report.excitation is None else asdict(report.excitation.design),
        "split": report.split,
        "regions_s": {
            split: [start / sample_rate, stop / sample_rate]
            for split, (start, stop) in (report.regions or {}).items()
        }
        if report.split is None
        else {},
        "files": [
            {
                "dry": files.dry,
                "wet": files.wet,
                "delay": files.delay,
                "channels": [n + 1 for n in files.channels],
            }
            for files in report.files
        ],
        "clock_ratio": report.timing.clock_ratio if report.timing else None,
        "has_shared_clock": report.timing.has_shared_clock if report.timing else None,
        "trimmed_s": list(report.laying.trimmed_s) if report.laying else None,
        "dc_measured_in_silence": report.laying.dc_in_silence if report.laying else None,
        "channels": _channels(report, sample_rate),
    }


def _channels(report: PairReport, sample_rate: int) -> list[dict[str, Any]]:
    found = []
    for number, timing in enumerate(report.timing.channels if report.timing else ()):
        own = _timing(timing)
        if report.laying is not None:
            own |= _laying(report.laying, number, sample_rate)
        if report.channels:
            own |= _figures(report.channels[number])
        found.append(own)
    return found


def _timing(timing: ChannelTiming) -> dict[str, Any]:
    return {
        "delay_found": timing.found,
        "delay_confidence": timing.confidence,
        "inverted": timing.inverted,
        "jumps": [
            {"time_s": jump.time_s, "window_s": jump.window_s, "samples": jump.samples}
            for jump in timing.jumps
        ],
    }


def _laying(laying: Laying, number: int, sample_rate: int) -> dict[str, Any]:
    constant, fraction = laying.constants_samples[number], laying.fractions_samples[number]
    trajectory = laying.trajectories[number]
    return {
        "delay_samples": constant + fraction,
        "delay_ms": (constant + fraction) / sample_rate * 1000,
        "delay_cut_samples": constant,
        "delay_resampled_samples": fraction,
        "polarity_corrected": laying.turned[number],
        "dc": laying.dc[number],
        "wander_samples": trajectory.wander_samples if trajectory else None,
        "wander_unsure_share": float(np.mean(trajectory.confidence < 0.5)) if trajectory else None,
    }


def _figures(figures: ChannelFigures) -> dict[str, Any]:
    hum = figures.hum
    return {
        "delay_left_samples": figures.delay_left_samples,
        "gain_db": figures.gain_db,
        "programme_s": figures.sounding_s,
        "noise_floor_dbfs": None if figures.noise_power is None else _power_db(figures.noise_power),
        "noise_at_most_dbfs": _power_db(figures.noise_at_most),
        "best_esr_without_noise": figures.best_esr,
        "linear_floor_257_taps_esr": figures.floor,
        "linear_floor_257_taps_without_wander_esr": figures.floor_without_wander,
        "wet_unclipped_s": figures.wet_unclipped_s,
        "dry": _levels(figures.dry_levels, figures.dry_clipping),
        "dry_centroid_hz": figures.dry_centroid_hz,
        "wet": _levels(figures.wet_levels, figures.wet_clipping),
        "hum": None
        if hum is None
        else {
            "mains_hz": hum.mains_hz,
            "level_dbfs": _power_db(hum.power),
            "lines_hz": list(hum.lines_hz),
            "over_noise_db": hum.over_noise_db,
        },
        "dropouts": None
        if figures.dropouts is None
        else [
            {"time_s": lost.time_s, "length_s": lost.length_s, "depth_db": lost.depth_db}
            for lost in figures.dropouts
        ],
    }


def _levels(levels: Levels, clipping: Clipping) -> dict[str, Any]:
    return {
        "peak_dbfs": _power_db(levels.peak**2),
        "loudest_block_dbfs": levels.loudest_db,
        "quietest_block_dbfs": levels.quietest_db,
        "block_level_edges_dbfs": [LOWEST_DB + STEP_DB * step for step in range(len(levels.shares) + 1)],
        "block_level_shares": list(levels.shares),
        "clipped_samples": clipping.samples,
        "clipped_at_dbfs": _power_db(clipping.level**2) if clipping.samples else None,
    }


def _remarks(remarks: Sequence[Remark]) -> list[dict[str, str]]:
    return [{"effect": remark.effect, "kind": remark.kind, "text": remark.full} for remark in remarks]


def _power_db(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: _finite(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_finite(own) for own in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
