"""The coordinates in which linear state-space models are fitted: shifted and scaled columns."""

from dataclasses import dataclass, replace

import numpy as np

from harmonium.learning.standardisation import Standardisation
from harmonium.numerics.symmetric import outer
from harmonium.sequences.linear_state_space_data import DrivenSequences
from harmonium.sequences.linear_state_space_parameters import LinearStateSpaceParameters
from harmonium.sequences.linear_state_space_point import Part
from harmonium.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Units:
    """Observations ``(x - shift) / scale`` and inputs ``(u - input_shift) / input_scale``."""

    shift: FloatArray
    scale: FloatArray
    input_shift: FloatArray
    input_scale: FloatArray

    def apply(self, data: DrivenSequences) -> DrivenSequences:
        """Return sequences in these coordinates."""
        x = np.ascontiguousarray((data.x - self.shift) / self.scale)
        inputs = np.ascontiguousarray((data.inputs - self.input_shift) / self.input_scale)
        return replace(data, x=x, inputs=inputs)

    def into(self, own: LinearStateSpaceParameters) -> LinearStateSpaceParameters:
        """Return parameters in these coordinates from those in the data's units."""
        onto, into = own.observation_inputs, own.transition_inputs
        return own._replace(
            loadings=own.loadings / self.scale[:, None],
            mean=(own.mean - self.shift + onto @ self.input_shift) / self.scale,
            offset=own.offset + into @ self.input_shift,
            observation_inputs=onto * self.input_scale / self.scale[:, None],
            transition_inputs=into * self.input_scale,
            noise=_scaled(own.noise, 1 / self.scale),
        )

    def out_of(self, own: LinearStateSpaceParameters) -> LinearStateSpaceParameters:
        """Return parameters in the data's units from those in these coordinates."""
        onto = own.observation_inputs * self.scale[:, None] / self.input_scale
        into = own.transition_inputs / self.input_scale
        return own._replace(
            loadings=own.loadings * self.scale[:, None],
            mean=own.mean * self.scale + self.shift - onto @ self.input_shift,
            offset=own.offset - into @ self.input_shift,
            observation_inputs=onto,
            transition_inputs=into,
            noise=_scaled(own.noise, self.scale),
        )


def units_of(standard: Standardisation, inputs: FloatArray, learn: frozenset[Part]) -> Units:
    """Return the coordinates of a fit.

    Inputs are shifted only where constants that are learned too can make up for it, so that what
    is held fixed stays what it was.
    """
    constant = ("mean" in learn or "observation_inputs" not in learn) and (
        "offset" in learn or "transition_inputs" not in learn
    )
    shift = inputs.mean(0) if constant else np.zeros(inputs.shape[1])
    deviation = np.sqrt(((inputs - shift) ** 2).mean(0))
    return Units(standard.shift, standard.scale, shift, np.where(deviation > 0, deviation, 1.0))


def _scaled(noise: FloatArray, scale: FloatArray) -> FloatArray:
    if noise.ndim == 2:
        return noise * outer(scale, scale)
    return noise * scale**2 if noise.ndim == 1 else np.array(noise * scale[0] ** 2)
