"""What is said where prepared audio cannot be kept."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError


class CacheError(TapezooError):
    """The cache folder cannot be written."""


def unwritable(root: Path, error: OSError) -> CacheError:
    """The error for a folder of the cache and what the system says of it."""
    return CacheError(
        str(root),
        found=f"a cache folder that cannot be written ({error.strerror or error})",
        expected="a writable folder with free space",
        fix="Set the environment variable TAPEZOO_CACHE or --data.cache_dir to a folder you can write.",
    )
