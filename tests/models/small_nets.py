"""Every registered architecture, small, with every conditioning it takes."""

import copy
import functools
import inspect
from typing import get_args

from tapezoo import models, registry, testing
from tapezoo.layers import CONDITIONERS
from tapezoo.models.hyper import Conditioning

SIZES = {
    "BlockEDLSTM": {"hidden_size": 3, "hop_samples": 24},
    "EDLSTM": {"hidden_size": 3, "window_samples": 9},
    "FIR": {"taps": 9},
    "GCN": {"channels": 3, "num_layers": 2},
    "GreyBox": {"peaks": 1, "followers": 2},
    "GRU": {"hidden_size": 3, "linear_taps": 3, "memory_samples": 200.0},
    "LSTM": {"hidden_size": 3, "num_layers": 2, "linear_taps": 3, "memory_samples": 200.0},
    "Mamba": {"channels": 3, "modes": 2, "num_blocks": 2, "kernel_size": 2},
    "MelVocoder": {
        "bands": 6,
        "channels": 4,
        "machine_blocks": 1,
        "vocoder_blocks": 1,
        "kernel_size": 2,
        "window_samples": 64,
        "hop_samples": 16,
    },
    "S4D": {"channels": 3, "modes": 2, "num_blocks": 2, "longest_memory_samples": 200.0},
    "SpectralUNet": {"channels": [3, 4], "kernel_frames": 2, "window_samples": 32, "hop_samples": 8},
    "STN": {"size": "2x3"},
    "STNGrid": {"size": "2x3"},
    "STNPolynomial": {"size": "1x3", "degree": 2},
    "SubBand": {"bands": 4, "seen_bands": 3, "channels": 2, "dilations": [1, 2]},
    "TCN": {"channels": 3, "num_blocks": 2, "kernel_size": 3, "cond_dim": 4},
    "Transformer": {"channels": 4, "heads": 2, "num_blocks": 2, "window_frames": 5, "hop_samples": 8},
    "TwoBranch": {
        "hidden_size": 3,
        "memory_samples": 200.0,
        "channels": [2, 3],
        "kernel_frames": 2,
        "window_samples": 32,
        "hop_samples": 8,
    },
    "WaveNet": {"channels": [4, 3], "dilations": [1, 3]},
    "WaveUNet": {"channels": 2, "num_levels": 2, "kernel_size": 4, "lookahead_samples": 9},
    "WienerHammerstein": {"taps": 9, "units": 3},
}
NAMES = sorted(found.name for found in registry.registrations("models") if found.distribution == "tapezoo")


def conditionings(name):
    """The names the architecture takes, or [None] where there is nothing to choose."""
    if "conditioning" not in inspect.signature(models.resolve(name)).parameters:
        return [None]
    return list(get_args(Conditioning)) if name in ("LSTM", "GRU") else list(CONDITIONERS)


_MADE = {}


def perturbed(model_class, controls, **arguments):
    """What `testing.perturbed` makes, made once: a copy for each law. Settling takes longer than most laws."""
    model = kept(model_class, controls, **arguments)
    twin = copy.copy(model)
    # the metrics around the net, which laws leave alone, take ten times as long to copy as the net
    twin._modules = {**model._modules, "net": copy.deepcopy(model.net)}
    return twin


def kept(model_class, controls, **arguments):
    """The one that is copied; for whoever only reads what its net declares."""
    key = model_class, repr((controls, sorted(arguments.items())))
    if key not in _MADE:
        _MADE[key] = testing.perturbed(model_class, controls, **arguments)
    return _MADE[key]


@functools.cache
def small(name, conditioning, num_controls=2, **more):
    """A perturbed model of that kind, at rest; one for all tests, which must not change it."""
    chosen = {} if conditioning is None else {"conditioning": conditioning}
    if str(conditioning).startswith("hyper"):
        chosen["hyper_units"] = 2
    arguments = {**SIZES.get(name, {}), **chosen, **more}

    return testing.perturbed(models.resolve(name), testing.CONTROLS[:num_controls], **arguments)


ALL = [(name, conditioning) for name in NAMES for conditioning in conditionings(name)]
