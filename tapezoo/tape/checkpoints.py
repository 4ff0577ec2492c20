"""Trained generators on disk."""

from __future__ import annotations

from pathlib import Path

from tapezoo import tape
from tapezoo.checkpoint import build_model, check_kind, load_weights, read_checkpoint
from tapezoo.tape.generator import LINES
from tapezoo.tape.model import AVERAGED, GeneratorModel


def load_generator(path: Path) -> GeneratorModel:
    """The trained model, in eval mode on the CPU; `playing` has the mean of its weights.

    Raises:
        CheckpointError: See `tapezoo.checkpoint.read_checkpoint`; or it is an effect's, or does not fit the generator
            as
            installed.
        RegistrationError: The distribution that provides the generator is not installed.
    """
    content = read_checkpoint(path)
    check_kind(path, content, "generators")
    model = build_model(tape.resolve(content["tapezoo"]["architecture"]), content, path)
    # one from before lines were measured learned them with all else: beside what it makes there are none
    lines = {f"{AVERAGED}{name}": model.playing.get_buffer(name) for name in LINES}
    load_weights(model.playing, lines | content["state_dict"], AVERAGED, path)
    return model.eval()
