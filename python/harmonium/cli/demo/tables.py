"""The tables that ship with scikit-learn."""

from typing import NamedTuple

import numpy as np
from sklearn import datasets

from harmonium.validation import FloatArray

_WINES = {
    "alcohol": "alcohol",
    "flavanoids": "flavanoids",
    "color_intensity": "colour intensity",
    "proline": "proline",
}
_CULTIVARS = ("cultivar A", "cultivar B", "cultivar C")


class Table(NamedTuple):
    """Rows (n, d), names of the columns, the true kind of each row (n,) and the kinds' names."""

    x: FloatArray
    names: list[str]
    kinds: FloatArray
    kind_names: list[str]


def wines() -> Table:
    """178 wines of three cultivars in thirteen measurements."""
    data = datasets.load_wine()
    names = [name.replace("color", "colour").replace("_", " ") for name in data.feature_names]
    names = ["od280/od315" if name.startswith("od280") else name for name in names]
    return Table(data.data, names, data.target, list(_CULTIVARS))


def wines_in_four() -> Table:
    """The same wines in four of the measurements."""
    data = datasets.load_wine()
    columns = [data.feature_names.index(name) for name in _WINES]
    return Table(data.data[:, columns], list(_WINES.values()), data.target, list(_CULTIVARS))


def irises() -> Table:
    """150 irises of three species in four lengths, cm."""
    data = datasets.load_iris()
    return Table(data.data, list(data.feature_names), data.target, list(data.target_names))


def tumours() -> Table:
    """569 breast tumours in thirty measurements of their cells."""
    data = datasets.load_breast_cancer()
    return Table(data.data, list(data.feature_names), data.target, list(data.target_names))


class Digits(NamedTuple):
    """Images (n, 64) of 8 by 8 pixels, the columns that vary, and the digits that were meant."""

    images: FloatArray
    varying: FloatArray
    digits: FloatArray

    @property
    def x(self) -> FloatArray:
        """The pixels that vary, (n, d)."""
        return np.ascontiguousarray(self.images[:, self.varying])


def digits(most: int) -> Digits:
    """At most so many of 1797 handwritten digits, without the pixels that are always blank."""
    data = datasets.load_digits()
    images = data.data[:most]
    return Digits(images, images.std(0) > 0, data.target[:most])
