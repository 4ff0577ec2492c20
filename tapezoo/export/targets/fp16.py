"""ONNX with its weights stored in half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tapezoo.bundle.targets import TARGETS
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import Graph, Target
from tapezoo.net import Net

LEAST_VALUES = 64  # two bytes saved each; the cast behind a tensor takes about a hundred
LARGEST = 65504.0  # of a half
STORED = "_fp16"


class OnnxFp16Target(Target):
    """The `onnx` target with float weights as halves and a cast to float behind each.

    The arithmetic stays float: onnxruntime casts while it loads, then runs the graph of the `onnx` target at its
    speed. What is lost is the rounding of the weights to 11 bits. Tensors under `LEAST_VALUES`, and those with
    a value no half can hold, stay as they are.
    """

    spec = TARGETS["onnx_fp16"]

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """See `Target.refusal`."""
        largest = max((parameter.numel() for parameter in net.parameters()), default=0)
        if largest >= LEAST_VALUES:
            return None
        return (
            f"no weight tensor of {LEAST_VALUES} values or more (the largest has {largest}): half precision would save "
            "less than its casts add",
            "Export without it: the fp32 file is as small.",
        )

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        OnnxTarget().write(graph, path)
        model = onnx.load(path)
        halve_weights(model)
        if not any(weight.data_type == TensorProto.FLOAT16 for weight in model.graph.initializer):
            raise ExportError.about_target(
                self.name,
                "a graph that computes all its weights: no stored weights that half precision would make smaller",
                "Export without it.",
            )
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())


def halve_weights(model: onnx.ModelProto) -> None:
    """Stores the large float initializers of `model` as halves, each with a cast that gives it back its name."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < LEAST_VALUES or not np.abs(values).max() <= LARGEST:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + STORED))
        # under the old name: bodies of loops see the names around them, so no consumer has to change
        casts.append(helper.make_node("Cast", [name + STORED], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
