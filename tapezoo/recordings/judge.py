"""From the figures of a channel to remarks: what limits a model, and by how much."""

from __future__ import annotations

from tapezoo.data.audio import level_dbfs
from tapezoo.data.noise import NOISELESS
from tapezoo.recordings.figures import ChannelFigures
from tapezoo.recordings.remarks import Remark

NOISY_ESR, USELESS_ESR = 1e-3, 0.25  # of a model without noise
HUM_ESR = 1e-3
CLIPPED_SHARE = 1e-4  # of wet's samples, at full scale
CLIPPED_BELOW_SHARE = 0.01  # below full scale, where it may be the machine's
LEFT_SAMPLES = 1.0  # after a trajectory was taken off
LEFT_STEADY_SAMPLES = (
    4.0  # a phase that depends on the level spreads windows by up to 3.5 (klon) without any wander
)
STRANGE_FLOOR = 0.9  # a filter of dry explains hardly anything of wet
FOREIGN_FLOOR = 0.97  # it explains nothing: klon at gain 0, clipped for a quarter of the time, still has 0.92


def figure_remarks(figures: ChannelFigures, at: str) -> list[Remark]:
    """What the figures of one channel mean.

    Args:
        figures: Of the channel.
        at: Names the channel in front of a sentence; empty for the only one.
    """
    remarks = [*_noise_remarks(figures, at), *_level_remarks(figures, at), *_fault_remarks(figures, at)]
    most = LEFT_STEADY_SAMPLES if figures.floor_without_wander is None else LEFT_SAMPLES
    if figures.delay_left_samples is not None and figures.delay_left_samples > most:
        text = f"{at}a delay that moves by {figures.delay_left_samples:.1f} samples is left"
        advice = "a constant correction cannot remove it: it limits the accuracy at high frequencies"
        remarks.append(Remark("limits", "delay_left", text, advice))
    floor = (
        f"{at}a linear filter of 257 taps fitted to this recording reaches an ESR of {_number(figures.floor)}"
    )
    if figures.floor_without_wander is not None:
        floor += f", with the wander removed {_number(figures.floor_without_wander)}"
    if figures.linear_floor > STRANGE_FLOOR:
        advice = "wet hardly depends on dry: check that wet was recorded while dry was played"
        is_foreign = figures.linear_floor > FOREIGN_FLOOR
        remarks.append(Remark("refused" if is_foreign else "limits", "linear_floor", floor, advice))
    else:
        elsewhere = "fit states another: fitted to its training part, scored on validation and test"
        remarks.append(Remark("note", "linear_floor", floor, elsewhere))
    return remarks


def _noise_remarks(figures: ChannelFigures, at: str) -> list[Remark]:
    best = figures.best_esr
    if best is None:
        text = (
            f"{at}dry is never silent for long enough to measure wet's noise; it is at most "
            f"{level_dbfs(figures.noise_at_most**0.5)}"
        )
        return [Remark("note", "noise_floor", text, "a second of silence in the recording would be enough")]
    if not figures.noise_power:
        return [Remark("note", "noise_floor", f"{at}{NOISELESS}")]
    text = (
        f"{at}noise floor {level_dbfs(figures.noise_power**0.5)} where dry is silent, so the best "
        f"ESR that a model without noise can reach is {_number(best)}"
    )
    if best > USELESS_ESR:
        return [Remark("refused", "noise_floor", text, "more than a quarter of wet is noise")]
    return [Remark("limits" if best > NOISY_ESR else "note", "noise_floor", text)]


def _level_remarks(figures: ChannelFigures, at: str) -> list[Remark]:
    levels = figures.dry_levels
    gain = f"{at}wet is {figures.gain_db:+.2f} dB against dry (RMS); it is kept"
    covered = (
        f"{at}dry peaks at {level_dbfs(levels.peak)}, its blocks are between {levels.quietest_db:.0f} and "
        f"{levels.loudest_db:.0f} dBFS; wet peaks at {level_dbfs(figures.wet_levels.peak)}"
    )
    remarks = [Remark("note", "gain", gain), Remark("note", "levels", covered)]
    for name, peak in (("dry", levels.peak), ("wet", figures.wet_levels.peak)):
        if peak > 1 and name == "wet" and figures.wet_peak_recorded <= 1:
            text = (
                f"{at}wet reaches {level_dbfs(peak)} without its offset; the samples over full scale are kept, in a "
                "float file"
            )
            remarks.append(Remark("note", "over_full_scale", text))
        elif peak > 1:
            text = f"{at}{name} has samples over full scale, up to {level_dbfs(peak)}; they are kept"
            advice = (
                "record it again with more headroom, or, if the file was made louder afterwards, use it as it was; "
                "write what the model plays as float, since 16 or 24 bit would clip it"
            )
            remarks.append(Remark("note", "over_full_scale", text, advice))
    return remarks


def _fault_remarks(figures: ChannelFigures, at: str) -> list[Remark]:
    remarks = []
    clipped, wet_samples = figures.wet_clipping, figures.wet_samples
    if clipped.samples:
        share = clipped.samples / wet_samples
        text = (
            f"{at}wet is clipped at {level_dbfs(clipped.level)}: {clipped.samples} samples ({share:.2%}); "
            f"{figures.wet_unclipped_s:.1f} s of sound are free of it"
        )
        advice = (
            "that is the recorder's full scale, and a model learns it as if the machine did it: record it again at a "
            "lower level"
            if clipped.is_at_full_scale
            else "not the recorder's full scale, so the clipping happens before the recorder and is learned; no analog "
            "machine makes tops as flat, but a file that clipped and was turned down afterwards has them"
        )
        is_limit = share > (CLIPPED_SHARE if clipped.is_at_full_scale else CLIPPED_BELOW_SHARE)
        remarks.append(Remark("limits" if is_limit else "note", "clipping", text, advice))
    if figures.dry_clipping.samples:
        text = (
            f"{at}dry is clipped at {level_dbfs(figures.dry_clipping.level)}: {figures.dry_clipping.samples} "
            "samples"
        )
        advice = "the machine received it that way, if dry is the file that was played"
        remarks.append(Remark("note", "clipping_dry", text, advice))
    if figures.hum is not None:
        share = figures.hum.power / figures.wet_power
        lines = ", ".join(str(line) for line in figures.hum.lines_hz)
        text = (
            f"{at}hum of {figures.hum.mains_hz} Hz mains, {level_dbfs(figures.hum.power**0.5)} in the lines "
            f"{lines} Hz, {figures.hum.over_noise_db:.0f} dB over the noise beside them; it alone limits the ESR to "
            f"{_number(share)}"
        )
        remarks.append(Remark("limits" if share > HUM_ESR else "note", "hum", text))
    if figures.dropouts:
        first = figures.dropouts[0]
        lost_s = sum(dropout.length_s for dropout in figures.dropouts)
        deepest = max(dropout.depth_db for dropout in figures.dropouts)
        text = (
            f"{at}{len(figures.dropouts)} dropouts, the first at {first.time_s:.2f} s, {lost_s * 1000:.0f} ms in all, "
            f"up to {deepest:.0f} dB deep"
        )
        text = text.replace(f"{at}1 dropouts, the first", f"{at}1 dropout,")
        remarks.append(Remark("limits", "dropouts", text, "no model can follow them"))
    return remarks


def _number(value: float) -> str:
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"
