"""Points become one graph whose weights are inputs, and play as they did alone."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from tapezoo.export.errors import GridError
from tapezoo.export.grid.graph import join_graphs, split_graph
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.net import Net


class Folded(Net):
    """`tanh(a x + b) * a' + x[n] c`, then a constant shift that no point changes."""

    def __init__(self, a, b, a2):
        super().__init__(0, receptive_field=1)
        self.register_buffer("shift", torch.full((1, 1, 1), 0.125))
        self.a, self.b, self.a2 = (nn.Parameter(torch.full((1, 1, 1), value)) for value in (a, b, a2))
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)

    def forward(self, input, controls, state):
        bent = torch.tanh(self.a * input + self.b) * self.a2 + self.shift
        wide = self.linear(bent.transpose(1, 2).expand(-1, -1, 4))
        return wide.transpose(1, 2)[:, :1], {}


class Branch(Folded):
    """Another operation at another point."""

    def forward(self, input, controls, state):
        if float(self.a) > 1:
            input = input.abs()
        return super().forward(input, controls, state)


def exported(net, path):
    OnnxTarget().write(graph_of(net.eval().requires_grad_(False), {}), path)
    return onnx.load(path)


def play(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    return session.run(["output"], {name: value for name, value in feeds.items() if name in names})[0]


@pytest.mark.parametrize(
    "points",
    [
        [(1.0, 0.2, 2.0), (1.5, 0.2, 0.5)],
        # the exporter merges what is equal at a point: here a and a2, there b and a
        [(1.0, 0.2, 1.0), (0.3, 0.3, 2.0), (0.7, 0.7, 0.7)],
    ],
    ids=["plain", "merged by the exporter"],
)
def test_the_joint_graph_with_a_points_weights_is_that_point(points, tmp_path):
    models = [exported(Folded(*point), tmp_path / "point.onnx") for point in points]
    grid = join_graphs([split_graph(model) for model in models])
    rows = np.random.default_rng(0).standard_normal((2, 1, 50)).astype(np.float32)
    for number, model in enumerate(models):
        alone = play(model, {"input": rows, "controls": np.zeros((2, 0), np.float32)})
        weights = {f"weight_{name}": stacked[number] for name, stacked in grid.weights.items()}
        np.testing.assert_array_equal(play(grid.model, {"input": rows, **weights}), alone)


def test_only_what_differs_is_an_input_and_keeps_its_name(tmp_path):
    points = [(1.0, 0.2, 1.0), (2.0, 0.2, 3.0)]
    grid = join_graphs([split_graph(exported(Folded(*point), tmp_path / "x.onnx")) for point in points])
    assert {name: stacked.ravel().tolist() for name, stacked in grid.weights.items()} == {
        "a": [1.0, 2.0],
        "a2": [1.0, 3.0],
    }
    inputs = [value.name for value in grid.model.graph.input]
    assert inputs == ["input", *(f"weight_{name}" for name in grid.weights)]
    constants = [onnx.numpy_helper.to_array(tensor) for tensor in grid.model.graph.initializer]
    assert any(value.shape == (4, 4) for value in constants)  # the layer that is the same everywhere


def test_weights_that_are_the_same_at_every_point_are_one_input(tmp_path):
    points = [(1.0, 0.2, 1.0), (2.0, 0.2, 2.0)]
    grid = join_graphs([split_graph(exported(Folded(*point), tmp_path / "x.onnx")) for point in points])
    assert list(grid.weights) == ["a"]


def test_points_with_different_operations_are_refused_with_the_reason(tmp_path):
    models = [exported(Branch(a, 0.1, 0.2), tmp_path / "x.onnx") for a in (0.5, 1.5)]
    with pytest.raises(GridError, match=r"point 1.*operations"):
        join_graphs([split_graph(model) for model in models])


def test_points_with_different_whole_numbers_are_refused(tmp_path):
    models = [exported(Folded(1.0, 0.1, 0.2), tmp_path / "x.onnx") for _ in range(2)]
    node = next(
        node
        for node in models[1].graph.node
        if node.op_type == "Constant" and node.attribute[0].t.data_type == 7
    )
    value = onnx.numpy_helper.to_array(node.attribute[0].t)
    node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(value + 1))
    with pytest.raises(GridError, match="Constant"):
        join_graphs([split_graph(model) for model in models])


def test_points_with_weights_of_other_shapes_are_refused(tmp_path):
    models = [exported(Folded(1.0, 0.1, 0.2), tmp_path / "x.onnx") for _ in range(2)]
    tensor = next(tensor for tensor in models[1].graph.initializer if tensor.name == "net.a")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((1, 1, 2), np.float32), "net.a"))
    with pytest.raises(GridError, match=r"a is float32 \(1, 1, 2\)"):
        join_graphs([split_graph(model) for model in models])


def test_a_graph_that_reads_its_controls_gets_none_of_any_row_count(tmp_path):
    model = exported(Folded(1.0, 0.1, 0.2), tmp_path / "x.onnx")
    rows = np.ones((5, 1, 9), np.float32)
    alone = play(model, {"input": rows, "controls": np.zeros((5, 0), np.float32)})
    next(node for node in model.graph.node if "output" in node.output).output[0] = "before"
    nodes = [
        onnx.helper.make_node("ReduceSum", ["controls", "one"], ["none"], keepdims=1),  # (batch, 1) of zeros
        onnx.helper.make_node("Unsqueeze", ["none", "one"], ["rows"]),
        onnx.helper.make_node("Add", ["before", "rows"], ["output"]),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "one"))
    grid = join_graphs([split_graph(model), split_graph(model)])
    assert [value.name for value in grid.model.graph.input] == ["input"]
    np.testing.assert_array_equal(play(grid.model, {"input": rows}), alone)
