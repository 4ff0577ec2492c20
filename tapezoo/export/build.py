"""The bundle of a trained net: settle it, write every target, pass the gates, measure, assemble."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.bundle import Manifest, StateTensor, Verification, file_hashes, write_arrays
from tapezoo.bundle.manifest import REST_STATE
from tapezoo.controls import Control, control_vector
from tapezoo.export.assemble import assemble, describe_bundle
from tapezoo.export.cost import engine_step, measure_costs
from tapezoo.export.degradation import MAX_DEGRADATION_ESR, measure_degradation
from tapezoo.export.errors import ExportError
from tapezoo.export.golden import MOST_REMAINING_SAMPLES, MOST_SAMPLES, golden_input, write_golden
from tapezoo.export.parity import measure_parity
from tapezoo.export.played import Played
from tapezoo.export.targets import DEFAULT_TARGETS
from tapezoo.export.targets.target import Graph, Part, Target, graph_of
from tapezoo.net import Net
from tapezoo.play import settle
from tapezoo.runtime.bench import playable_engines
from tapezoo.runtime.engines import open_engine


def export_bundle(
    net: Net,
    *,
    architecture: str,
    sample_rate: int,
    controls: Sequence[Control],
    out: Path,
    audio: NDArray[np.float32],
    metrics: Mapping[str, float],
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    targets: Sequence[Target] = DEFAULT_TARGETS,
    parts: Sequence[Part] = (),
    max_degradation_esr: float = MAX_DEGRADATION_ESR,
) -> Verification:
    """Exports a copy of `net` to the folder `out`, which appears only if all gates pass.

    Args:
        net: The trained net, with the best weights; it is not changed.
        architecture: Its registered name.
        sample_rate: Hz.
        controls: As many as the net has, in its order.
        out: The bundle's folder; its parent must exist.
        audio: (samples,) of real audio, a few seconds, for golden files and the parity gate.
        metrics: What training measured, by name.
        provenance: Where the weights come from, as JSON values; versions and the time are added.
        overwrite: Replace a bundle at `out`, after the new one was verified.
        progress: Called with each step's name.
        targets: File formats to write.
        parts: Further contents of the bundle.
        max_degradation_esr: Largest ESR of lossy targets against the net, see `measure_degradation`.

    Returns:
        The result of `tapezoo.runtime.verify` on the finished bundle, with its manifest.

    Raises:
        OutputExistsError, NotReplaceableError, UnwritableOutputError: See `staged_folder`.
        ExportError: The audio is too short, silent or not finite. A target cannot be written. The net amplifies
            rounding errors, so that no target can match it. A lossy target is over `max_degradation_esr`.
        ParityError: The output of a target differs from that of the net.
    """
    if len(controls) != net.num_controls:
        raise ValueError(f"{len(controls)} controls for a net with {net.num_controls}")
    for target in targets:
        if refused := target.refusal(net):
            raise ExportError.about_target(target.name, *refused)
    for part in parts:
        part.check(net)

    def write(folder: Path) -> tuple[Manifest, Played]:
        most_samples = MOST_REMAINING_SAMPLES if net.remains else MOST_SAMPLES
        programme = golden_input(audio, net.hop_samples, most_samples)
        default = np.array(control_vector(controls, {}), dtype=np.float32)
        progress("settling the rest state")
        frozen, settle_samples = settle_copy(net, default)
        rest = {name: value[0].numpy() for name, value in frozen.rest_state(1).items()}
        write_arrays(folder / REST_STATE, rest)
        progress("writing golden files")
        cases = write_golden(frozen, programme, rest, default, folder)
        metadata = {"sample_rate": str(sample_rate), "architecture": architecture}
        for target in targets:
            progress(f"writing {target.file}")
            _write(target, graph_of(frozen, metadata, controls, settle_samples), folder)
        manifest = describe_bundle(
            net,
            architecture=architecture,
            sample_rate=sample_rate,
            controls=controls,
            settle_samples=settle_samples,
            state=[StateTensor(name, value.shape, str(value.dtype)) for name, value in rest.items()],
            targets={target.name: target.file for target in targets},
            golden=cases,
            metrics=metrics,
            provenance=provenance,
        )
        progress("comparing every target with the net")
        hashes = file_hashes(folder)
        parity, played = measure_parity(folder, manifest, frozen, targets)
        manifest = replace(manifest, parity=parity)
        for target in targets:
            target.accompany(folder, manifest)
        progress("measuring the degradation of lossy targets")
        degradation, lossy = measure_degradation(folder, manifest, targets, max_degradation_esr)
        manifest = replace(manifest, degradation=degradation)
        progress("measuring the cost")
        steps = {  # as an application plays them
            name: engine_step(open_engine(folder, manifest, name), default)
            for name in playable_engines(manifest)
        }
        manifest = replace(manifest, cost=measure_costs(steps, manifest, programme[:1], rest, default))
        for part in parts:
            manifest = part.write(folder, frozen, manifest, programme, progress)
        return manifest, Played(hashes, {**played, **lossy})

    return assemble(out, overwrite, write, {target.name: target.open for target in targets}, progress)


def settle_copy(net: Net, default: NDArray[np.float32]) -> tuple[Net, int]:
    """A copy on the CPU in evaluation mode, settled at its defaults, and the silence needed to settle elsewhere.

    Args:
        net: Not changed.
        default: (num_controls,) positions.

    Returns:
        The copy, and the samples of silence after which it is settled with every control at either end.
    """
    frozen = copy.deepcopy(net).cpu().eval().requires_grad_(False)
    state, samples = settle(frozen, torch.from_numpy(default[np.newaxis]))
    frozen.store_rest(state)
    if net.num_controls:
        ends = np.repeat(default[np.newaxis], 2 * net.num_controls, axis=0)
        for index in range(net.num_controls):
            ends[2 * index : 2 * index + 2, index] = 0.0, 1.0
        _, samples = settle(frozen, torch.from_numpy(ends))
    return frozen, samples


def _write(target: Target, graph: Graph, folder: Path) -> None:
    try:
        (folder / target.file).parent.mkdir(exist_ok=True)
        target.write(graph, folder / target.file)
    except (OSError, ExportError):  # the disk's fault, not the net's; or reported already
        raise
    except Exception as error:  # exporters can raise any exception
        raise ExportError.about_target(
            target.name,
            f"a net that its exporter cannot write ({type(error).__name__}: {error})",
            "No bundle was written. Write the net's forward with other operations.",
        ) from error
