"""From all pairs to remarks about the data set: whether there is enough of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tapezoo.data.audio import level_dbfs
from tapezoo.data.pairs import PairsFile
from tapezoo.data.settings import Setting, setting_text
from tapezoo.recordings.levels import Levels
from tapezoo.recordings.preparation import PairReport
from tapezoo.recordings.remarks import Remark

LEAST_S, ENOUGH_S = 1.5, 60.0  # of programme at one setting of the controls
LONG_S = 120.0
QUIET_PEAK = 0.5  # -6 dBFS
SPAN_DB = 20.0


def set_remarks(reports: Sequence[PairReport], file: PairsFile) -> list[Remark]:
    """What all pairs together lack.

    Args:
        reports: Of all pairs, with their splits.
        file: Controls and switches.
    """
    usable = [report for report in reports if report.channels and report.verdict != "not usable"]
    if not usable:
        return []
    sounding: dict[Setting, float] = defaultdict(float)
    for report in usable:
        # two channels of one take count as twice the training material
        sounding[file.setting(report.recording.pair)] += sum(own.sounding_s for own in report.channels)
    remarks = []
    for setting, seconds in sounding.items():
        at = f"at {setting_text(file.controls, setting)} " if file.controls else ""
        text = f"{at}{seconds:.1f} s of sound, silence left out and all channels added up"
        if seconds < LEAST_S:
            advice = f"too little to learn from: record {ENOUGH_S:.0f} s or more"
            remarks.append(Remark("refused", "too_little", text, advice))
        elif seconds < ENOUGH_S:
            advice = (
                f"{ENOUGH_S:.0f} s would be enough for a small net, {LONG_S:.0f} s and more for a large one"
            )
            remarks.append(Remark("limits", "too_little", f"only {text}", advice))
        else:
            remarks.append(Remark("note", "enough", text))
    return [*remarks, *_level_remarks(usable), *_split_remarks(usable)]


def _level_remarks(reports: Sequence[PairReport]) -> list[Remark]:
    """Which levels of dry, from -60 dBFS up to full scale, no recording has."""
    levels = [own.dry_levels for report in reports for own in report.channels]
    shares = tuple(max(own) for own in zip(*(one.shares for one in levels), strict=True))
    together = Levels(
        max(one.peak for one in levels),
        max(one.loudest_db for one in levels),
        min(one.quietest_db for one in levels),
        shares,
    )
    text = (
        f"dry peaks at {level_dbfs(together.peak)}, its blocks of 60 ms are between {together.quietest_db:.0f} and "
        f"{together.loudest_db:.0f} dBFS"
    )
    missing = []
    if together.peak < QUIET_PEAK:
        missing.append("what the machine does with a louder signal is not recorded")
    if together.loudest_db - together.quietest_db < SPAN_DB:
        missing.append(
            "there is too little difference between quiet and loud passages to learn how the level matters"
        )
    if gaps := together.gaps_db():
        missing.append("no level between " + ", ".join(f"{low} and {high} dBFS" for low, high in gaps))
    return [Remark("limits" if missing else "note", "level_range", text, "; ".join(missing))]


def _split_remarks(reports: Sequence[PairReport]) -> list[Remark]:
    by_file = Counter(report.split for report in reports if report.split)
    by_time = sum(report.split is None and not report.recording.pair.held_out for report in reports)
    told = []
    if by_time:
        told.append(f"{by_time} by time (80 % train, 10 % val, 10 % test, at a silence where there is one)")
    if by_file:
        counts = ", ".join(
            f"{by_file[split]} {split}" for split in ("train", "val", "test") if by_file[split]
        )
        told.append(f"{sum(by_file.values())} by file ({counts})")
    remarks = [Remark("note", "splits", "split: " + "; ".join(told))] if told else []
    if not by_time and by_file and not (by_file["train"] and by_file["val"]):
        missing = " and ".join(split for split in ("train", "val") if not by_file[split])
        text = f"no recording in the split {missing}"
        remarks.append(Remark("refused", "splits", text, "change 'split' in the pairs file"))
    return remarks
