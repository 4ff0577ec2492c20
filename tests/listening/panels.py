"""Made-up panels: what they hear is known, so what their answers come to is known as well."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapezoo.listening.design import ListeningTest

COLUMNS = (
    *("test", "version", "kind", "listener", "trial", "repeat"),
    *("stimulus", "rating", "a", "b", "x", "answer", "seconds"),
)
Row = dict[str, object]
TRUE = {"reference": 97, "good": 88, "middling": 65, "linear": 45, "anchor70": 55, "anchor35": 20}
CAREFUL = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal")
CARELESS = "Zoe"


def ratings(test: ListeningTest, listener: str, spread: float = 4.0) -> list[Row]:
    """Rows of the page's CSV: true ratings with a bias of the listener's own and some chance; Zoe rates at random."""
    draw = np.random.default_rng(list(listener.encode()))
    bias, rows = draw.normal(0, 3), []
    for trial in test.trials:
        for one in trial.stimuli:
            value = TRUE[one.system] + bias + draw.normal(0, spread)
            if one.system == "reference":
                value = 100
            if listener == CARELESS:
                value = draw.uniform(0, 100)
            shared = {
                "test": test.id,
                "version": 1,
                "kind": test.kind,
                "listener": listener,
                "trial": trial.id,
            }
            value = round(float(np.clip(value, 0, 100)))
            if test.kind == "dmos":
                value = 1 + min(4, value // 20)
            rows.append({**shared, "repeat": 1, "stimulus": one.id, "rating": value, "seconds": 30})
    return rows


def choices(
    test: ListeningTest, listener: str, hears: Callable[[str, np.random.Generator], bool]
) -> list[Row]:
    """Rows of an ABX test; `hears` says whether an answer about a system is right."""
    draw = np.random.default_rng(list(listener.encode()))
    rows = []
    for trial in test.trials:
        for one in trial.stimuli:
            for repeat in range(1, test.repeats + 1):
                pair = [trial.reference, one.id]
                x = pair[int(draw.integers(2))]
                other = pair[1 - pair.index(x)]
                shared = {
                    "test": test.id,
                    "version": 1,
                    "kind": "abx",
                    "listener": listener,
                    "trial": trial.id,
                }
                answer = x if hears(one.system, draw) else other
                rows.append(
                    {**shared, "repeat": repeat, "a": pair[0], "b": pair[1], "x": x, "answer": answer}
                )
    return rows


def write(path: Path, rows: list[Row], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def webmushra(test: ListeningTest, rows: list[Row], path: Path) -> Path:
    """The same answers as webMUSHRA writes them: one file for all listeners, questionnaire columns in between."""
    systems = {one.id: one.system for trial in test.trials for one in trial.stimuli}
    references = {trial.id: trial.reference for trial in test.trials}
    written = []
    for row in rows:
        shared = {"session_test_id": f"tapezoo-{test.kind}-{test.id}", "listener": row["listener"]}
        shared |= {"session_uuid": "u1", "trial_id": row["trial"]}
        match test.kind:
            case "mushra":
                name = "reference" if systems[row["stimulus"]] == "reference" else row["stimulus"]
                own = {
                    "rating_stimulus": name,
                    "rating_score": row["rating"],
                    "rating_time": 900,
                    "rating_comment": "",
                }
            case "dmos":
                own = {"stimuli_rating": f" {row['rating']} ", "stimuli": row["stimulus"], "rating_time": 900}
            case _:
                shared["trial_id"] = f"{row['trial']}_r{row['repeat']}"
                verdict = "correct" if row["x"] == row["answer"] else "incorrect"
                other = row["b"] if row["a"] == references[row["trial"]] else row["a"]
                own = {
                    "choice_reference": "reference",
                    "choice_non_reference": other,
                    "choice_answer": verdict,
                }
        written.append({**shared, **own})
    return write(path, written, tuple(written[0]))
