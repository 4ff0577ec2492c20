"""Data modules: recordings and virtual devices in, batches out."""

from tapezoo.data.hysteresis_cells import HysteresisCells
from tapezoo.data.paired_audio import PairedAudio
from tapezoo.data.virtual_devices import VirtualDevices

__all__ = ["HysteresisCells", "PairedAudio", "VirtualDevices"]
