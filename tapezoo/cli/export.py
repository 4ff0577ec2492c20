"""`tapezoo export CHECKPOINT --out BUNDLE`: the artifact others deploy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("export", help="write a verified bundle with ONNX and TorchScript")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--audio", type=Path, help="sound for the parity gate (default: built-in programme)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    parser.set_defaults(verb=run)
