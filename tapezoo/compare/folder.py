"""The folder of a comparison: whether what lies there is of the same one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapezoo.jobs.folder import begun_rows, changed_settings, refuse_changes
from tapezoo.jobs.settings import Config

COMPARISON, HASH = "comparison.json", "dataset_hash"


def check_unchanged(
    out: Path, known: Mapping[str, Any], rows: Mapping[str, Config], dataset_hash: str
) -> None:
    """Whether what is finished or begun in `out` was trained as `rows` say.

    Failed rows, and rows that left no checkpoint, start again whatever they were.

    Raises:
        JobError: Names what changed; or see `tapezoo.jobs.folder.read_outcome`.
    """
    is_other_data = known.get(HASH) != dataset_hash and bool(begun_rows(out, rows))
    refuse_changes(out, [*(["the data themselves"] if is_other_data else []), *changed_settings(out, rows)])
