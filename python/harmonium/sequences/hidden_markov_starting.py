"""Where fits of hidden Markov models start."""

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.learning.standardisation import sample_rows
from harmonium.learning.starting import Sharing, start
from harmonium.models import Mixture
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.sequences.hidden_markov_point import HiddenMarkovPrepared
from harmonium.sequences.hidden_markov_source import Sequences


def start_chain(
    observable: ExponentialFamily,
    n_states: int,
    sequences: Sequences,
    rng: np.random.Generator,
    sharing: Sharing,
) -> HiddenMarkovPrepared:
    """Return the start of a mixture of the rows as a chain without memory.

    Every state follows every other with the mixture's weights; the first iteration of EM finds
    what in fact follows what.
    """
    mixture = start(Mixture(observable, n_states), sample_rows(sequences), rng, sharing)
    assert isinstance(mixture, MixturePrepared)
    log_weights = mixture.log_weights[0]
    return HiddenMarkovPrepared(
        log_weights, np.tile(log_weights, (n_states, 1)), mixture.components
    )
