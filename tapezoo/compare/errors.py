"""What is wrong with a comparison before anything is trained."""

from tapezoo.errors import TapezooError


class CompareError(TapezooError):
    """Recipes that cannot be compared, a folder that is not for them, or no engine to train them."""
