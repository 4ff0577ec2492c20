"""No built-in model builds anything from an argument out of its range, and each says which one it was."""

import functools
import inspect

import numpy as np
import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from tapezoo import models, registry
from tapezoo.models.arguments import (
    LONGEST_SAMPLES,
    ModelArgumentError,
    require_factor,
    require_number,
    require_reach,
    require_whole,
    require_wholes,
)
from tapezoo.training.effect import EffectModel

NAN, INFINITE = float("nan"), float("inf")
HUGE = 10**9
SCALES = [0.0, -1.0, HUGE, NAN, INFINITE]
SIZES = [0, -1, HUGE, 2.5, True, NAN]  # wrong for every size of 1 or more
WORDS = ["elephant", "", None]
RECURRENT = {
    "hidden_size": SIZES,
    "num_layers": SIZES,
    "linear_taps": [-1, HUGE, 1.0],
    "memory_samples": [0, 1, -5.0, 1.99, NAN, INFINITE, "long"],
    "conditioning": [*WORDS, "affine"],
    "input_scale": SCALES,
    "hyper_units": [-1, HUGE, 1.5],
}
SPECTRAL = {
    "channels": [[], [8, 0], [HUGE], [2.5], [1] * 300],
    "kernel_frames": [*SIZES, 1],
    "window_samples": [*SIZES, 250, 4096],
    "hop_samples": [*SIZES, 96, 256],
    "synthesis_samples": [0, -1, HUGE, 2.5, True, 64, 192],
    "lookahead_frames": [-1, HUGE, 1.5, 4096 * 5],
    "head": [*WORDS, "masked"],
}
WRONG = {
    "FIR": {"taps": [*SIZES, 1, -8]},
    "LSTM": RECURRENT,
    "GRU": RECURRENT,
    "EDLSTM": {"hidden_size": SIZES, "window_samples": [*SIZES, 1], "conditioning": [*WORDS, "affine"]},
    "BlockEDLSTM": {"hidden_size": SIZES, "hop_samples": [*SIZES, 1], "conditioning": [*WORDS, "affine"]},
    "WaveNet": {
        "channels": [[], [8, 0], [HUGE], [2.5], [1] * 300],
        "dilations": [[], [0], [1, HUGE], [1, 1 << 20], [-1], [1] * 300],
        "kernel_size": [*SIZES, 1],
        "activation": [*WORDS, "prelu"],
        "head_scale": [NAN, INFINITE, -INFINITE, 0.0],
        "conditioning": [*WORDS, "hyper"],
        "head_taps": SIZES,
        "input_scale": SCALES,
    },
    "TCN": {
        "channels": SIZES,
        "num_blocks": SIZES,
        "kernel_size": [*SIZES, 1],
        "dilation_growth": [*SIZES, 1 << 20],
        "activation": [*WORDS, "gated"],
        "cond_dim": SIZES,
        "conditioning": [*WORDS, "affine"],
    },
    "GCN": {
        "channels": SIZES,
        "num_blocks": SIZES,
        "num_layers": SIZES,
        "kernel_size": [*SIZES, 1],
        "dilation_growth": [*SIZES, 5],
        "conditioning": [*WORDS, "affine"],
        "input_scale": SCALES,
    },
    "S4D": {
        "channels": SIZES,
        "modes": SIZES,
        "num_blocks": SIZES,
        "shortest_memory_samples": [0.0, 0.5, 2000.0, NAN, INFINITE],
        "longest_memory_samples": [0.0, NAN, INFINITE],
        "block_samples": [*SIZES, 48, 64.0, 2048],
        "conditioning": [*WORDS, "affine"],
        "input_scale": SCALES,
    },
    "Mamba": {
        "channels": SIZES,
        "modes": SIZES,
        "num_blocks": SIZES,
        "kernel_size": [*SIZES, 1],
        "shortest_memory_samples": [0.0, 0.5, 2000.0, NAN, INFINITE],
        "longest_memory_samples": [0.0, NAN, INFINITE],
        "conditioning": [*WORDS, "affine"],
        "input_scale": SCALES,
    },
    "MelVocoder": {
        "bands": [*SIZES, 113],
        "channels": SIZES,
        "machine_blocks": SIZES,
        "vocoder_blocks": SIZES,
        "kernel_size": [*SIZES, 1],
        "window_samples": [*SIZES, 1023],
        "hop_samples": [*SIZES, 1024, 300],
        "top_hz": [0.0, NAN, INFINITE, 22051.0],
    },
    "Transformer": {
        "channels": SIZES,
        "heads": [*SIZES, 3],
        "num_blocks": SIZES,
        "window_frames": [*SIZES, 1, 1 << 19],
        "hop_samples": SIZES,
        "conditioning": [*WORDS, "affine"],
    },
    "WaveUNet": {
        "channels": SIZES,
        "num_levels": [*SIZES, 17],
        "kernel_size": [*SIZES, 1],
        "up_kernel_size": [*SIZES, 1],
        "lookahead_samples": [-1, 217, HUGE, 1.5],
        "conditioning": [*WORDS, "affine"],
        "input_scale": [0.0, -1.0, HUGE, NAN, INFINITE],
    },
    "SubBand": {
        "bands": [*SIZES, 1],
        "overlap": [*WORDS, 0, 1, 3, NAN],
        "seen_bands": [*SIZES, 17],
        "channels": SIZES,
        "kernel_size": [*SIZES, 1],
        "dilations": [[], [0], [1, HUGE], [1 << 16], [-1], [1] * 300],
        "linear_frames": SIZES,
        "input_scale": [0.0, -1.0, HUGE, NAN, INFINITE],
    },
    "SpectralUNet": {**SPECTRAL, "input_scale": [0.0, -1.0, HUGE, NAN, INFINITE]},
    "STN": {
        "size": [*WORDS, "2x0", "0x4", "2x4x1", "-2x4", "2 x 4", "999x4", "2x9999", 8],
        "step": [*WORDS, "tanh"],
        "inputs": [*WORDS, "langevin"],
        "alpha": [-0.1, 1.0, NAN, INFINITE, "long"],
    },
    "TwoBranch": {
        **{name: RECURRENT[name] for name in ("hidden_size", "memory_samples", "input_scale")},
        **SPECTRAL,
    },
    "STNGrid": {
        "axes": [[1], [-1], [65], [3, 3], [], [2.5], "3"],
        "size": [*WORDS, "2x0", "0x4", 8],
        "step": [*WORDS, "tanh"],
        "inputs": [*WORDS, "anhysteretic"],
        "alpha": [-0.1, 1.0, NAN, INFINITE, "long"],
    },
    "STNPolynomial": {
        "degree": [0, 9, 1.5],
        "size": [*WORDS, "2x0", "0x4", 8],
        "step": [*WORDS, "tanh"],
        "inputs": [*WORDS, "anhysteretic"],
        "alpha": [-0.1, 1.0, NAN, INFINITE, "long"],
    },
    "GreyBox": {
        "peaks": [-1, HUGE, 1.5],
        "followers": SIZES,
        "memory": WORDS,
        "nonlinearity": [*WORDS, "relu"],
    },
    "WienerHammerstein": {"taps": [*SIZES, 1], "units": SIZES, "curve": [*WORDS, "hard"]},
}
CASES = [
    pytest.param(model, name, value, id=f"{model} {name} {str(value)[:20]}")
    for model, wrong in WRONG.items()
    for name, values in wrong.items()
    for value in values
]


def own_arguments(model: str) -> list[str]:
    of_training = inspect.signature(EffectModel).parameters
    return [name for name in inspect.signature(models.resolve(model)).parameters if name not in of_training]


def test_every_argument_of_every_built_in_model_is_among_the_cases():
    built_in = {
        entry.name for entry in registry.registrations("models") if entry.target.startswith("tapezoo.models.")
    }
    assert set(WRONG) == built_in
    for model, wrong in WRONG.items():
        assert list(wrong) == own_arguments(model)


class NoWork(TorchDispatchMode):
    """Fails at the first tensor that is made or touched."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        raise AssertionError(f"{operation} ran before the arguments were checked")


@functools.cache
def default_net(model: str, hyper: bool) -> tuple[type, dict[str, object]]:
    """The class of a model's net, or its hyper-net, and the arguments its defaults give it."""
    kind = models.resolve(model)
    built = kind(conditioning="hyper") if hyper else kind()
    given = {name: built.hparams[name] for name in own_arguments(model)}
    if hyper:
        given["conditioning"] = "hyper"
    elif model in ("LSTM", "GRU"):
        del given["hyper_units"]
    if model == "WaveNet":
        given |= {"channels": [16, 8], "dilations": [1, 2]}
    if model in ("GreyBox", "MelVocoder", "STN", "STNGrid", "STNPolynomial"):
        given["sample_rate"] = 44100
    return type(built.net), given


@pytest.mark.parametrize(("model", "name", "value"), CASES)
def test_a_net_refuses_an_argument_out_of_range_by_name_before_any_work(model, name, value):
    net, given = default_net(model, name == "hyper_units")
    with NoWork(), pytest.raises(ModelArgumentError, match=f"^model.{name}: found .*; expected .*default"):
        net(num_controls=1, **{**given, name: value})


@pytest.mark.parametrize("model", ["LSTM", "GRU"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_hyper_net_refuses_them_too(model, name):
    net, given = default_net(model, True)
    for value in RECURRENT[name]:
        with (
            NoWork(),
            pytest.raises(ModelArgumentError, match=f"^model.{name}: found .*; expected .*default"),
        ):
            net(num_controls=1, **{**given, name: value})


@pytest.mark.parametrize("model", ["LSTM", "GRU"])
def test_units_of_a_hyper_network_are_refused_without_one(model):
    with pytest.raises(ModelArgumentError, match="hyper_units: found 2 beside conditioning 'film'"):
        models.resolve(model)(conditioning="film", hyper_units=2)


@pytest.mark.parametrize("model", WRONG)
def test_a_model_leaves_that_to_its_net(model):
    for name, (value, *_) in WRONG[model].items():
        with pytest.raises(ModelArgumentError, match=f"^model.{name}: found "):
            models.resolve(model)(**{name: value})


def test_what_a_message_says():
    with pytest.raises(ModelArgumentError) as fault:
        models.resolve("FIR")(taps=-8)
    assert str(fault.value) == (
        "model.taps: found -8; expected a whole number from 2 to 1048576. "
        "Correct it in the recipe, or leave it out for the default."
    )


def test_the_limits_themselves_and_numbers_of_numpy_are_allowed():
    require_whole("n", 2, 2, 4)
    require_whole("n", np.int64(4), 2, 4)
    require_wholes("n", [2, 4], 2, 4)
    require_number("x", 2, 2, 4)
    require_number("x", np.float32(4.0), 2, 4)
    require_factor("x", -0.5)
    require_reach("n", 1, LONGEST_SAMPLES)
