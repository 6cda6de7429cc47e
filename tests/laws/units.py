"""Changes of units that a family allows."""

from harmonium.families import ExponentialFamily
from harmonium.validation import FloatArray


def shifts(family: ExponentialFamily) -> bool:
    """Whether some columns of data may be shifted and scaled."""
    return any(units.kind != "none" for units in family.standardisation)


def allowed(
    family: ExponentialFamily, shift: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The shifts and scales (n_observed,) nearest to these that the family allows."""
    shift, scale = shift.copy(), scale.copy()
    start = 0
    for kind, width in family.standardisation:
        columns = slice(start, start + width)
        start += width
        if kind == "none":
            shift[columns], scale[columns] = 0.0, 1.0
        elif kind == "common":
            scale[columns] = scale[start - width]
    assert start == family.n_observed
    return shift, scale
