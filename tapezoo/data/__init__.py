"""Data modules: recordings and virtual devices in, batches out. Each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapezoo.data.hysteresis_cells import HysteresisCells
    from tapezoo.data.paired_audio import PairedAudio
    from tapezoo.data.virtual_devices import VirtualDevices

__all__ = ["HysteresisCells", "PairedAudio", "VirtualDevices"]

_MODULES = {
    "HysteresisCells": "hysteresis_cells",
    "PairedAudio": "paired_audio",
    "VirtualDevices": "virtual_devices",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
