"""A data module from the `data` section of a recipe, without a command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

from tapezoo.data.module import PairsDataModule


def open_data(section: Mapping[str, Any]) -> PairsDataModule:
    """The data, prepared and set up.

    Args:
        section: `class_path` and `init_args`; which packages they may name is up to `tapezoo.cli.allowed_imports`.

    Raises:
        TapezooError: Recordings that are missing or do not fit together.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    data: PairsDataModule = parser.instantiate_classes(parser.parse_object({"data": section})).data
    data.prepare_data()
    data.setup()
    return data
