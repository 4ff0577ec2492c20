"""The laws every model keeps, as plain functions: for tapezoo's own tests, `tapezoo check` and plugins.

A plugin's whole test file:

    from tapezoo.testing import parametrize_with_checks
    from my_plugin import MyModel

    @parametrize_with_checks(MyModel)
    def test_law(law):
        law()
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from tapezoo.checkpoint import load_model
from tapezoo.controls import Control
from tapezoo.errors import TapezooError
from tapezoo.export import export_bundle
from tapezoo.export.golden import LEAST_SAMPLES
from tapezoo.export.targets.target import graph_of
from tapezoo.net import SMOOTHING_SAMPLES, Net, State, UnfoldableError, settle
from tapezoo.training.effect import EffectModel

SAMPLE_RATE_HZ = 44100
SPLITS_SAMPLES = (1, 7, 64, 333)
SPLIT_BLOCKS = 128  # as many of each to both sides of the moment when controls change: short blocks take long
TOLERANCE = 1e-5
SETTLED_TOLERANCE = 1e-4
# a folded net plays on from any state: the knobs have to stand still, memories need not
FOLDED_SETTLE_SAMPLES = 2 * SMOOTHING_SAMPLES
FADING_MEMORY_SAMPLES = SAMPLE_RATE_HZ // 2
CONTROLS = [
    Control("first", default=0.3).to_dict(),
    Control("second", 1.0, 100.0, 10.0, curve="log").to_dict(),
]

ModelClass = type[EffectModel]


class DeclarationError(TapezooError):
    """A declaration stands where nothing reads it."""


class LawBroken(AssertionError):
    """A model breaks a law; the message says which value, and by how much."""


@dataclass(frozen=True)
class Law:
    """One law on one model: call it; it raises LawBroken, or returns."""

    name: str
    model_class: ModelClass
    controls: tuple[dict[str, Any], ...]
    check: Callable[[EffectModel], None]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exemption(self) -> str | None:
        """Why the net declares that it cannot keep this law, if it does."""
        return fresh(self.model_class, list(self.controls), **self.arguments).net.cannot_keep.get(self.name)

    def __call__(self) -> None:
        """Checks the law on seeded, perturbed weights with the rest state settled."""
        self.check(perturbed(self.model_class, list(self.controls), **self.arguments))

    def __str__(self) -> str:
        return f"{self.model_class.__name__}-{self.name}-{len(self.controls)} controls"


def laws(model_class: ModelClass, **arguments: Any) -> list[Law]:
    """Every law, without controls and with two.

    Args:
        model_class: A registered architecture.
        arguments: Of its constructor, where they are not the defaults.

    Raises:
        DeclarationError: The class declares what its net has to.
    """
    for name in ("cannot_keep", "dead_parameters"):
        if getattr(model_class, name, None) is not None:
            raise DeclarationError(
                f"{model_class.__name__}.{name}",
                found="a declaration in the class that trains the net",
                expected="one in the class of the net: it describes what the net is",
                fix=f"Move it to the subclass of tapezoo.net.Net that {model_class.__name__} trains. A test of other "
                "arguments than the defaults needs no subclass and no `cannot_keep`: pass them to "
                f"parametrize_with_checks({model_class.__name__}, name=value).",
            )
    return [
        Law(name, model_class, controls, check, arguments)
        for name, check in CHECKS.items()
        for controls in ((), tuple(CONTROLS))
        if controls or name not in CONTROLLED_ONLY
    ]


class SkippingLaw(Law):
    """A law as a test: skipped, with the reason, where the net declares that it cannot keep it or cannot fold."""

    def __call__(self) -> None:
        """See `Law.__call__`."""
        import pytest

        if reason := self.exemption:
            pytest.skip(reason)
        try:
            super().__call__()
        except UnfoldableError as error:
            pytest.skip(f"not foldable: {error}")


def parametrize_with_checks(model_class: ModelClass, **arguments: Any) -> Any:
    """A pytest decorator: one test per law.

    Args:
        model_class: A registered architecture.
        arguments: Of its constructor, where they are not the defaults.

    Raises:
        DeclarationError: See `laws`.
    """
    import pytest

    tests = [
        SkippingLaw(**{field.name: getattr(law, field.name) for field in fields(law)})
        for law in laws(model_class, **arguments)
    ]
    return pytest.mark.parametrize("law", tests, ids=str)


def dead_parameters(model_class: ModelClass) -> dict[str, str]:
    """What the net declares to receive no gradient: name -> reason; nothing where no net can be built."""
    try:
        return fresh(model_class, CONTROLS).net.dead_parameters
    except Exception:  # a model under test can fail with anything: then every law says so
        return {}


def fresh(model_class: ModelClass, controls: list[dict[str, Any]], **arguments: Any) -> EffectModel:
    """A model before any training."""
    return model_class(sample_rate=SAMPLE_RATE_HZ, controls=controls, **arguments)


def perturbed(
    model_class: ModelClass, controls: list[dict[str, Any]], seed: int = 0, **arguments: Any
) -> EffectModel:
    """A model as after some training: fresh weights plus noise, so that nothing is exactly zero.

    Noise has a tenth of a fresh tensor's own spread, at least 0.01.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = fresh(model_class, controls, **arguments)
        with torch.no_grad():
            for parameter in model.net.parameters():
                spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
                parameter.add_(torch.randn_like(parameter) * max(0.1 * spread, 0.01))
    model.eval()
    state, _ = settle(model.net, model.default_controls())
    model.net.store_rest(state)
    return model


def check_streaming(model: EffectModel) -> None:
    """Any split of the signal gives the same output, also while controls change."""
    net, hop = model.net, model.net.hop_samples
    input = _signal(2, 2664 // hop * hop)
    samples = input.shape[-1]
    half = samples // 2 // hop * hop
    settings = [_rows(model), 1.0 - _rows(model)]
    with torch.no_grad():
        first, state = net(input[..., :half], settings[0], net.initial_state(settings[0]))
        second, _ = net(input[..., half:], settings[1], state)
        whole = torch.cat([first, second], dim=-1)
        for split in SPLITS_SAMPLES:
            block = -(-split // hop) * hop
            begin, end = max(0, half - SPLIT_BLOCKS * block), min(samples, half + SPLIT_BLOCKS * block)
            cuts = sorted({0, *range(begin, half, block), *range(half, end, block), end, samples})
            parts, state = [], net.initial_state(settings[0])
            for start, stop in pairwise(cuts):
                output, state = net(input[..., start:stop], settings[start >= half], state)
                parts.append(output)
            _close(torch.cat(parts, dim=-1), whole, f"blocks of {block} against the whole signal")


def check_pure(model: EffectModel) -> None:
    """The given state is not modified; names and shapes are stable; rows are independent."""
    net = model.net
    input, controls = _signal(3, 64 * net.hop_samples), _rows(model, 3)
    state = net.initial_state(controls)
    before = deepcopy(state)
    with torch.no_grad():
        output, after = net(input, controls, state)
        _same_state(state, before, "the state passed in")
        if {name: value.shape for name, value in after.items()} != {n: v.shape for n, v in before.items()}:
            raise LawBroken(f"state went in as {_shapes(before)} and came out as {_shapes(after)}")
        if output.shape != input.shape:
            raise LawBroken(f"input of shape {tuple(input.shape)} gave output of shape {tuple(output.shape)}")
        again, _ = net(input, controls, state)
        _close(again, output, "a second call with the same arguments", 0.0)
        for row in range(3):
            alone, _ = net(input[row : row + 1], controls[row : row + 1], _row(state, row))
            _close(alone, output[row : row + 1], f"row {row} alone against row {row} in a batch")


def check_causal(model: EffectModel) -> None:
    """No output hears a later input (lookahead delays the output instead); `receptive_field` is no smaller."""
    net, hop = model.net, model.net.hop_samples
    total = -(-max(2048, 2 * (net.receptive_field or 0) + 64) // hop) * hop
    input, controls = _signal(1, total), _rows(model, 1)
    moment = total // 2 // hop * hop
    changed = input.clone()
    changed[..., moment] += 0.5
    with torch.no_grad():
        state = net.initial_state(controls)
        difference = (net(changed, controls, state)[0] - net(input, controls, state)[0]).abs()[0, 0]
    if float(difference[:moment].max()) > TOLERANCE:
        raise LawBroken(
            f"input sample {moment} changes output before it, by {float(difference[:moment].max()):.2e}"
        )
    if float(difference[moment:].max()) <= TOLERANCE:
        raise LawBroken(f"input sample {moment} changes no output at all")
    if net.receptive_field is not None:
        last = int(torch.nonzero(difference > TOLERANCE).max())
        if last - moment >= net.receptive_field:
            raise LawBroken(
                f"receptive_field is {net.receptive_field}, but {last - moment} samples later still hear it"
            )


def check_gradients(model: EffectModel) -> None:
    """Every parameter receives a gradient."""
    net = model.net
    controls = _rows(model)
    output, _ = net(_signal(2, 256 * net.hop_samples), controls, net.initial_state(controls))
    output.square().sum().backward()
    for name, parameter in net.named_parameters():
        silent = parameter.grad is None or not bool(parameter.grad.abs().max() > 0)
        if silent and name not in net.dead_parameters:
            raise LawBroken(f"parameter {name} receives no gradient and is not in dead_parameters")
        if not silent and name in net.dead_parameters:
            raise LawBroken(f"parameter {name} is declared dead but receives a gradient")


def check_controls(model: EffectModel) -> None:
    """Every control changes the output."""
    net = model.net
    input, low = _signal(1, 1024 * net.hop_samples), torch.full((1, model.num_controls), 0.2)
    with torch.no_grad():
        reference, _ = net(input, low, net.initial_state(low))
        for index, control in enumerate(model.controls):
            turned = low.clone()
            turned[:, index] = 0.9
            output, _ = net(input, turned, net.initial_state(turned))
            if float((output - reference).abs().max()) <= TOLERANCE:
                raise LawBroken(f"control {control.name} changes nothing")


def check_finite(model: EffectModel) -> None:
    """Silence, full scale and DC stay finite."""
    net, controls = model.net, _rows(model, 1)
    signals = {"silence": torch.zeros(1, 1, 8192), "DC": torch.ones(1, 1, 8192)}
    signals["full scale"] = torch.sign(_signal(1, 8192))
    for name, signal in signals.items():
        input = signal[..., : 8192 // net.hop_samples * net.hop_samples]
        with torch.no_grad():
            output, state = net(input, controls, net.initial_state(controls))
        if not all(bool(torch.isfinite(value).all()) for value in (output, *state.values())):
            raise LawBroken(f"{name} gives NaN or infinity")


def check_fading_memory(model: EffectModel) -> None:
    """Whatever the starting state, outputs converge on the same input."""
    net, hop = model.net, model.net.hop_samples
    samples = -(-max(FADING_MEMORY_SAMPLES, net.receptive_field or 0) // hop) * hop
    input, controls = _signal(3, samples + 1024 * hop)[:1].expand(3, -1, -1), _rows(model, 1).expand(3, -1)
    rest = net.initial_state(controls)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        _, loud = net(torch.sign(_signal(3, 1024 * hop)), controls, rest)
        noise = {n: v + 0.1 * torch.randn(v.shape, generator=generator) for n, v in rest.items()}
        state = {n: torch.cat([rest[n][:1], noise[n][1:2], loud[n][2:3]]) for n in rest}
        output, _ = net(input, controls, state)
    tail = output[..., samples:]
    _close(tail[1:2], tail[:1], f"{samples} samples after a random state", SETTLED_TOLERANCE)
    _close(tail[2:3], tail[:1], f"{samples} samples after a loud passage", SETTLED_TOLERANCE)


def check_rest(model: EffectModel) -> None:
    """Silence from rest stays within 1e-4 of its settled output: no pop at the start."""
    net, controls = model.net, model.default_controls()
    silence = torch.zeros(1, 1, -(-SAMPLE_RATE_HZ // net.hop_samples) * net.hop_samples)
    with torch.no_grad():
        output, _ = net(silence, controls, net.initial_state(controls))
    _close(output, output[..., -1:].expand_as(output), "silence from rest against its end", SETTLED_TOLERANCE)


def check_checkpoint(model: EffectModel) -> None:
    """A checkpoint gives back the same net, rest state included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ckpt"
        trainer = Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        trainer.strategy.connect(model)
        model.trainer = trainer
        trainer.save_checkpoint(path)
        loaded = load_model(path)
    input, controls = _signal(2, 256 * model.net.hop_samples), _rows(model)
    with torch.no_grad():
        expected, _ = model.net(input, controls, model.net.initial_state(controls))
        output, _ = loaded.net(input, controls, loaded.net.initial_state(controls))
    _close(output, expected, "the loaded model against the saved one", 0.0)


def check_export(model: EffectModel) -> None:
    """ONNX and TorchScript pass the parity gate."""
    audio = _signal(1, LEAST_SAMPLES)[0, 0].numpy().astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export_bundle(
            model.net,
            architecture=type(model).__name__,
            sample_rate=model.sample_rate,
            controls=model.controls,
            out=Path(folder) / "bundle",
            audio=audio,
            metrics={},
            provenance={},
        )


def check_folded(model: EffectModel) -> None:
    """With its controls folded into its weights the net plays on from any state as the original, held there.

    At the corners, the middle and random positions; the points have one graph, and the original stays as it is.

    Raises:
        UnfoldableError: The net says why it cannot be folded; the table shows that.
    """
    net = model.net
    before = deepcopy(net.state_dict())
    positions = _positions(model)
    points = [net.folded(position) for position in positions]
    for name, value in net.state_dict().items():
        if not torch.equal(value, before[name]):
            raise LawBroken(f"folding changes {name} of the original")
    _same_form(points, net.rest_state(1))
    state, _ = settle(net, positions, limit_samples=FOLDED_SETTLE_SAMPLES)
    states = [{name: state[name][[row]] for name in point.rest_state(1)} for row, point in enumerate(points)]
    nothing = torch.zeros(1, 0)
    for number, input in enumerate(_programme(net.hop_samples)):
        with torch.no_grad():
            expected, state = net(input.expand(len(points), -1, -1), positions, state)
            for row, point in enumerate(points):
                where = f"block {number} at controls {[round(value, 2) for value in positions[row].tolist()]}"
                output, states[row] = point(input, nothing, states[row])
                _close(output, expected[row : row + 1], f"the folded net, {where}")
                for name, value in states[row].items():
                    _close(value, state[name][row : row + 1], f"state {name} of the folded net, {where}")


def _same_form(points: list[Net], rest: State) -> None:
    """One class, names, shapes and graph at all points, no controls, and a state that is part of the net's."""
    forms = []
    for point in points:
        if point.num_controls:
            raise LawBroken(f"the folded net has {point.num_controls} controls")
        for name, value in point.rest_state(1).items():
            if name not in rest or (value.shape, value.dtype) != (rest[name].shape, rest[name].dtype):
                raise LawBroken(f"state {name} of the folded net is not the net's own {_shapes(rest)}")
        tensors = {name: (value.shape, value.dtype) for name, value in point.state_dict().items()}
        forms.append((type(point), tensors))
    if any(form != forms[0] for form in forms):
        raise LawBroken("two points differ in their class, or in names or shapes of their tensors")
    if _graph(points[0]) != _graph(points[-1]):
        raise LawBroken("two points do not trace to the same graph")


def _graph(net: Net) -> str:
    graph = graph_of(net, {})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # what a trace says of Python conditions
        traced = torch.jit.trace(graph.net.eval(), graph.example, check_trace=False)  # type: ignore[no-untyped-call]
    return re.sub(r"___torch_mangle_\d+\.", "", str(traced.inlined_graph))  # which the tracer counts up


def _positions(model: EffectModel) -> Tensor:
    """Corners, the middle and two random positions of the controls."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * model.num_controls)
    middle = torch.full((1, model.num_controls), 0.5)
    return torch.cat([corners.reshape(-1, model.num_controls), middle, _rows(model)])


def _programme(hop_samples: int) -> list[Tensor]:
    """Noise, then a struck tone that dies away, in blocks of several lengths, (1, 1, samples) each."""
    lengths = [-(-samples // hop_samples) * hop_samples for samples in (1, 64, 333, 1000)]
    samples = sum(lengths)
    time = torch.arange(samples) / SAMPLE_RATE_HZ
    struck = 0.9 * torch.sin(2 * torch.pi * 330.0 * time) * torch.exp(-time / 0.02)
    signals = (_signal(1, samples, seed=3), struck.reshape(1, 1, samples))
    return [block for signal in signals for block in torch.split(signal, lengths, dim=-1)]


CHECKS: dict[str, Callable[[EffectModel], None]] = {
    "streaming": check_streaming,
    "pure": check_pure,
    "causal": check_causal,
    "gradients": check_gradients,
    "controls": check_controls,
    "finite": check_finite,
    "fading_memory": check_fading_memory,
    "rest": check_rest,
    "checkpoint": check_checkpoint,
    "export": check_export,
    "folded": check_folded,
}
CONTROLLED_ONLY = frozenset({"controls", "folded"})


def outcomes(
    model_class: ModelClass, before: Callable[[str], None] = lambda name: None
) -> Iterator[tuple[Law, str, str]]:
    """Runs every law: (law, "kept" | "broken" | "declared", detail); `before` hears each one's name first."""
    for law in laws(model_class):
        before(law.name)
        try:
            if reason := law.exemption:
                yield law, "declared", reason
                continue
            law()
        except UnfoldableError as error:
            yield law, "declared", f"not foldable: {error}"
        except Exception as error:  # a model under test can fail with anything; that is the outcome
            yield law, "broken", f"{type(error).__name__}: {error}"
        else:
            yield law, "kept", ""


def _signal(rows: int, samples: int, seed: int = 0) -> Tensor:
    """Noise bursts and a tone, (rows, 1, samples), within +-1."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / SAMPLE_RATE_HZ
    tone = 0.4 * torch.sin(2 * torch.pi * 220.0 * time)
    noise = 0.15 * torch.randn(rows, 1, samples, generator=generator)
    return (tone + noise).clamp(-1.0, 1.0)


def _rows(model: EffectModel, rows: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(rows, model.num_controls, generator=generator)


def _row(state: State, row: int) -> State:
    return {name: value[row : row + 1] for name, value in state.items()}


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _same_state(state: State, expected: State, what: str) -> None:
    for name, value in expected.items():
        if not torch.equal(state[name], value):
            raise LawBroken(f"{what}: {name} was modified")


def _close(output: Tensor, expected: Tensor, what: str, tolerance: float = TOLERANCE) -> None:
    error = float((output - expected).abs().max())
    scale = max(1.0, float(expected.abs().max()))
    if not error <= tolerance * scale:
        raise LawBroken(f"{what}: largest difference {error:.2e}, allowed {tolerance * scale:.0e}")
