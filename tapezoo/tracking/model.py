"""The folder a version consists of: an MLflow pyfunc model around the bundle, without any code in it."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tapezoo.bundle import Manifest

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

BUNDLE = "data/bundle"  # where in the folder the bundle lies; `data` is MLflow's choice
LOADER = "tapezoo.tracking.loader"
REQUIREMENTS = ("tapezoo", "numpy", "onnxruntime", "safetensors")  # what LOADER imports; pinned as installed
EXAMPLE_SAMPLES = 8


def write_model(bundle: Path, manifest: Manifest, folder: Path) -> None:
    """Makes `folder`, which must not exist: MLmodel, requirements, an example request, and the bundle.

    Args:
        bundle: A verified bundle.
        manifest: Its manifest.
        folder: What is uploaded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # mlflow's own type hints, at its import
        from mlflow.pyfunc import save_model

    chatty = logging.getLogger("mlflow.models.model"), logging.getLogger("mlflow.pyfunc")
    levels = [logger.level for logger in chatty]
    for logger in chatty:
        logger.setLevel(logging.ERROR)  # silences its explanation of input examples
    try:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / Path(BUNDLE).name  # MLflow keeps the name of what it is given
            shutil.copytree(bundle, copy)
            save_model(
                path=str(folder),
                loader_module=LOADER,
                data_path=str(copy),
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
                signature=signature(manifest),
                input_example=_example(manifest),
            )
    finally:
        for logger, level in zip(chatty, levels, strict=True):
            logger.setLevel(level)


def signature(manifest: Manifest) -> ModelSignature:
    """Audio (channels, samples) of any size, and one parameter `controls`: values by name, in user units.

    An object is the only kind of parameter whose unknown names MLflow refuses. It drops unknown parameters and columns
    with a warning, so a misspelt control would play at its default. Its values are of any type here,
    because MLflow takes no 9 for a 9.0, which is how most JSON writers put it; `tapezoo.serving.served` checks them.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType, Object, Property

    audio = Schema([TensorSpec(np.dtype(np.float32), (-1, -1))])
    if not manifest.controls:
        return ModelSignature(inputs=audio, outputs=audio)
    any_type = AnyType()  # type: ignore[no-untyped-call]
    names = Object([Property(control.name, any_type, required=False) for control in manifest.controls])
    params = ParamSchema([ParamSpec("controls", names, _defaults(manifest))])
    return ModelSignature(inputs=audio, outputs=audio, params=params)


def _defaults(manifest: Manifest) -> dict[str, float]:
    return {control.name: float(control.default) for control in manifest.controls}


def _example(manifest: Manifest) -> Any:
    audio = np.zeros((1, EXAMPLE_SAMPLES), np.float32)
    return (audio, {"controls": _defaults(manifest)}) if manifest.controls else audio
