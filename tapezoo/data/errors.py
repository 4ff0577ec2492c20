"""The faults of recordings and data sets; the message says which."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError


class DataError(TapezooError):
    """Recordings, a pairs file or arguments that make no data set to train on."""


class SoundFileError(DataError):
    """A file that cannot be read as sound, or holds no usable sound."""


class CacheError(TapezooError):
    """Prepared audio cannot be written to the cache."""

    @classmethod
    def from_os(cls, root: Path, error: OSError) -> CacheError:
        """The error for what the operating system reports about a cache folder."""
        return cls(
            str(root),
            found=f"a cache folder that cannot be written ({error.strerror or error})",
            expected="a writable folder with free space",
            fix="Set the environment variable TAPEZOO_CACHE or --data.cache_dir to a folder you can write.",
        )
