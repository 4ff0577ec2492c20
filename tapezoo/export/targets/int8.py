"""ONNX with the recurrent weights in eight bits."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from tapezoo.bundle.targets import TARGETS
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import Graph, Target
from tapezoo.net import Net

# What was measured when the operators were chosen, ESR against fp32 and speed over fp32 at blocks of 64 / 2048:
# - LSTM: 0.8 / 0.7 with 16 and 32 units, 1.2 / 1.3 with 64, 1.6 / 1.8 with 96; ESR 1e-8 to 1e-4.
# - MatMul (the output layer beside an LSTM): no faster, and up to a hundred times the error energy.
# - Conv: WaveNet, TCN and GCN 0.5 / 0.2; ESR 1e-4 to 1e-3; of fp32's size 1.4, 0.5 and 0.9, fp16's are 0.8, 0.6
#   and 0.7.
OPERATORS = ["LSTM"]
INTEGER_OPERATORS = {"DynamicQuantizeLSTM"}
HALVES = "Use onnx_fp16: half the size of the weights at the speed of fp32."


class OnnxInt8Target(Target):
    """The `onnx` target with its LSTM weights in int8, one scale per row of a matrix, activations scaled per block.

    `onnxruntime.quantization.quantize_dynamic`; state and signature are those of the `onnx` target, and so are
    all other operators. It pays above some 48 units. One scale per row, not per matrix: slower by a seventh, but
    on a trained LSTM the error energy was 1/50. Weights use seven of the eight bits: processors with AVX2 but no
    VNNI instructions add products of eight-bit weights in 16 bits, where they clip, so that the file would sound
    different there.
    """

    spec = TARGETS["onnx_int8"]

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """See `Target.refusal`."""
        parts = list(net.modules())
        if any(isinstance(part, nn.LSTM) for part in parts):
            return None
        if any(isinstance(part, nn.GRU) for part in parts):
            return "GRU weights, which onnxruntime has no int8 operator for", f"{HALVES} Or train an LSTM."
        if any(isinstance(part, nn.Conv1d) for part in parts):
            return "convolutions, which run 2 to 5 times slower in int8 than in fp32", HALVES
        found = "no LSTM layer with weights of its own, the only ones that int8 makes faster"
        return (
            f"{found} (what a hyper-network computes is not stored)",
            "Export without it, or use onnx_fp16.",
        )

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        OnnxTarget().write(graph, path)
        model = onnx.load(path)
        # the mark of onnxruntime's own shape inference, without which it asks for that in the root logger; it
        # infers shapes anyway
        onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        model = onnx.load(path)
        if not any(node.op_type in INTEGER_OPERATORS for node in model.graph.node):
            raise ExportError.about_target(
                self.name,
                "no LSTM operator with stored weights in its graph (computed weights, or a loop over samples)",
                HALVES,
            )
        onnx.helper.set_model_props(model, graph.metadata)
        del model.graph.value_info[:]  # left by shape inference: a third of a small file, and unused
        path.write_bytes(model.SerializeToString())
