"""What is judged: trained nets and bundles, as functions of a signal and the positions of the controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control, ControlError, control_vector, ranges_text
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.material import Material

Signal = NDArray[np.float64]  # (samples,), full scale is +-1


@dataclass(frozen=True)
class System:
    """A model to listen to.

    Args:
        name: In results.
        source: The file or folder, or the name of a shipped bundle.
        sample_rate: Hz.
        controls: Its knobs.
        dataset_hash: Of the data it was trained on; "": it does not say.
        play: A signal and one position 0..1 per control to what comes out, latency taken out.
    """

    name: str
    source: Path
    sample_rate: int
    controls: Sequence[Control]
    dataset_hash: str
    play: Callable[[Signal, Sequence[float]], Signal]


def system_of_checkpoint(path: Path, name: str) -> System:
    """A trained net; needs torch.

    Raises:
        CheckpointError: See `tapezoo.checkpoint.load_model`.
    """
    from tapezoo.checkpoint import load_model, read_checkpoint
    from tapezoo.measure.playing import play

    model = load_model(path)
    net = model.net.eval()
    provenance = read_checkpoint(path)["tapezoo"]["provenance"]

    def played(signal: Signal, positions: Sequence[float]) -> Signal:
        row: Signal = play(net, signal[None], positions)[0]
        return row

    data = str(provenance.get("dataset_hash") or "")
    return System(name, path, model.sample_rate, model.controls, data, played)


def system_of_bundle(root: Path, name: str) -> System:
    """A bundle, without torch.

    Raises:
        BundleError: It cannot be played.
    """
    from tapezoo.bundle import read_manifest
    from tapezoo.runtime import Stream, engine_for_one_file

    manifest = read_manifest(root)
    stream = Stream(root, engine=engine_for_one_file(manifest))
    late = stream.latency_samples

    def played(signal: Signal, positions: Sequence[float]) -> Signal:
        settings = {
            control.name: control.denormalize(position)
            for control, position in zip(manifest.controls, positions, strict=True)
        }
        stream.reset()
        padded = np.pad(signal, (0, late)).astype(np.float32)
        return np.asarray(stream.process(padded, settings)[late:], dtype=np.float64)

    data = str(manifest.provenance.get("dataset_hash") or "")
    return System(name, root, manifest.sample_rate, manifest.controls, data, played)


def held_at(systems: Sequence[System], setting: Mapping[str, float]) -> list[System]:
    """The same models without knobs: every one at the setting, as far as it has the controls; the rest at defaults.

    Args:
        systems: The models.
        setting: Values in their own units.

    Raises:
        ControlError: A control that no model has, or a value out of its range.
    """
    known = sorted({control.name for system in systems for control in system.controls})
    if unknown := [name for name in setting if name not in known]:
        raise ControlError(
            f"control {unknown[0]!r}",
            found="no model with a control of this name",
            expected=", ".join(known) or "no --set: there are no controls",
            fix="Correct the name.",
        )
    return [_held_at(system, setting) for system in systems]


def _held_at(system: System, setting: Mapping[str, float]) -> System:
    names = {control.name for control in system.controls}
    positions = control_vector(system.controls, {name: setting[name] for name in setting if name in names})
    return replace(system, controls=(), play=lambda signal, none: system.play(signal, positions))


def check_systems(systems: Sequence[System], material: Material) -> None:
    """Refuses systems that cannot be compared on these recordings.

    Raises:
        ListeningError: Another sample rate, other controls, or a training on other recordings.
    """
    for system in systems:
        if system.sample_rate != material.sample_rate:
            raise ListeningError(
                system.name,
                found=f"a model at {system.sample_rate} Hz",
                expected=f"{material.sample_rate} Hz, the rate of {material.name}",
                fix="Leave it out, make a test of its own, or name a recording at its rate, --dry FILE --wet FILE: "
                "`tapezoo prepare DRY WET --sample-rate HZ --out SET` resamples one.",
            )
        own, wanted = ranges_text(system.controls), ranges_text(material.controls)
        if own != wanted:
            raise ListeningError(
                system.name,
                found=f"a model with the controls {own}",
                expected=f"{wanted}, those of {material.name}: one machine",
                fix="Leave it out, or make a test of its own.",
            )
        known = system.dataset_hash and material.dataset_hash
        if known and system.dataset_hash != material.dataset_hash:
            raise ListeningError(
                system.name,
                found=f"a model of the data set {system.dataset_hash[:12]}",
                expected=f"{material.dataset_hash[:12]}, that of {material.name}: another data set may be another "
                "machine, or hold what is a test passage here",
                fix="Leave it out; or, if all are models of one machine, name a recording of it that none was trained "
                "on: --dry FILE --wet FILE.",
            )
