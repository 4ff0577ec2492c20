"""The weights of a net for the compiled kernels of `tapezoo.runtime.kernels`."""

from __future__ import annotations

from pathlib import Path

from tapezoo.architecture import ControlledRecurrent, DelayedRecurrent, SkipStack
from tapezoo.bundle.targets import TARGETS
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.kernel_forms import fit_kernel
from tapezoo.export.targets.kernel_tape import with_tape
from tapezoo.export.targets.target import Graph, Target
from tapezoo.export.targets.transition_forms import WIDEST_STEPS
from tapezoo.net import Net, UndescribableError
from tapezoo.runtime.kernels.file import KernelFile, write_kernel
from tapezoo.taped import Taped

EVERY_NET = "Export the targets onnx and torchscript, which express every net."
PLAIN = "Export the targets onnx and torchscript, which express every net; or train with --model.conditioning concat."

BETWEEN = "Export the targets onnx, torchscript and cpp; cpp plays it several times as fast as onnx."


class KernelTarget(Target):
    """Weights alone, in safetensors, for nets that `tapezoo.runtime.kernels` has a compiled loop for.

    A net that describes itself as LSTM or GRU layers with an output layer, as a WaveNet (of tanh or gates, one kernel
    size and a head of one tap) or as a state transition net,
    whose controls, if any, stand beside the signal; of the others those that are folded to such a net. Each of them
    may have a tape behind it (`tapezoo.taped`).
    """

    spec = TARGETS["kernel"]

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """See `Target.refusal`; a tape behind a net has a loop of its own."""
        if isinstance(net, Taped):
            return self.refusal(net.net)
        try:
            architecture = net.described()
        except UndescribableError as error:
            return f"a {type(net).__name__}: {error.found}", error.fix
        if any(isinstance(layer, ControlledRecurrent) for layer in architecture.layers):
            return f"a {type(net).__name__}, whose weights follow the controls", PLAIN
        if any(isinstance(layer, DelayedRecurrent) for layer in architecture.layers):
            return f"a {type(net).__name__}, whose state is read between the samples", BETWEEN
        form = fit_kernel(architecture)
        if form is None:
            kernels = f"there are kernels for LSTM, GRU, WaveNet and STN of up to {WIDEST_STEPS} units"
            if any(isinstance(layer, SkipStack) for layer in architecture.layers):
                kernels = (
                    "there is a kernel for WaveNet with tanh or gates, one kernel size and a head of one tap"
                )
            return f"a {type(net).__name__}; {kernels}", EVERY_NET
        modulation = next(architecture.modulations(), None)
        if modulation is not None:
            return f"{modulation.by} among its layers", PLAIN
        if sorted(architecture.state) != sorted(form.state):
            names = " and ".join(", ".join(sorted(state)) for state in (architecture.state, form.state))
            return f"a state of other names than the kernel's ({names})", EVERY_NET
        return None

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        whole = graph.net.net
        net = whole.net if isinstance(whole, Taped) else whole
        form = fit_kernel(net.described())
        if form is None:
            raise ExportError.about_target(self.name, f"a {type(net).__name__}", EVERY_NET)
        weights = {name: weight.detach() for name, weight in net.state_dict().items()}
        arrays = {name: array.numpy() for name, array in form.arrays(weights).items()}
        file = KernelFile(form.kernel, net.num_controls, net.smoothing_samples, form.settings(), arrays)
        write_kernel(with_tape(file, whole) if isinstance(whole, Taped) else file, path, graph.metadata)
