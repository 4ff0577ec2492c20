"""The kernels of state transition nets whose weights follow the controls."""

import numpy as np
import pytest
import torch
from torch import nn

from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.stn_grid import STNGridNet
from tapezoo.models.stn_polynomial import STNPolynomialNet
from tapezoo.runtime import EngineError
from tapezoo.runtime.kernels import KernelFile, open_kernel, read_kernel, write_kernel
from tapezoo.runtime.kernels.voices import channel_maker

NETS = {
    "table": lambda: STNGridNet(3, [4, 0, 3], "2x3", sample_rate=48000),
    "polynomial": lambda: STNPolynomialNet(2, 3, "1x5", "increment", "plain", sample_rate=48000),
    "one net": lambda: STNGridNet(0, [], "2x4", sample_rate=48000),
}


def written(make, path):
    torch.manual_seed(0)
    net = make()
    for parameter in net.by_controls.parameters():
        nn.init.normal_(parameter, std=0.4 if "nets" in dict(net.by_controls.named_parameters()) else 0.15)
    for number in range(len(net.by_controls.errors)):  # so near that M is held there again and again
        controls = torch.rand(8, net.num_controls)
        net.by_controls.fit_scale(number, controls, 0.3 + torch.rand(8) + controls.sum(dim=1))
        net.by_controls.hold_within(number, controls, 0.02 + 0.02 * controls.sum(dim=1))
    net.eval()
    target = KernelTarget()
    assert target.refusal(net) is None
    target.write(graph_of(net, {}), path)
    return net


@pytest.mark.parametrize("name", NETS)
def test_a_kernel_is_the_net_in_any_blocks_while_all_its_controls_move(name, tmp_path):
    path = tmp_path / "kernel.safetensors"
    net = written(NETS[name], path).at_rate(60000)
    KernelTarget().write(graph_of(net, {}), path)
    knobs = torch.rand(2, net.num_controls)
    state = net.initial_state(knobs)
    arrays = {key: value.numpy() for key, value in state.items()}
    step = open_kernel(path, list(arrays))
    random = torch.Generator().manual_seed(3)
    largest, held = 0.0, False
    # 40 samples after a knob was told it is told again, then it arrives within a block, then it stands still
    for samples, moved in (
        (1, False),
        (40, True),
        (97, True),
        (700, False),
        (330, False),
        (64, False),
        (5, True),
    ):
        if moved:
            knobs = torch.rand(2, net.num_controls, generator=random)
        input = 0.5 * torch.randn(2, 1, samples, generator=random)
        with torch.no_grad():
            expected, state = net(input, knobs, state)
        output, arrays = step(input.numpy(), knobs.numpy(), arrays)
        largest = max(largest, float(expected.abs().max()))
        held |= len(torch.unique(expected.abs())) < expected.numel() - 1
        np.testing.assert_allclose(output, expected.numpy(), atol=1e-5 * max(largest, 1.0))
        assert arrays.keys() == state.keys()
        for key, value in state.items():
            np.testing.assert_allclose(arrays[key], value.numpy(), atol=2e-5 * max(largest, 1.0))
    assert largest > 0.01
    assert held


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("table", {"axes": "4,0"}, "axes 4,0 of 3 controls"),
        ("table", {"axes": "4,1,3"}, "axes 4,1,3"),
        ("table", {"axes": "5,0,3"}, "table of shape"),
        ("table", {"width": "4"}, "weights for a net of"),
        ("table", {"inputs": "anhysteretic"}, "a nonlinear input of the field"),
        ("table", {"step_samples": "0"}, "steps of 0 samples"),
        ("polynomial", {"increment": "0.1", "inputs": "mirrored"}, "mirrored"),
        ("polynomial", {"layers": "2"}, "weights for a net of"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused_with_what_is_wrong(name, settings, words, tmp_path):
    path = tmp_path / "kernel.safetensors"
    written(NETS[name], path)
    file = read_kernel(path)
    metadata = {**file.settings, **settings}
    write_kernel(KernelFile(file.kernel, file.num_controls, 1024, metadata, file.arrays), path, {})
    with pytest.raises(EngineError, match=words):
        channel_maker(path)


def test_a_power_that_is_none_is_refused(tmp_path):
    path = tmp_path / "kernel.safetensors"
    written(NETS["polynomial"], path)
    file = read_kernel(path)
    file.arrays["exponents"] = file.arrays["exponents"] - 0.5
    write_kernel(KernelFile(file.kernel, file.num_controls, 1024, file.settings, file.arrays), path, {})
    with pytest.raises(EngineError, match="exponents"):
        channel_maker(path)


def test_nets_wider_than_the_kernels_vector_are_refused():
    found, _ = KernelTarget().refusal(STNGridNet(1, [2], "2x17"))
    assert "STN of up to 16 units" in found
