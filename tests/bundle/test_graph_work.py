"""Graphs that say themselves that they take all memory or never end are refused before any runtime opens them."""

from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
from bundle.small_bundle import forge, gain_graph
from onnx import TensorProto, helper, numpy_helper

from tapezoo.bundle import BundleError
from tapezoo.bundle.onnx_file import FIELD_LIMIT, OnnxFacts, read_onnx
from tapezoo.bundle.onnx_work import check_work
from tapezoo.runtime import Stream, verify

NO_LIMIT = (1 << 63) - 1
HUGE = 1 << 30


def constant(name, values):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(values), name))


def made(nodes):
    """The small graph with nodes that nobody hears: onnxruntime runs them all the same, or folds them as it opens."""
    model = gain_graph()
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def loop(trips, nodes=(), condition="go", body_condition="go_on", name="loop"):
    """A loop around `nodes`; `trips` a number, or None for no limit."""
    port = helper.make_tensor_value_info
    body = helper.make_graph(
        [*nodes, helper.make_node("Identity", [body_condition], [f"{name}_next"])],
        name,
        [port(f"{name}_round", TensorProto.INT64, []), port("go_on", TensorProto.BOOL, [])],
        [port(f"{name}_next", TensorProto.BOOL, [])],
    )
    limit = [] if trips is None else [constant(f"{name}_trips", trips)]
    inputs = ["" if trips is None else f"{name}_trips", condition]
    return [constant("go", True), *limit, helper.make_node("Loop", inputs, [], body=body)]


def computed_end():
    """A condition that says when to end, as torch writes `while`."""
    return [constant("ten", 10), helper.make_node("Less", ["loop_round", "ten"], ["go_on_computed"])]


EXPAND = [constant("size", [2, HUGE]), helper.make_node("Expand", ["gain", "size"], ["large"])]
TILE = [constant("times", [HUGE]), helper.make_node("Tile", ["gain", "times"], ["large"])]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (EXPAND, f"Expand that makes {2 * HUGE} values"),
        (TILE, "Tile"),
        ([constant("size", [HUGE]), helper.make_node("ConstantOfShape", ["size"], ["large"])], "Constant"),
        (
            [
                *(constant(name, value) for name, value in (("from", 0), ("to", HUGE), ("by", 1))),
                helper.make_node("Range", ["from", "to", "by"], ["large"]),
            ],
            "Range",
        ),
        (
            [
                constant("sizes", [1, 1, HUGE]),
                helper.make_node("Resize", ["input", "", "", "sizes"], ["large"]),
            ],
            "Resize",
        ),
        (
            [
                constant("scales", np.float32([1, 1, 1e12])),
                helper.make_node("Resize", ["input", "", "scales"], ["large"]),
            ],
            "Resize",
        ),
        (
            [constant("pads", [0, 0, 0, 0, 0, HUGE]), helper.make_node("Pad", ["input", "pads"], ["large"])],
            "Pad",
        ),
        ([helper.make_node("RandomNormal", [], ["large"], shape=[1 << 20, 1 << 20])], "RandomNormal"),
        ([helper.make_node("Conv", ["input", "gain"], ["large"], pads=[HUGE, HUGE])], "Conv"),
        (
            [
                constant("depth", HUGE),
                constant("values", np.float32([0, 1])),
                helper.make_node("OneHot", ["end", "depth", "values"], ["large"]),
            ],
            "OneHot",
        ),
        (  # in steps
            [
                constant("side", [1 << 15]),
                helper.make_node("Mul", ["side", "side"], ["area"]),
                helper.make_node("Unsqueeze", ["area", "start"], ["column"]),
                helper.make_node("Concat", ["area", "side"], ["size"], axis=0),
                helper.make_node("ConstantOfShape", ["size"], ["large"]),
            ],
            "ConstantOfShape",
        ),
        (  # growing from one to the next
            [
                constant("times", [1 << 14]),
                helper.make_node("Tile", ["gain", "times"], ["some"]),
                helper.make_node("Tile", ["some", "times"], ["large"]),
            ],
            "Tile",
        ),
        (  # each of them small
            [
                constant("size", [1 << 22]),
                *(helper.make_node("Expand", ["gain", "size"], [f"part{number}"]) for number in range(20)),
            ],
            "Expand",
        ),
        (  # round after round
            loop(
                1 << 16, [constant("size", [1 << 12]), helper.make_node("Expand", ["gain", "size"], ["some"])]
            ),
            "Expand that makes 4096 values 65536 times",
        ),
        (
            [
                constant("yes", True),
                helper.make_node(
                    "If",
                    ["yes"],
                    [],
                    then_branch=helper.make_graph(EXPAND, "then", [], []),
                    else_branch=helper.make_graph([], "else", [], []),
                ),
            ],
            "Expand",
        ),
        (loop(1 << 62), f"a loop of {1 << 62} rounds"),
        (loop(1 << 62, computed_end(), body_condition="go_on_computed"), "a loop of"),
        (loop(1 << 11, loop(1 << 11, name="inner")), f"a loop of {1 << 22} rounds"),
        (loop(NO_LIMIT), "a loop that does not end"),
        (loop(None), "a loop that does not end"),
        (loop(None, [constant("always", True)], body_condition="always"), "a loop that does not end"),
        (loop(NO_LIMIT, body_condition="go"), "a loop that does not end"),
    ],
)
def test_work_without_measure_is_refused(nodes, words):
    with pytest.raises(ValueError, match=words):
        check_work(read_onnx(made(nodes)).graph)


@pytest.mark.parametrize(
    "nodes",
    [
        loop(NO_LIMIT, computed_end(), body_condition="go_on_computed"),  # as torch writes `while`
        loop(1000),
        [constant("size", [2, 1 << 10]), helper.make_node("Expand", ["gain", "size"], ["some"])],
        [constant("size", np.zeros(0, np.int64)), helper.make_node("Expand", ["gain", "size"], ["one"])],
    ],
)
def test_what_nets_do_is_not(nodes):
    check_work(read_onnx(made(nodes)).graph)


def test_the_numbers_are_those_that_onnxruntime_reads():
    """Which of several values counts is decided as protobuf and onnx do."""
    named = helper.make_tensor("size", TensorProto.INT64, [1], [HUGE])  # not as raw bytes
    assert not named.HasField("raw_data")
    sized = helper.make_node("ConstantOfShape", ["size"], ["large"])
    with pytest.raises(ValueError, match="ConstantOfShape"):
        check_work(read_onnx(made([helper.make_node("Constant", [], ["size"], value=named), sized])).graph)
    node = helper.make_node("RandomNormal", [], ["large"], shape=[HUGE])
    node.attribute[0].i = 0  # beside the list that the type names
    node.attribute[0].floats.append(0.0)
    with pytest.raises(ValueError, match="RandomNormal"):
        check_work(read_onnx(made([node])).graph)
    with pytest.raises(ValueError, match="ConstantOfShape"):
        check_work(
            read_onnx(made([helper.make_node("Constant", [], ["size"], value_ints=[HUGE]), sized])).graph
        )


def test_only_the_values_of_a_tensors_own_type_count():
    """As onnxruntime reads it; a nought in another list would make a size of any."""
    size = helper.make_tensor("size", TensorProto.INT64, [1], [HUGE])
    size.float_data.append(0.0)
    size.int32_data.append(0)
    sized = helper.make_node("ConstantOfShape", ["size"], ["large"])
    with pytest.raises(ValueError, match="ConstantOfShape"):
        check_work(read_onnx(made([helper.make_node("Constant", [], ["size"], value=size), sized])).graph)
    node = helper.make_node("RandomNormal", [], ["large"], shape=[HUGE])
    node.attribute.append(helper.make_attribute("shape", [1]))
    with pytest.raises(ValueError, match="two attributes 'shape'"):
        read_onnx(made([node]))


def test_a_file_of_endlessly_many_parts_is_not_read_to_its_end(monkeypatch):
    data = made([helper.make_node("Identity", ["gain"], [f"x{number}"]) for number in range(200)])
    facts = read_onnx(data)
    few = FIELD_LIMIT - facts.fields_left - 1
    monkeypatch.setattr(OnnxFacts, "__init__", partialmethod(OnnxFacts.__init__, fields_left=few))
    with pytest.raises(ValueError, match="parts"):
        read_onnx(data)


def test_neither_verify_nor_stream_opens_such_a_graph(bundle: Path):
    forge(bundle, "model.onnx", made(EXPAND))
    for play in (verify, Stream):
        with pytest.raises(BundleError, match=r"Expand.*no more computation") as caught:
            play(bundle)
        assert caught.value.file == "model.onnx"
