"""The JSON Schemas of a bundle's documents, for programs that are not this one."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

SCHEMAS = ("manifest-1", "manifest-2", "grid-1", "grid-2", "grid-3")


def schema(name: str) -> dict[str, Any]:
    """One of `SCHEMAS`: JSON Schema 2020-12. No reader here needs it, `read_manifest` checks more."""
    text = files("tapezoo.bundle").joinpath("schema", f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
