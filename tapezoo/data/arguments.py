"""What the arguments of data modules may be."""

from tapezoo.errors import TapezooError


class DataArgumentError(TapezooError):
    """An argument of a data module that cannot be."""
