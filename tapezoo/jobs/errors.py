"""What keeps trainings from being started."""

from tapezoo.errors import TapezooError


class JobError(TapezooError):
    """A folder that is not for them, or nobody to train them."""
