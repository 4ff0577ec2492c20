"""The two branches beside each other against each by itself, their latency, their limits."""

import pytest
import torch
from numpy_cells import count
from small_nets import SIZES, perturbed
from torch.nn.functional import pad

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.two_branch import TwoBranch, TwoBranchNet
from tapezoo.net import KNOBS, UndescribableError

SMALL = SIZES["TwoBranch"]
LATER = {"synthesis_samples": 16, "lookahead_frames": 2, "head": "mapping"}


@pytest.mark.parametrize("more", [{}, LATER])
@torch.no_grad()
def test_the_output_is_the_sum_of_both_with_the_waveform_as_late_as_the_spectrogram(more):
    net = perturbed(TwoBranch, testing.CONTROLS, **SMALL, **more).net
    x, target = 0.3 * torch.randn(2, 1, 320), torch.rand(2, 2)
    late = net.latency_samples
    alone = []
    for branch, heard in ((net.waveform, pad(x, (late, 0))[..., :-late]), (net.spectral, x)):
        alone.append(branch(heard, target, branch.initial_state(1 - target))[0])
    state, parts = net.initial_state(1 - target) | {"waiting": torch.zeros(2, 1, late)}, []
    for part in x.split([8, 128, 16, 168], dim=-1):
        output, state = net(part, target, state)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=-1), sum(alone), atol=1e-5, rtol=1e-5)
    assert min(float(each.square().mean()) for each in alone) > 1e-5


@torch.no_grad()
def test_it_begins_as_the_input_after_the_declared_latency():
    """The linear path alone: neither branch adds the input a second time."""
    net = TwoBranchNet(0, **SMALL)
    net.waveform.head.weight.zero_(), net.waveform.head.bias.zero_()
    for parameter in net.spectral.unet.up[0].parameters():
        parameter.zero_()
    x, nothing = torch.randn(1, 1, 160), torch.zeros(1, 0)
    output, _ = net(x, nothing, net.initial_state(nothing))
    torch.testing.assert_close(output, pad(x, (24, 0))[..., :-24], atol=1e-5, rtol=0)
    assert net.latency_samples == 24


def test_the_documented_parameter_count_is_that_of_both():
    net = TwoBranchNet(0)
    assert count(net) == count(net.waveform) + count(net.spectral) == 29174


def test_knobs_are_in_the_state_once():
    net = TwoBranchNet(2, **SMALL)
    names = set(net.initial_state(torch.zeros(1, 2)))
    assert {name for name in names if KNOBS in name} == {KNOBS}
    assert names - {KNOBS} == set(net.state_names)


def test_a_context_longer_than_a_training_row_is_refused_with_what_is_possible():
    model = perturbed(TwoBranch, [], **{**SMALL, "kernel_frames": 6})
    row = torch.zeros(1, 1, 120)
    batch = Batch(row, row, torch.zeros(1, 0), torch.tensor([120]), ["row"])
    with pytest.raises(
        ModelArgumentError, match=r"kernel_frames: found 6 in 2 levels.* expected at most 15 "
    ):
        model.train_on(batch, None)


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match=r"24 samples late.* no layer for it, and no lookahead"):
        TwoBranchNet(0, **SMALL).described()


@pytest.mark.parametrize("name", ["streaming", "causal", "folded"])
@pytest.mark.usefixtures("few_splits")
def test_with_lookahead_and_a_mapping_it_keeps_the_laws(name):
    testing.CHECKS[name](perturbed(TwoBranch, testing.CONTROLS, **SMALL, **LATER))
