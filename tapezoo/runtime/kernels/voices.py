"""The kernels by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tapezoo.runtime.kernels.channel import Channel, Voice
from tapezoo.runtime.kernels.file import KernelFile, file_error, read_kernel
from tapezoo.runtime.kernels.filter import FilteredVoice
from tapezoo.runtime.kernels.glide import GLIDES, Glide, SteppedGlide
from tapezoo.runtime.kernels.gru import gru_voice
from tapezoo.runtime.kernels.lstm import lstm_voice
from tapezoo.runtime.kernels.tape import KERNEL as TAPED
from tapezoo.runtime.kernels.tape import NONLINEARITY, TapedChannel
from tapezoo.runtime.kernels.transition import TransitionVoice
from tapezoo.runtime.kernels.transition_controlled import PolynomialVoice, TableVoice
from tapezoo.runtime.kernels.wavenet import WaveNetVoice

VOICES: Mapping[str, Callable[[KernelFile], Voice]] = MappingProxyType(
    {
        "lstm": lstm_voice,
        "gru": gru_voice,
        "transition": TransitionVoice,
        "transition_table": TableVoice,
        "transition_polynomial": PolynomialVoice,
        "wavenet": WaveNetVoice,
        "filtered_wavenet": lambda file: FilteredVoice(file, WaveNetVoice),
    }
)


def channel_maker(path: Path) -> Callable[[], Channel | TapedChannel]:
    """What makes a channel of this file; each has buffers of its own.

    Raises:
        EngineError: It is not as its kernel needs it.
    """
    file = read_kernel(path)
    check_kernel(path, file)
    return lambda: _channel(file)


def check_kernel(path: Path, file: KernelFile) -> None:
    """Refuses a file whose arrays and settings do not fit together.

    Raises:
        EngineError: It is not as its kernel needs it.
    """
    try:
        _channel(file)
    except Exception as error:  # a stranger's file: KeyError, ValueError, OverflowError
        raise file_error(path, error) from error


def _channel(file: KernelFile) -> Channel | TapedChannel:
    if file.kernel == TAPED:
        return TapedChannel(_plain_channel(replace(file, kernel=file.settings[NONLINEARITY])), file)
    return _plain_channel(file)


def _plain_channel(file: KernelFile) -> Channel:
    voice = VOICES[file.kernel](file)
    return Channel(voice, file.num_controls, _glide(file, voice.chunk_samples))


def _glide(file: KernelFile, chunk_samples: int) -> Glide:
    size = file.num_controls, file.smoothing_samples, chunk_samples
    if "step_samples" not in file.settings or not file.num_controls:
        return GLIDES[file.glide](*size)
    step_samples = int(file.settings["step_samples"])
    if step_samples < 1 or file.glide != "mean":
        raise ValueError(f"steps of {step_samples} samples of the glide {file.glide}")
    return SteppedGlide(*size, step_samples)
