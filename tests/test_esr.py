"""A silent target has no ESR, wherever one is computed."""

import math

import numpy as np
import pytest
import torch

from tapezoo.bundle import CaseResult, overall_esr
from tapezoo.data.least_squares import LinearFilter, fir_esr
from tapezoo.esr import comparable_esr, esr
from tapezoo.export.grid.error import output_esr
from tapezoo.measure.disagreement import disagreement
from tapezoo.measure.setting_scores import RowScore, pool_rows
from tapezoo.metrics.energy_ratio import ESR
from tapezoo.report.waveforms import draw_excerpt_waveforms

SILENCE = np.zeros(64, dtype=np.float32)
CLICK = np.eye(1, 64, dtype=np.float32)[0]


def test_it_is_the_error_over_the_target_and_no_number_for_a_silent_target():
    assert esr(1.0, 4.0) == 0.25
    assert math.isnan(esr(0.0, 0.0))
    assert math.isnan(esr(1.0, 0.0))


def test_against_a_limit_only_silence_answers_silence():
    assert comparable_esr(0.0, 0.0) == 0.0
    assert comparable_esr(1e-30, 0.0) == math.inf
    assert comparable_esr(math.nan, 1.0) == math.inf
    assert comparable_esr(1.0, 4.0) == 0.25


@pytest.mark.parametrize("output", [SILENCE, CLICK])
def test_nobody_has_another_answer(output):
    metric = ESR()
    metric.update(torch.from_numpy(output), torch.from_numpy(SILENCE))
    assert torch.isnan(metric.compute())
    assert math.isnan(fir_esr(LinearFilter(np.ones(1)), [(output, SILENCE)], 0))
    row = RowScore((), float(output @ output), 0.0, math.nan, 64)
    assert math.isnan(pool_rows([row], 8000).esr)
    assert draw_excerpt_waveforms(SILENCE, output, 8000, "silence").get_suptitle().endswith("ESR nan")


@pytest.mark.parametrize(("output", "expected"), [(SILENCE, 0.0), (CLICK, math.inf)])
def test_gates_let_silence_pass_and_nothing_else(output, expected):
    error = float(output @ output)
    assert overall_esr([CaseResult("silent", error, 1.0, error, 0.0)]) == expected
    assert output_esr(output, SILENCE) == expected
    assert disagreement(np.stack([output, -output])[:, None]) == expected
