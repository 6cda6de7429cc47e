"""The library's own errors and warnings."""


class BoundaryError(ValueError):
    """A mean parameter lies on the boundary of its domain, where no natural parameter exists."""


class NotConjugatedError(ValueError):
    """A model has no conjugation parameters, so that what was asked has no closed form."""


class ModelFileError(ValueError):
    """A saved model is damaged, of a newer format, or not what was asked for."""


class HarmoniumWarning(UserWarning):
    """Base of every warning that the library gives."""


class BoundaryWarning(HarmoniumWarning):
    """An estimate lay on the boundary of its domain and was moved inside by a relative amount."""


class ConvergenceWarning(HarmoniumWarning):
    """A fit stopped before model and average expectation agreed to the tolerance asked for."""


class DataWarning(HarmoniumWarning):
    """The data are usable but suspicious: the message says why and what to do."""


class RegionWarning(HarmoniumWarning):
    """A latent has probability outside the region, or between the points, of an integral over it."""
