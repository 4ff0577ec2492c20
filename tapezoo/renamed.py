"""Modules that plugins may have imported under another name."""

from __future__ import annotations

MODULES = {
    "tapezoo.automation": "tapezoo.render.automation",
    "tapezoo.batch": "tapezoo.data.batch",
    "tapezoo.effect": "tapezoo.training.effect",
    "tapezoo.measure.loudness": "tapezoo.loudness",
    "tapezoo.limiter": "tapezoo.render.limiter",
    "tapezoo.responses": "tapezoo.layers.responses",
    "tapezoo.schedules": "tapezoo.training.schedules",
    "tapezoo.soundfiles": "tapezoo.render.soundfiles",
}


def describe_rename(error: BaseException) -> str:
    """The new name of the module that an import did not find; empty if the import failed for another reason."""
    if isinstance(error, ModuleNotFoundError) and error.name in MODULES:
        return f"{error.name} is now called {MODULES[error.name]}. "
    return ""
