"""What can go wrong, each with the exit code of the command line and what to change."""


class InverseSetError(Exception):
    """Any refusal or failure that is the user's to mend; its message is one line."""

    exit_code = 2


class UsageError(InverseSetError, ValueError):
    """An argument that cannot be: what was expected, what came, what to change."""


class Unreachable(InverseSetError):
    """No sample, or fewer than asked, lie in the band.

    Attributes:
        best: Largest activation reached of each target, [p].
        steps: Gradient steps taken.
        found: Samples found and kept.
    """

    exit_code = 3

    def __init__(self, message, best=None, steps=0, found=0):
        super().__init__(message)
        self.best, self.steps, self.found = best, steps, found


class SeedsNotFound(Unreachable):
    """Section 3.4's first half ended without K feasible codes."""


class Stalled(Unreachable):
    """The walk or the pool stopped finding samples; those found are kept."""


class ConversionError(InverseSetError):
    """Weights that do not fit the network they are meant for; names every layer concerned."""

    exit_code = 4


class RefusedInput(InverseSetError):
    """A file that is damaged, of another form, or larger than it may be."""

    exit_code = 4
