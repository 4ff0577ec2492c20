"""The engines by name, and which of them a bundle can be played with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from tapezoo.bundle import Manifest, MissingFileError
from tapezoo.errors import TapezooError
from tapezoo.runtime.engine import Engine
from tapezoo.runtime.onnx_engine import OnnxEngine


class UnknownEngineError(TapezooError):
    """No engine has this name."""


class EngineNotInstalledError(TapezooError):
    """What an engine needs is not installed."""


def _kernel(root: Path, manifest: Manifest) -> Engine:
    from tapezoo.runtime.kernels import KernelEngine  # numba takes a second to import

    return KernelEngine(root, manifest)


def _grid(root: Path, manifest: Manifest) -> Engine:
    from tapezoo.runtime.grid.engine import GridEngine

    return GridEngine(root, manifest)


ENGINES: Mapping[str, Callable[[Path, Manifest], Engine]] = MappingProxyType(
    {
        "onnx": OnnxEngine,
        "grid": _grid,
        "kernel": _kernel,
        "onnx_fp16": partial(OnnxEngine, target="onnx_fp16"),
        "onnx_int8": partial(OnnxEngine, target="onnx_int8"),
    }
)
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"grid": ("safetensors",), "kernel": ("safetensors", "numba")}
)


def engines_of(manifest: Manifest) -> tuple[str, ...]:
    """The engines whose files a bundle has, whether or not what they need is installed."""
    played = {*manifest.targets, *(("grid",) if manifest.grid is not None else ())}
    return tuple(name for name in ENGINES if name in played)


def missing_modules(engine: str) -> tuple[str, ...]:
    """What an engine needs and is not installed."""
    return tuple(module for module in NEEDED.get(engine, ()) if not _installed(module))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # somebody's import hook refuses it
        return False


def open_engine(root: Path, manifest: Manifest, name: str) -> Engine:
    """Opens a bundle in the engine called so.

    Raises:
        UnknownEngineError: There is none.
        MissingFileError: The bundle has nothing for it.
        EngineNotInstalledError: It needs a package that is not installed.
        BundleError, KernelFileError: Its file is not as it should be.
    """
    if name not in ENGINES:
        raise UnknownEngineError(
            f"engine {name!r}",
            found="no engine of this name",
            expected=f"one of {', '.join(ENGINES)}",
            fix="Choose one that the bundle has files for.",
        )
    if name not in engines_of(manifest):
        playable = ", ".join(engines_of(manifest)) or "none"
        raise MissingFileError(
            root,
            "manifest.json",
            found="no grid" if name == "grid" else f"no target {name!r}",
            expected=f"one; this bundle can be played with: {playable}",
            fix="Choose another engine, or export the bundle again with it.",
        )
    if missing := missing_modules(name):
        raise EngineNotInstalledError(
            f"engine {name!r}",
            found=f"no {' and no '.join(missing)}",
            expected=f"{' and '.join(missing)} beside numpy",
            fix=f"Run pip install {' '.join(missing)}, or play with another engine.",
        )
    return ENGINES[name](root, manifest)
