"""The targets a bundle can hold, one row each, with everything that format, players and makers need.

A new target is a row here, its maker in `tapezoo/export/targets/` and, unless that needs torch, what inspects and plays
the file in `tapezoo/runtime/`. All of them are named as "module:attribute" and imported on first use, since this
package imports neither torch nor onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.play import Step
from tapezoo.errors import TapezooError
from tapezoo.nearest import nearest_names

Inspect = Callable[[Path, str, Manifest], None]
"""(root, file, manifest): refuses a stranger's file with a BundleError, without running anything of it."""


class TargetNameError(TapezooError):
    """Names of targets that no bundle can be made of."""


@dataclass(frozen=True)
class TargetSpec:
    """One target.

    Args:
        name: Its key in `Manifest.targets`.
        file: What export calls it in a bundle.
        describes: What it holds, in a few words.
        maker: A `tapezoo.export.targets.target.Target`, which writes the file.
        opener: An `OpenTarget`, through which export's gates and `verify` replay the golden files: more than a million
            samples, so nothing slow (docs/bundle.md has the limits). It gets the names of the state's tensors, and has
            to know from the file which is which.
        engine: `(root, manifest, name) -> tapezoo.runtime.engine.Engine`, with which `Stream` plays; "": none.
        needs: Modules beside numpy and onnxruntime that opener and engine import.
        lossy: Its weights or arithmetic are coarser than the net's: judged by its ESR, not by the parity gate.
        inspect: An `Inspect`, which looks at the file before any runtime opens it; "": the opener itself trusts nothing
            in it.
        compiles: Whether opening it compiles and runs source from the bundle: the file may say anything, so nobody but
            export does it without being asked.
        suffixes: Of other files in a bundle that are inspected in the same way, whoever they belong to; none where a
            bundle has files of that kind that are no targets, such as .npz.
    """

    name: str
    file: str
    describes: str
    maker: str
    opener: str
    engine: str = ""
    needs: tuple[str, ...] = ()
    lossy: bool = False
    inspect: str = ""
    compiles: bool = False
    suffixes: tuple[str, ...] = ()

    def open(self, path: Path, state_names: Sequence[str]) -> Step:
        """The opener, imported now; see `OpenTarget`."""
        step: Step = resolve_name(self.opener)(path, state_names)
        return step

    @property
    def missing_modules(self) -> tuple[str, ...]:
        """Modules that it needs and that are not installed."""
        return tuple(module for module in self.needs if not is_installed(module))


def is_installed(module: str) -> bool:
    """Whether a module could be imported; does not import it."""
    try:
        return find_spec(module) is not None
    except ImportError:  # an import hook refuses it
        return False


INSPECT_ONNX = "tapezoo.bundle.onnx_inspection:inspect_onnx"
OPEN_ONNX = "tapezoo.runtime.onnx_step:open_onnx"
ONNX_ENGINE = "tapezoo.runtime.onnx_engine:OnnxEngine"
ROWS = (
    TargetSpec(
        "onnx",
        "model.onnx",
        "graph in float32",
        maker="tapezoo.export.targets.onnx:OnnxTarget",
        opener=OPEN_ONNX,
        engine=ONNX_ENGINE,
        inspect=INSPECT_ONNX,
        suffixes=(".onnx",),
    ),
    TargetSpec(
        "torchscript",
        "model.ts",
        "traced module",
        maker="tapezoo.export.targets.torchscript:TorchScriptTarget",
        opener="tapezoo.export.targets.torchscript:open_torchscript",
        needs=("torch", "onnx"),
        inspect="tapezoo.bundle.torchscript_inspection:inspect_torchscript",
        suffixes=(".ts", ".pt"),
    ),
    TargetSpec(
        "onnx_int8",
        "model.int8.onnx",
        "graph with LSTM weights in int8",
        maker="tapezoo.export.targets.int8:OnnxInt8Target",
        opener=OPEN_ONNX,
        engine=ONNX_ENGINE,
        lossy=True,
        inspect=INSPECT_ONNX,
    ),
    TargetSpec(
        "onnx_fp16",
        "model.fp16.onnx",
        "graph with weights stored in float16",
        maker="tapezoo.export.targets.fp16:OnnxFp16Target",
        opener=OPEN_ONNX,
        engine=ONNX_ENGINE,
        lossy=True,
        inspect=INSPECT_ONNX,
    ),
    TargetSpec(
        "kernel",
        "kernel.safetensors",
        "weights for the compiled loops of tapezoo.runtime",
        maker="tapezoo.export.targets.kernel:KernelTarget",
        opener="tapezoo.runtime.kernels.step:open_kernel",
        engine="tapezoo.runtime.kernels.choice:open_kernel_engine",
        needs=("safetensors", "numba"),
    ),
    TargetSpec(
        "cpp",
        "cpp/model.hpp",
        "one C++17 header that needs no library",
        maker="tapezoo.export.targets.cpp:CppTarget",
        opener="tapezoo.runtime.cpp.library:open_cpp",
        compiles=True,
    ),
)
TARGETS = {row.name: row for row in ROWS}


def related_target(name: str) -> TargetSpec | None:
    """The target called so, or the one that it is a variant of by its name: onnx_int4 is some ONNX graph."""
    return TARGETS.get(name) or TARGETS.get(name.partition("_")[0])


def check_names(names: Sequence[str]) -> None:
    """Refuses names of targets that there are not, before whatever makes targets is imported.

    Raises:
        TargetNameError: With the nearest name and all of them; so for a name that is left out.
    """
    for name in names:
        if not name:
            raise TargetNameError(
                f"the export targets {','.join(names)!r}",
                found="a comma without a name before or after it",
                expected=f"some of {', '.join(TARGETS)}",
                fix="Remove the comma, or add the missing name.",
            )
        if name not in TARGETS:
            nearest = nearest_names(name, TARGETS, cutoff=0.4)
            hint = f"Did you mean {nearest[0]}? " if nearest else ""
            raise TargetNameError(
                f"export target {name!r}",
                found="no target with this name",
                expected=f"some of {', '.join(TARGETS)}",
                fix=f"{hint}Separate them by commas.",
            )


def check_playable(names: Sequence[str]) -> None:
    """A bundle without a grid needs the ONNX target: `tapezoo.runtime` plays it, and every reader verifies it.

    Raises:
        TargetNameError: It is not among them.
    """
    if "onnx" not in names:
        raise TargetNameError(
            "the export targets",
            found=f"{', '.join(names) or 'none'}, without onnx",
            expected="onnx among them: it is what plays a bundle without a grid",
            fix=f"Pass --targets {','.join(['onnx', *names])}.",
        )
