"""A net that is told features of its input: the laws, the export, what the net hears, and what is refused."""

import pytest
import torch
from small_nets import perturbed

from tapezoo import models, testing
from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.featured import Featured
from tapezoo.filtered import FilterBeside
from tapezoo.layers.features import FEATURES, feature
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.net import KNOBS, UndescribableError, UnfoldableError
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError
from tapezoo.training.own_features import check_has_features

ALL = list(FEATURES)
SMALL = {"hidden_size": 3, "memory_samples": 200.0}
# where a net takes its controls in another way than the LSTM does, what could break
LAWS = {
    "LSTM": (
        {**SMALL, "features": ALL},
        ["streaming", "pure", "causal", "controls", "gradients", "rest", "checkpoint"],
    ),
    "WaveNet": (
        {"channels": [3], "dilations": [1, 3], "features": ["crest", "centroid"]},
        ["streaming", "causal", "gradients"],
    ),
    "Transformer": (
        {
            "channels": 4,
            "heads": 2,
            "num_blocks": 1,
            "window_frames": 3,
            "hop_samples": 8,
            "features": ["crest"],
        },
        ["streaming", "causal"],
    ),
}


@pytest.mark.parametrize(("name", "law"), [(name, law) for name, (_, laws) in LAWS.items() for law in laws])
@pytest.mark.usefixtures("few_splits")
def test_law(name, law):
    testing.CHECKS[law](perturbed(models.resolve(name), testing.CONTROLS, **LAWS[name][0]))


@pytest.mark.parametrize("controls", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_it_is_exported(controls):
    testing.CHECKS["export"](perturbed(LSTM, testing.CONTROLS[:controls], features=ALL, **SMALL))


def test_the_net_hears_its_features_sample_by_sample_beside_the_knobs():
    """Against the LSTM alone, whose three controls are held at each sample's values in turn."""
    torch.manual_seed(0)
    net = LSTMNet(3, **SMALL)
    bare = LSTMNet(3, **SMALL)
    bare.load_state_dict(net.state_dict())
    told = Featured(net, ["loudness", "crest"], 44100)
    x, knob = 0.5 * torch.randn(1, 1, 60), torch.tensor([[0.3]])
    positions = []
    for name in ("loudness", "crest"):
        measure = feature(name, 44100)
        value, _ = measure.measure(x, {key: rest[None] for key, rest in measure.rest().items()})
        positions.append(measure.position(value))
    with torch.no_grad():
        output, _ = told(x, knob, told.initial_state(knob))
        state = bare.initial_state(torch.zeros(1, 3))
        expected = []
        for n in range(60):
            setting = torch.cat([knob, *(each[..., n] for each in positions)], dim=1)
            state[KNOBS] = bare.initial_state(setting)[KNOBS]  # nothing glides
            part, state = bare(x[..., n : n + 1], setting, state)
            expected.append(part)
    torch.testing.assert_close(output, torch.cat(expected, dim=-1), atol=1e-6, rtol=1e-5)


def test_knobs_glide_and_features_do_not():
    net = LSTM(controls=testing.CONTROLS, features=["crest"], **SMALL).net
    assert isinstance(net, Featured)
    assert net.num_controls == 2
    state = net.initial_state(torch.zeros(1, 2))
    assert state[KNOBS].shape == (1, 2, net.smoothing_samples)
    without = LSTM(features=["crest"], **SMALL).net
    assert KNOBS not in without.initial_state(torch.zeros(1, 0))


def test_without_features_the_net_is_the_bare_one():
    assert isinstance(LSTM(**SMALL).net, LSTMNet)
    assert isinstance(LSTM(features=[], **SMALL).net, LSTMNet)


def test_a_filter_beside_it_is_around_the_features():
    net = LSTM(features=["crest"], filter_beside_taps=8, **SMALL).net
    assert isinstance(net, FilterBeside)
    assert isinstance(net.net, Featured)
    check_has_features(net, ("crest",))


def test_it_says_why_nothing_is_folded_and_why_there_is_no_kernel_or_cpp():
    net = LSTM(controls=testing.CONTROLS, features=["crest"], **SMALL).net
    with pytest.raises(UnfoldableError, match=r"features of the signal \(crest\)"):
        net.folded(torch.zeros(2))
    with pytest.raises(UndescribableError, match="features of the signal"):
        net.described()
    for target in (KernelTarget(), CppTarget()):
        found, _ = target.refusal(net)
        assert "features of the signal (crest) as controls" in found


@pytest.mark.parametrize("features", [["pitch"], ["crest", "crest"], ["crest", "Loudness"]])
def test_names_that_are_none_are_refused_with_those_that_are(features):
    with pytest.raises(
        TrainingError, match=r"--model\.features: .*some of loudness, crest, centroid, each once"
    ):
        LSTM(features=features)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("GreyBox", {}, "one setting for a whole block"),
        ("STN", {}, "settings that hold still"),
        ("STNPolynomial", {"size": "1x3"}, "steps of 16 samples"),
        ("LSTM", {"conditioning": "hyper", "hyper_units": 2}, "steps of 32 samples"),
    ],
)
def test_nets_whose_controls_cannot_follow_the_signal_say_so(name, arguments, said):
    with pytest.raises(TrainingError, match=f"--model.features: .*{said}"):
        models.resolve(name)(features=["crest"], controls=testing.CONTROLS, **arguments)


def test_a_model_that_builds_its_net_itself_says_so():
    class Own(EffectModel):
        def __init__(self, **training):
            super().__init__(**training)
            self.net = LSTM(**SMALL).net

    class Half(LSTM):
        net_class = LSTMNet

        def build_net(self, **arguments):
            return LSTMNet(self.num_controls, **arguments)

    model = Own(features=["crest"])
    with pytest.raises(TrainingError, match="with_filters"):
        check_has_features(model.net, model.features)
    with pytest.raises(TrainingError, match="net_controls"):
        Half(features=["crest"], **SMALL)
