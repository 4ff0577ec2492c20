"""What goes wrong with runs and registered versions: the store, the version, or a promotion that was refused."""

from tapezoo.errors import TapezooError


class StoreError(TapezooError):
    """A tracking server or database that does not answer, cannot be used, or failed in the middle of a request."""


class VersionError(TapezooError):
    """A model version whose name is impossible, that does not exist, or that does not hold what was registered."""


class NotPromotedError(TapezooError):
    """The condition of a promotion does not hold, or the two versions cannot be compared; the alias stays."""
