"""From the figures of a channel to remarks: what limits a model, and by how much."""

from __future__ import annotations

from tapezoo.data.audio import level_db
from tapezoo.recordings.figures import ChannelFigures
from tapezoo.recordings.remarks import Remark

NOISY_ESR, USELESS_ESR = 1e-3, 0.25  # of a model without noise
HUM_ESR = 1e-3
CLIPPED_SHARE = 1e-4  # of wet's samples, at full scale
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
            f"{level_db(figures.noise_at_most**0.5)} dBFS"
        )
        return [Remark("note", "noise_floor", text, "a second of silence in the recording would be enough")]
    text = (
        f"{at}noise floor {level_db((figures.noise_power or 0.0) ** 0.5)} dBFS where dry is silent, so the best "
        f"ESR that a model without noise can reach is {_number(best)}"
    )
    if best > USELESS_ESR:
        return [Remark("refused", "noise_floor", text, "more than a quarter of wet is noise")]
    return [Remark("limits" if best > NOISY_ESR else "note", "noise_floor", text)]


def _level_remarks(figures: ChannelFigures, at: str) -> list[Remark]:
    levels = figures.dry_levels
    gain = f"{at}wet is {figures.gain_db:+.2f} dB against dry (RMS); it is kept"
    covered = (
        f"{at}dry peaks at {level_db(levels.peak)} dBFS, its blocks are between {levels.quietest_db:.0f} and "
        f"{levels.loudest_db:.0f} dBFS; wet peaks at {level_db(figures.wet_levels.peak)} dBFS"
    )
    remarks = [Remark("note", "gain", gain), Remark("note", "levels", covered)]
    for name, peak in (("dry", levels.peak), ("wet", figures.wet_levels.peak)):
        if peak > 1:
            text = f"{at}{name} has samples over full scale, up to {level_db(peak)} dBFS; they are kept"
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
            f"{at}wet is clipped at {level_db(clipped.level)} dBFS: {clipped.samples} samples ({share:.2%})"
        )
        advice = (
            "that is the recorder's full scale: record it again at a lower level"
            if clipped.is_at_full_scale
            else "not the recorder's full scale, so the clipping happens before the recorder and is learned"
        )
        is_limit = clipped.is_at_full_scale and share > CLIPPED_SHARE
        remarks.append(Remark("limits" if is_limit else "note", "clipping", text, advice))
    if figures.dry_clipping.samples:
        text = (
            f"{at}dry is clipped at {level_db(figures.dry_clipping.level)} dBFS: {figures.dry_clipping.samples} "
            "samples"
        )
        advice = "the machine received it that way, if dry is the file that was played"
        remarks.append(Remark("note", "clipping_dry", text, advice))
    if figures.hum is not None:
        share = figures.hum.power / figures.wet_power
        lines = ", ".join(str(line) for line in figures.hum.lines_hz)
        text = (
            f"{at}hum of {figures.hum.mains_hz} Hz mains, {level_db(figures.hum.power**0.5)} dBFS in the lines "
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
