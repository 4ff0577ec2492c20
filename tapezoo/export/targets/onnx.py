"""ONNX, by torch's older exporter."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch.jit._trace import TracerWarning

from tapezoo.bundle.targets import TARGETS
from tapezoo.export.targets.target import Graph, Target

OPSET = 17


class OnnxTarget(Target):
    """One self-contained .onnx file, batch and samples dynamic; `architecture` and the rate in its metadata.

    `torch.onnx.export(dynamo=True)` fails or freezes the length of recurrent nets (torch 2.11 to 2.14), so
    this uses the exporter that traces.
    """

    spec = TARGETS["onnx"]

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        axes = {name: {0: "batch"} for name in [*graph.inputs, *graph.outputs]}
        axes["input"][2] = axes["output"][2] = "samples"
        with warnings.catch_warnings(), torch.no_grad():
            # the older exporter's own warnings: deprecated, Python conditions traced, LSTM with a free
            # batch; whether the graph is right at other lengths and row counts is for the parity gate
            warnings.filterwarnings(
                "ignore", category=DeprecationWarning, module=r"torch\.onnx|tapezoo\.export"
            )
            warnings.filterwarnings(
                "ignore", "You are using the legacy TorchScript-based ONNX", DeprecationWarning
            )
            warnings.filterwarnings("ignore", category=TracerWarning)
            warnings.filterwarnings(
                "ignore", "Exporting a model to ONNX with a batch_size other than 1", UserWarning
            )
            # it leaves a flipped tensor as it is instead of computing it beforehand, which is right
            warnings.filterwarnings(
                "ignore", "Constant folding - Only steps=1 can be constant folded", UserWarning
            )
            torch.onnx.export(
                graph.net,
                graph.example,
                str(path),
                dynamo=False,
                external_data=False,
                opset_version=OPSET,
                input_names=graph.inputs,
                output_names=graph.outputs,
                dynamic_axes=axes,
            )
        model = onnx.load(path)
        _declare_unused_inputs(model, graph)
        onnx.helper.set_model_props(model, graph.metadata)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())


def _declare_unused_inputs(model: onnx.ModelProto, graph: Graph) -> None:
    """Adds back inputs that the exporter drops as unused (controls of a net without any): the signature has them."""
    declared = {value.name: value for value in model.graph.input}
    for name, tensor in zip(graph.inputs, graph.example, strict=True):
        if name not in declared:
            kind = onnx.helper.np_dtype_to_tensor_dtype(tensor.numpy().dtype)
            declared[name] = onnx.helper.make_tensor_value_info(name, kind, ["batch", *tensor.shape[1:]])
    del model.graph.input[:]
    model.graph.input.extend(declared[name] for name in graph.inputs)
