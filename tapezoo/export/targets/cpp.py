"""The net as one C++17 header, with a test of its own, for plug-ins and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tapezoo.bundle import Manifest, Step
from tapezoo.bundle.targets import TARGETS
from tapezoo.cpp import LOOPS, Facts, program_of, unwritable, write_beside, write_header
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.tape_parts import tape_of
from tapezoo.export.targets.target import Graph, Target
from tapezoo.net import Net, UndescribableError
from tapezoo.runtime.cpp import PLAIN, CompilerError, find_compiler, open_cpp
from tapezoo.taped import Taped

EVERY_NET = "Export the targets onnx and torchscript, which can represent every net."


class CppTarget(Target):
    """Source text from the net's description, see `tapezoo.cpp`; held to the net as -O2 and -O3 compile it.

    Of a tape behind a net the loops are a file beside it, which programs hand in: as text ten minutes of noise would
    have 300 MB.
    """

    spec = TARGETS["cpp"]

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """See `Target.refusal`; so where no compiler is installed, since nobody could say that the source is right."""
        if isinstance(net, Taped):
            return self.refusal(net.net)
        try:
            found = unwritable(net.described())
        except UndescribableError as error:
            return f"a {type(net).__name__}: {error.found}", error.fix
        if found is not None:
            return f"a {type(net).__name__} with {found}", EVERY_NET
        try:
            find_compiler()
        except CompilerError as error:
            return f"no C++ compiler to test it with ({error.found})", error.fix
        return None

    def write(self, graph: Graph, path: Path) -> None:
        """See `Target.write`."""
        whole = graph.net.net
        net, tape = (whole.net, tape_of(whole)) if isinstance(whole, Taped) else (whole, None)
        architecture = net.described()
        if (found := unwritable(architecture)) is not None:
            raise ExportError.about_target(self.name, f"a {type(net).__name__} with {found}", EVERY_NET)
        weights = {name: weight.detach().double().numpy() for name, weight in net.state_dict().items()}
        stored = whole.rest_state(1)
        rest = {name: stored[name][0].numpy() for name in graph.net.state_names}
        facts = Facts(
            graph.metadata.get("architecture", type(net).__name__),
            int(graph.metadata.get("sample_rate", 0)),
            whole.latency_samples,
            graph.settle_samples,
            whole.smoothing_samples,
            graph.controls,
        )
        shapes = {name: value.shape for name, value in rest.items()}
        path.write_text(
            write_header(program_of(architecture, weights, shapes, tape), facts, rest), encoding="utf-8"
        )
        if tape is not None:
            (path.parent / LOOPS).write_bytes(tape.loops)

    def other_builds(self, path: Path, state_names: Sequence[str]) -> Mapping[str, Step]:
        """See `Target.other_builds`."""
        return {"compiled with -O2 for any processor": open_cpp(path, state_names, PLAIN)}

    def accompany(self, folder: Path, manifest: Manifest) -> None:
        """See `Target.accompany`: a test in C++ with golden samples, CMakeLists.txt and a README."""
        write_beside(folder, Path(self.file).parent.as_posix(), manifest)
