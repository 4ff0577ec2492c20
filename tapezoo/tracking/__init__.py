"""MLflow: where runs go, what a run holds, and the registry of versions.

This is the only package that imports mlflow, and it does so only when a run or a version is touched. The
module with Lightning (`runs`) is imported on first use, so that a machine without torch can pull.
"""

from typing import TYPE_CHECKING, Any

from tapezoo.tracking.address import Tracking, artifact_location, check_server, tracking_uri
from tapezoo.tracking.client import has_run
from tapezoo.tracking.errors import NotPromotedError, StoreError, VersionError
from tapezoo.tracking.origin import collect_versions

if TYPE_CHECKING:
    from tapezoo.tracking.runs import TrackedRun, make_logger, make_run_logger

__all__ = [
    "NotPromotedError",
    "StoreError",
    "TrackedRun",
    "Tracking",
    "VersionError",
    "artifact_location",
    "check_server",
    "collect_versions",
    "has_run",
    "make_logger",
    "make_run_logger",
    "tracking_uri",
]


def __getattr__(name: str) -> Any:
    if name in ("TrackedRun", "make_logger", "make_run_logger"):
        from tapezoo.tracking import runs

        return getattr(runs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
