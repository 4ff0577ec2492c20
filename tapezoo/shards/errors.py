"""What is wrong with a grid in shards."""

from tapezoo.errors import TapezooError


class ShardError(TapezooError):
    """A recipe that cannot be cut into shards, shards that do not belong together, or a folder of other ones."""
