"""What is particular to the state transition net."""

import numpy as np
import onnx
import pytest
import torch
from export.nets import knobs as knobs_of
from small_nets import perturbed

from tapezoo import testing
from tapezoo.export import export_bundle, load_targets
from tapezoo.export.golden import LEAST_SAMPLES
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.stn import STEP, STN, STNNet
from tapezoo.models.stn_grid import STNGridNet
from tapezoo.net import UnfoldableError
from tapezoo.runtime.kernels import open_kernel
from tapezoo.testing.conditions import noise_and_tone

RATE = 48000


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def trained(num_controls=0, **arguments):
    """A net as after some training."""
    torch.manual_seed(0)
    net = STNNet(num_controls, sample_rate=RATE, **arguments)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def by_equations(net, input, controls, rise=1.0):
    """One row through the equations of the docstring, sample by sample, from zeros."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    H_1 = dH_1 = M = 0.0
    output = []
    for H in input:
        dH = (1 + net.alpha) * rise * (H - H_1) - net.alpha * dH_1
        turn = -1.0 if net.inputs_name == "mirrored" and dH + dH_1 < 0 else 1.0
        heard = [turn * value for value in (H, 5 * dH, H_1, 5 * dH_1)]
        if net.inputs_name in ("sign", "anhysteretic"):
            heard.append(dH / np.sqrt(dH**2 + 1e-8))
        if net.inputs_name == "anhysteretic":
            x = weights["inputs.bend"][0] * H
            heard.append(1 / np.tanh(x) - 1 / x)
        units = np.array([*heard, turn * M, *controls])
        for name in ("first", *(f"hidden.{layer}" for layer in range(len(net.hidden)))):
            units = np.tanh(weights[f"{name}.weight"] @ units + weights[f"{name}.bias"])
        step = STEP if net.step == "increment" else (dH + dH_1) / 2
        M += step / rise * (weights["head.weight"][0] @ units + weights["head.bias"][0])
        H_1, dH_1 = H, dH
        output.append(M)
    return np.array(output)


@pytest.mark.parametrize(
    ("step", "inputs", "size", "num_controls"),
    [
        ("increment", "plain", "2x4", 0),
        ("slope", "plain", "2x4", 0),
        ("increment", "anhysteretic", "3x2", 2),
        ("slope", "anhysteretic", "3x2", 2),
        ("slope", "mirrored", "3x2", 2),
    ],
)
def test_the_net_is_the_papers_equations(step, inputs, size, num_controls):
    net = trained(num_controls, step=step, inputs=inputs, size=size)
    input, controls = 0.5 * torch.randn(1, 1, 150), torch.rand(1, num_controls)
    output, after = net(input, controls, net.initial_state(controls))
    expected = by_equations(net, input[0, 0].double().numpy(), controls[0].double().numpy())
    np.testing.assert_allclose(output[0, 0].detach().numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(after["output"].item(), expected[-1], atol=1e-5)


def test_a_net_that_hears_the_mirror_image_of_a_falling_field_is_odd():
    net = trained(1, inputs="mirrored", step="slope")
    input, controls = 0.5 * torch.randn(1, 1, 500), torch.rand(1, 1)
    with torch.no_grad():
        output, _ = net(input, controls, net.initial_state(controls))
        mirrored, _ = net(-input, controls, net.initial_state(controls))
    torch.testing.assert_close(mirrored, -output, rtol=0, atol=1e-6)
    assert float(output.abs().max()) > 0.01
    with pytest.raises(ModelArgumentError, match="mirrored beside the step 'increment'"):
        STNNet(0, inputs="mirrored")


def test_the_published_sizes():
    assert count(STNNet(0)) == 49
    assert count(STNNet(0, "2x8")) == 129
    assert count(STNNet(0, "3x4")) == 69
    assert count(STNNet(3, "2x4", inputs="sign")) == 49 + 4 * 4
    assert count(STNNet(0, "2x4", inputs="anhysteretic")) == 49 + 2 * 4 + 1


@pytest.mark.parametrize("seed", range(5))
def test_a_fresh_net_does_not_run_away(seed):
    torch.manual_seed(seed)
    net = STNNet(0)
    state = {name: torch.full((2, 1), 0.0) for name in net.rest_state(1)}
    state["output"] = torch.tensor([[30.0], [-30.0]])
    with torch.no_grad():
        output, _ = net(torch.zeros(2, 1, 4000), torch.zeros(2, 0), state)
    assert float(output[..., -1].abs().max()) < 3
    assert float((output[0] - output[1])[..., -1].abs().max()) < 1e-3


def test_forced_it_hears_the_true_output_before_every_sample():
    net = trained(1, inputs="sign")
    input, controls = 0.3 * torch.randn(2, 1, 90), torch.rand(2, 1)
    state = net.initial_state(controls)
    with torch.no_grad():
        output, _ = net(input, controls, state)
        before = torch.cat([state["output"].unsqueeze(1), output[..., :-1]], dim=-1)
        torch.testing.assert_close(net.forced(input, controls, state, before), output, atol=1e-6, rtol=0)
        elsewhere = net.forced(input, controls, state, before + 0.5)
        assert float((elsewhere - output).abs().min()) > 0.1
        truth = net.with_output(state, torch.full((2, 1), 0.25))
    assert truth["output"].eq(0.25).all()
    assert not state["output"].any()


def test_at_a_higher_rate_it_plays_the_same_and_below_the_trained_one_it_is_refused():
    net = trained(step="slope")
    tone_hz, seconds = 100.0, 0.02
    outputs = []
    for rate in (RATE, 4 * RATE):
        time = torch.arange(int(seconds * rate)) / rate
        input = (0.25 - 0.25 * torch.cos(2 * torch.pi * tone_hz * time)).reshape(1, 1, -1)
        played = net.at_rate(rate)
        output, _ = played(input, torch.zeros(1, 0), played.initial_state(torch.zeros(1, 0)))
        outputs.append(output[0, 0].detach().numpy())
        expected = by_equations(net, input[0, 0].double().numpy(), [], rate / RATE)
        np.testing.assert_allclose(outputs[-1], expected, atol=2e-5)
    # at 100 Hz neighbours are nearly alike at both rates
    assert np.abs(outputs[1][::4] - outputs[0]).max() < 0.05 * np.abs(outputs[0]).max()
    assert net.rise == 1.0
    with pytest.raises(
        ModelArgumentError, match=r"44100 Hz .* trained at 48000 Hz; expected 48000 Hz or more"
    ):
        net.at_rate(44100)


@pytest.mark.parametrize(
    "variant",
    [
        {"step": "slope", "inputs": "sign"},
        {"step": "slope", "inputs": "mirrored"},
        {"inputs": "anhysteretic", "size": "3x2"},
        {"size": "1x5", "alpha": 0.0},
    ],
)
@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "described", "folded"])
@pytest.mark.usefixtures("few_splits")
def test_variants_keep_the_laws(variant, name):
    try:
        testing.CHECKS[name](perturbed(STN, testing.CONTROLS, **variant))
    except UnfoldableError as error:
        pytest.fail(str(error))


def test_the_model_tells_its_net_the_rate():
    assert STN(sample_rate=96000).net.trained_rate == 96000


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"size": "2x7", "step": "slope", "inputs": "sign"},
        {"size": "3x4", "step": "slope", "inputs": "mirrored"},
        {"size": "3x2", "inputs": "anhysteretic", "alpha": 0.5},
        pytest.param(  # compiled for 16 lanes, whose products test_kernel_turned.py has
            {"size": "1x16", "step": "slope", "inputs": "anhysteretic", "alpha": 0.0}, marks=pytest.mark.slow
        ),
    ],
)
def test_the_kernel_plays_what_the_net_does_while_controls_move(variant, tmp_path):
    net = trained(2, **variant).at_rate(60000)
    path = tmp_path / "kernel.safetensors"
    target = KernelTarget()
    assert target.refusal(net) is None
    target.write(graph_of(net, {}), path)
    step = open_kernel(path, [*net.state_names, "control_history"])
    controls = [torch.tensor([[0.2, 0.9], [0.5, 0.5]]), torch.tensor([[0.7, 0.0], [0.5, 0.1]])]
    state = net.initial_state(controls[0])
    arrays = {name: value.numpy() for name, value in state.items()}
    random = torch.Generator().manual_seed(3)
    for samples, knobs in ((1, controls[0]), (700, controls[0]), (1100, controls[1]), (64, controls[1])):
        input = 0.5 * torch.randn(2, 1, samples, generator=random)
        with torch.no_grad():
            expected, state = net(input, knobs, state)
        output, arrays = step(input.numpy(), knobs.numpy(), arrays)
        np.testing.assert_allclose(output, expected.numpy(), atol=1e-5 * float(expected.abs().max()))
        for name, value in state.items():
            np.testing.assert_allclose(arrays[name], value.numpy(), atol=2e-5)


def test_a_net_wider_than_the_kernels_vector_is_refused_with_what_works():
    found, fix = KernelTarget().refusal(STNNet(0, "2x17"))
    assert "STN of up to 16 units" in found
    assert "onnx" in fix


def test_it_passes_the_gate_as_onnx_torchscript_and_kernel(tmp_path):
    model = perturbed(STN, testing.CONTROLS, size="2x2")
    audio = noise_and_tone(1, LEAST_SAMPLES)[0, 0].numpy().astype(np.float32)
    report = export_bundle(
        model.net,
        architecture="STN",
        sample_rate=model.sample_rate,
        controls=model.controls,
        out=tmp_path / "bundle",
        audio=audio,
        metrics={},
        provenance={},
        targets=load_targets(["onnx", "torchscript", "kernel"]),
    )
    assert {row["target"] for row in report.manifest.parity} == {"net", "onnx", "torchscript", "kernel"}


def test_a_table_of_nets_of_one_layer_is_written_as_a_graph_too(tmp_path):
    """There are no hidden layers then: a reshape of nothing is what ONNX' exporter breaks off at."""
    net, path = STNGridNet(2, [2, 0], "1x2").eval(), tmp_path / "model.onnx"
    OnnxTarget().write(
        graph_of(net, {"architecture": "Small", "sample_rate": "48000"}, knobs_of(net), 256), path
    )
    assert {node.name for node in onnx.load(path).graph.input} >= {"input", "controls"}
