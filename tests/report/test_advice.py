"""A result comes with what holds it back, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tapezoo.data.findings import Finding
from tapezoo.report.advice import Outcome, advice
from tapezoo.report.verdict import verdict_markdown

STEPS = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
DONE = [0.1, 0.05, 0.02, 0.01, 0.0051, 0.005, 0.005, 0.005, 0.005, 0.005]
GOOD = Outcome(180.0, 0.005, 0.007, 0.05, STEPS, DONE, [], True)


def said(**changes: object) -> str:
    return "\n".join(advice(replace(GOOD, **changes)))  # type: ignore[arg-type]


def test_a_good_result_needs_no_advice() -> None:
    assert said() == ""


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"val_esr": 0.06}, "nothing that an equaliser cannot do"),
        ({"train_s": 8.4}, "only 8 s of audio"),
        ({"test_esr": 0.05}, "10.0 times harder"),
        ({"train_loss": 0.0006, "val_loss": 0.038}, "63 times better than others (overfitting)"),
        ({"val_errors": [0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01]}, "still improving"),
    ],
)
def test_what_holds_it_back_is_said(changes: dict[str, object], text: str) -> None:
    (line,) = said(**changes).splitlines()
    assert text in line


def test_the_gravest_limits_of_the_recordings_are_said_once_each() -> None:
    findings = [
        Finding("warning", "clipping", "a.wav", "clipped"),
        Finding("warning", "noise_floor", "a.wav", "noise floor -40 dBFS"),
        Finding("warning", "noise_floor", "b.wav", "noise floor -41 dBFS"),
        Finding("note", "drift", "a.wav", "stands still"),
        Finding("warning", "over_full_scale", "a.wav", "loud"),
    ]
    assert said(findings=findings).splitlines() == [
        "a.wav: noise floor -40 dBFS (also b.wav)",
        "a.wav: clipped",
    ]


def test_an_offset_that_flatters_every_error_is_the_first_limit_and_a_slight_one_is_none() -> None:
    findings = [
        Finding("warning", "clipping", "a.wav", "clipped"),
        Finding("warning", "dc", "a.wav", "an offset", 0.4),
        Finding("warning", "dc", "b.wav", "a slight offset", 0.01),
    ]
    assert said(findings=findings).splitlines() == ["a.wav: an offset (also b.wav)", "a.wav: clipped"]
    assert said(findings=findings[2:]) == ""


def test_samples_over_full_scale_come_with_what_to_do_and_with_every_file_that_has_them() -> None:
    findings = [Finding("warning", "over_full_scale", name, "loud") for name in ("dry.wav", "wet.wav")]
    (line,) = said(findings=findings).splitlines()
    assert line.startswith("dry.wav: loud (also wet.wav): play and record with more headroom")


def test_a_training_loss_a_little_below_that_of_validation_is_no_overfitting() -> None:
    assert said(train_loss=0.004, val_loss=0.02) == ""


def test_a_training_that_came_to_its_planned_end_is_not_told_to_go_on() -> None:
    assert said(val_errors=[0.1 / step for step in STEPS], is_cut_short=False) == ""


def test_a_short_or_unknown_history_says_nothing() -> None:
    assert said(updates=[10, 20], val_errors=[0.5, 0.005]) == ""
    assert said(test_esr=float("nan"), linear_floor=float("nan")) == ""


def test_a_run_is_described_in_words() -> None:
    text = verdict_markdown(
        {"validation": (0.001, 0.02), "test": (float("nan"), 0.02)},
        "8 updates: time",
        "a.wav",
        ["record more"],
    )
    assert text.splitlines() == [
        "- validation: ESR **0.00100**, 20.0 times better than the best linear filter (13.0 dB)",
        "- trained on a.wav",
        "- ended after 8 updates: time",
        "- advice: record more",
        "- listen and look: `report/report.html` among the artifacts",
    ]


def test_of_two_faults_of_a_kind_the_larger_one_is_said() -> None:
    found = [
        Finding("warning", "clipping", "pedal.wav", "clipped at the top, 0.01% of all", 0.0001),
        Finding("warning", "clipping", "pedal.wav", "clipped at the bottom, 28% of all", 0.28),
        Finding("warning", "clipping", "other.wav", "clipped", 0.1),
    ]
    assert "pedal.wav: clipped at the bottom, 28% of all (also other.wav)" in said(findings=found)
