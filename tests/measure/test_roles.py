"""Which controls choose among machines: said by data, kept by checkpoints, guessed for older ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import yaml

from tapezoo.controls import Control
from tapezoo.data import PairedAudio, VirtualDevices
from tapezoo.measure.roles import find_roles


def controls(data: PairedAudio | VirtualDevices) -> list[Control]:
    return [Control(**control) for control in data.controls]


def test_data_say_which_controls_choose_among_machines_and_older_checkpoints_are_guessed(
    tmp_path: Path,
) -> None:
    three = {"compressor": {"threshold": [-30.0, 0.0]}, "tape": {"drive": [0.5, 1.0]}}
    for device, settings, switches in (
        ("tape", {"drive": [0.25, 0.5], "saturation": [0.0, 1.0], "bias": [-6.0, 6.0]}, 0),
        (["compressor", "tape"], {"tape": {"drive": [0.5, 1.0]}}, 1),
        (["compressor", "tape", "preamp"], three, 3),
        (["compressor", "tape", "preamp"], None, 3),
    ):
        made = controls(VirtualDevices(device=device, settings=settings, seconds=12.0))
        roles, told = find_roles(made)
        assert (roles.switches, told) == (tuple(range(switches)), True)
        older = [replace(control, switch=None) for control in made]
        assert find_roles(older) == (roles, False)


def test_a_pairs_file_says_it_too(tmp_path: Path) -> None:
    for name in ("dry.wav", "wet.wav", "other.wav"):
        soundfile.write(tmp_path / name, np.zeros(4 * 8000), 8000)
    pairs = [
        {"dry": "dry.wav", "wet": "wet.wav", "controls": {"gain": 0.5, "machine": 0}},
        {"dry": "dry.wav", "wet": "other.wav", "controls": {"gain": 0.25, "machine": 1}},
    ]
    (tmp_path / "pairs.yaml").write_text(yaml.safe_dump({"pairs": pairs, "switches": ["machine"]}))
    roles, told = find_roles(controls(PairedAudio(pairs=str(tmp_path / "pairs.yaml"))))
    assert (roles.names, roles.switches, told) == (("gain", "machine"), (1,), True)
