"""Tables of a listening test's results."""

from __future__ import annotations

from tapezoo.listening.design import ListeningTest
from tapezoo.listening.results import ALL, Results
from tapezoo.report.tables import Column, Table

NAMES = {
    "reference": "hidden reference",
    "anchor35": "3.5 kHz anchor",
    "anchor70": "7 kHz anchor",
    ALL: "all together",
}
FEW_LISTENERS = 6  # the signed-rank test of fewer cannot give p < .05


def shown_name(system: str) -> str:
    """What people read for a system's name."""
    return NAMES.get(system, system)


def score_table(results: Results) -> Table:
    """Every system on all passages, of a test with ratings."""
    columns = [
        Column("system", "system"),
        Column("median", "median", ".1f", is_number=True),
        Column("mean", "mean", ".1f", is_number=True),
        Column("ci95", "95 % confidence", is_number=True),
    ]
    style = ".1f" if results.kind == "mushra" else ".2f"
    columns[1:3] = [Column(name, name, style, is_number=True) for name in ("median", "mean")]
    rows = [
        (
            shown_name(one.system),
            one.median,
            one.mean,
            None if one.low is None else f"{one.low:{style}} to {one.high:{style}}",
        )
        for one in results.scores
        if one.trial == ALL
    ]
    scale = "0 to 100" if results.kind == "mushra" else "1, very annoying, to 5, inaudible"
    count = len(results.listeners)
    caption = (
        "Of the means of the listeners; intervals are Student's t over them."
        if count > 1
        else "One listener."
    )
    return Table(columns, rows, f"{_people(count)}, ratings {scale}", caption, empty="-")


def difference_table(results: Results) -> Table:
    """Pairs of systems."""
    columns = [
        Column("first", "better"),
        Column("second", "worse"),
        Column("mean", "by", "+.1f" if results.kind == "mushra" else "+.2f", is_number=True),
        Column("p", "p", is_number=True),
        Column("p_holm", "p (Holm)", is_number=True),
    ]
    rows = [
        (shown_name(one.first), shown_name(one.second), one.mean, p_text(one.p), p_text(one.p_holm))
        for one in results.differences
    ]
    caption = "Wilcoxon's exact signed-rank test on the means of the listeners."
    if len(results.listeners) < FEW_LISTENERS:
        caption += f" It needs {FEW_LISTENERS} listeners to give p < .05."
    return Table(columns, rows, "Differences", caption)


def discrimination_table(results: Results) -> Table:
    """Right answers of an ABX test."""
    columns = [
        Column("system", "told from the reference"),
        Column("right", "right", is_number=True),
        Column("share", "share", is_number=True),
        Column("ci95", "95 % confidence", is_number=True),
        Column("p", "p", is_number=True),
        Column("p_holm", "p (Holm)", is_number=True),
    ]
    rows = [
        (
            shown_name(one.system),
            f"{one.right} of {one.asked}",
            f"{one.right / one.asked:.0%}",
            f"{one.low:.0%} to {one.high:.0%}",
            p_text(one.p),
            p_text(one.p_holm),
        )
        for one in results.discriminations
    ]
    caption = "p: how likely guessing gives as many right answers or more (exact binomial test)."
    return Table(columns, rows, _people(len(results.listeners)), caption, sums=1)


def agreement_table(results: Results) -> Table:
    """Which metric agreed with the ears."""
    sounds = max((one.sounds for one in results.agreements), default=0)
    columns = [
        Column("metric", "metric"),
        Column("systems", f"rank correlation\nover {sounds} sounds", "+.2f", is_number=True),
        Column("with_anchors", "with the\nanchors", "+.2f", is_number=True),
    ]
    rows = [(one.metric, one.systems, one.with_anchors) for one in results.agreements]
    caption = (
        "Spearman's; +1: the metric orders the sounds as the panel does. All sounds are at one loudness."
    )
    return Table(columns, rows, "Which metric agrees with the ears", caption, empty="-")


def passage_table(results: Results, test: ListeningTest) -> Table:
    """Every system on every passage and on all, for a CSV file."""
    places = {trial.id: (trial.recording, trial.start_s) for trial in test.trials}
    if results.kind == "abx":
        names = ("system", "right", "asked", "listeners", "p", "p_holm", "ci95_low", "ci95_high")
        rows = [
            (one.system, one.right, one.asked, one.listeners, one.p, one.p_holm, one.low, one.high)
            for one in results.discriminations
        ]
        return Table([Column(name) for name in names], rows)
    columns = (
        "system",
        "trial",
        "recording",
        "start_s",
        "listeners",
        "median",
        "mean",
        "ci95_low",
        "ci95_high",
    )
    scored = [
        (
            *(one.system, one.trial),
            *places.get(one.trial, ("", None)),
            *(one.listeners, one.median, one.mean, one.low, one.high),
        )
        for one in results.scores
    ]
    return Table([Column(name) for name in columns], scored)


def p_text(p: float) -> str:
    """A probability as people read it."""
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _people(count: int) -> str:
    return f"{count} listener{'' if count == 1 else 's'}"
