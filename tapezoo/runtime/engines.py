"""Which engines a bundle can be played with, and opening one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType

from tapezoo.bundle import BundleError, Manifest
from tapezoo.bundle.errors import NotInstalledError
from tapezoo.bundle.targets import TARGETS, is_installed
from tapezoo.runtime.engine import Engine
from tapezoo.runtime.errors import EngineError

GRID = "grid"  # played as a whole, not a target
QUICKEST = "kernel"
BUILDS: Mapping[str, tuple[str, str]] = (
    MappingProxyType(  # of a target that has two, by a name of its own: who plays it
        {
            "kernel_cpp": ("kernel", "tapezoo.runtime.cpp.engine:CompiledEngine"),
            "kernel_numba": ("kernel", "tapezoo.runtime.kernels:KernelEngine"),
        }
    )
)


def engine_names() -> tuple[str, ...]:
    """All engines in the order of preference: the net itself, a grid of it, other exact targets, lossy ones, builds."""
    first, *others = sorted((spec for spec in TARGETS.values() if spec.engine), key=lambda spec: spec.lossy)
    return first.name, GRID, *(spec.name for spec in others), *BUILDS


def engines_of(manifest: Manifest) -> tuple[str, ...]:
    """The engines whose files a bundle has, whether or not what they need is installed; no builds of one engine."""
    played = {*manifest.targets, *((GRID,) if manifest.grid is not None else ())}
    return tuple(name for name in engine_names() if name in played)


def default_engine(manifest: Manifest) -> str:
    """The engine that `Stream` uses by default: the compiled loops if the bundle has them and they run here.

    Else the first of `engines_of` that runs here, or, where none does, the first one, whose error says what is missing.
    """
    found = engines_of(manifest)
    ready = [name for name in found if not missing_modules(name)]
    return QUICKEST if QUICKEST in ready else [*ready, *found, "onnx"][0]


def engine_for_one_file(manifest: Manifest) -> str:
    """The engine for a file that is played once: one that needs no compiling."""
    ready = [name for name in engines_of(manifest) if name != QUICKEST and not missing_modules(name)]
    return ready[0] if ready else default_engine(manifest)


def missing_modules(engine: str) -> tuple[str, ...]:
    """Modules that an engine needs and that are not installed."""
    if engine == GRID:
        return () if is_installed("safetensors") else ("safetensors",)
    target = BUILDS[engine][0] if engine in BUILDS else engine
    return TARGETS[target].missing_modules


def open_engine(root: Path, manifest: Manifest, name: str) -> Engine:
    """Opens a bundle in the engine called so.

    Raises:
        EngineError: There is none, or its file is not as it should be.
        BundleError: The bundle has nothing for it, or its file is not as it should be.
        NotInstalledError: It needs a package that is not installed.
    """
    if name not in engine_names():
        raise EngineError(
            f"engine {name!r}",
            found="no engine of this name",
            expected=f"one of {', '.join(engine_names())}",
            fix="Choose one that the bundle has files for.",
        )
    target, player = BUILDS.get(name, (name, ""))
    if target not in engines_of(manifest):
        playable = ", ".join(engines_of(manifest)) or "none"
        raise BundleError(
            root,
            "manifest.json",
            found="no grid" if name == GRID else f"no target {target!r}",
            expected=f"one; this bundle can be played with: {playable}",
            fix="Choose another engine, or export the bundle again with it.",
        )
    if missing := missing_modules(name):
        raise NotInstalledError(
            f"engine {name!r}",
            found=f"no {' and no '.join(missing)}",
            expected=f"{' and '.join(missing)} installed beside numpy",
            fix=f"Run pip install {' '.join(missing)}, or play with another engine.",
        )
    if name == GRID:
        from tapezoo.runtime.grid.engine import GridEngine  # needs safetensors

        return GridEngine(root, manifest)
    engine: Engine = resolve_name(player or TARGETS[target].engine)(root, manifest, target)
    return engine
