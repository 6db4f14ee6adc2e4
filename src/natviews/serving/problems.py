"""Why a request cannot be answered as it was asked, beside what is wrong with the request itself."""

from natviews.types import NatviewsError


class Absent(NatviewsError):
    """What was asked for is not there."""


class Forbidden(NatviewsError):
    """It may not be done by a server that was started like this one."""


class Unable(NatviewsError):
    """It cannot be done with this store, or without an encoder, whatever is sent."""


class Busy(NatviewsError):
    """More is asked for than can be done now."""
