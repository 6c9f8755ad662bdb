"""The errors a user can cause. The commands print them as one line; anything else is a bug."""


class AdaINError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(AdaINError):
    """A picture file that cannot be read, or cannot be written."""


class WeightsError(AdaINError):
    """A weights file or checkpoint that is missing, unreadable or of the wrong shape."""


class OptionError(AdaINError):
    """An option, argument or combination of them that makes no sense."""
