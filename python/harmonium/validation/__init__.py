"""The one gate through which arrays, seeds and numbers of users enter the package.

What passes is a C-contiguous, aligned, native float64 array (or a plain ``int``, ``float`` or
``Generator``) that obeys the rules its caller states; what does not raises an error that names the
argument, the place, the value and the rule.
"""

from harmonium.validation.convert import as_floats
from harmonium.validation.feature_names import check_feature_names, feature_names_of
from harmonium.validation.finite import check_finite, check_missing
from harmonium.validation.matrices import check_positive_definite, check_square_symmetric
from harmonium.validation.memory import available_memory, check_memory
from harmonium.validation.scalars import as_count, as_positive, as_shape
from harmonium.validation.seeds import as_generator, as_seed
from harmonium.validation.simplex import check_simplex, check_unit_vectors
from harmonium.validation.support import (
    check_angles,
    check_binary,
    check_categories,
    check_counts,
    check_open_unit_interval,
    check_positive_data,
)
from harmonium.validation.tables import as_table
from harmonium.validation.typing import FloatArray
from harmonium.validation.vectors import as_vector, as_weights
from harmonium.validation.warning import warn_caller

__all__ = [
    "FloatArray",
    "as_count",
    "as_floats",
    "as_generator",
    "as_positive",
    "as_seed",
    "as_shape",
    "as_table",
    "as_vector",
    "as_weights",
    "available_memory",
    "check_angles",
    "check_binary",
    "check_categories",
    "check_counts",
    "check_feature_names",
    "check_finite",
    "check_memory",
    "check_missing",
    "check_open_unit_interval",
    "check_positive_data",
    "check_positive_definite",
    "check_simplex",
    "check_square_symmetric",
    "check_unit_vectors",
    "feature_names_of",
    "warn_caller",
]
