"""What estimators of hidden Markov models share, with hmmlearn's names."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from harmonium.estimators.arguments import as_choice, as_flag
from harmonium.estimators.tables import remember, table_for_fit, table_for_use
from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.learning.data import check_table
from harmonium.sequences import HiddenMarkovChain, HiddenMarkovFit, HiddenMarkovModel
from harmonium.sequences.hidden_markov_point import Part
from harmonium.validation import FloatArray, as_count, as_generator

Labels = np.ndarray[Any, np.dtype[np.intp]]


class HiddenMarkovEstimator(BaseEstimator):  # type: ignore[misc]  # an untyped base
    """The life of an estimator; a subclass says what its emissions are."""

    #: The letters of ``params`` that stand for the emissions, which are learned together.
    _emission_letters: ClassVar[str]

    n_components: int
    params: str | None
    startprob_init: Any
    transmat_init: Any
    tol: float
    n_iter: int
    n_init: int
    random_state: Any
    accelerate: bool

    fit_: HiddenMarkovFit

    @abstractmethod
    def _observable(self, x: FloatArray) -> ExponentialFamily:
        """The family of the emissions of these data."""

    @abstractmethod
    def _emissions(self, found: Prepared) -> Prepared:
        """The emissions that a fit starts from, in the data's units, those found replaced."""

    @abstractmethod
    def _remember_emissions(self, result: HiddenMarkovFit) -> None:
        """Write the attributes of the emissions."""

    @abstractmethod
    def _emissions_given(self) -> bool:
        """Whether emissions to start from were given."""

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, lengths: Any = None, *, sequence_weight: Any = None) -> Any:
        """Fit to sequences one below the other in a table (n, d), ``lengths`` rows each.

        NaN is a missing value. Raises ValueError for any bad input; a failed or interrupted fit
        leaves the estimator as it was.
        """
        k = as_count(self.n_components, name="n_components")
        learn = self._parts()
        accelerate = as_flag(self.accelerate, name="accelerate")
        rng = as_generator(self.random_state, name="random_state")
        table = table_for_fit(self, X)
        model = HiddenMarkovModel(self._observable(table), k)
        table = check_table(model.observable, table, "X")
        result = model.fit(
            table,
            lengths,
            weights=sequence_weight,
            learn=learn,
            initial=self._initial(model, table, lengths, rng),
            seed=rng,
            n_init=self.n_init,
            max_iter=self.n_iter,
            tol=self.tol,
            accelerate=accelerate,
        )
        remember(self, X, lambda fitted: fitted._remember(result))
        return self

    def _parts(self) -> list[Part]:
        if self.params is None:
            return ["initial", "transition", "emissions"]
        own = self._emission_letters
        if not isinstance(self.params, str) or set(self.params) - set("st" + own):
            raise ValueError(f"params must be letters of {'st' + own!r}, not {self.params!r}.")
        asked = set(self.params)
        if asked & set(own) and not asked >= set(own):
            raise ValueError(
                f"params: {' and '.join(map(repr, own))} are learned together or not at all, but "
                f"of them {self.params!r} has {''.join(sorted(asked & set(own)))!r} only."
            )
        parts: dict[str, Part] = {"s": "initial", "t": "transition", own[0]: "emissions"}
        return [part for letter, part in parts.items() if letter in asked]

    def _initial(
        self, model: HiddenMarkovModel, x: FloatArray, lengths: Any, rng: np.random.Generator
    ) -> HiddenMarkovChain | None:
        """The start that was asked for, in the data's units; what was not given is found."""
        given = (self.startprob_init, self.transmat_init)
        if all(part is None for part in given) and not self._emissions_given():
            return None
        found = model.fit(x, lengths, seed=rng, max_iter=0, warn=False)
        return model.at(
            initial=found.initial if given[0] is None else given[0],
            transition=found.transition if given[1] is None else given[1],
            emissions=self._emissions(found.in_units.emissions),
        )

    def _remember(self, result: HiddenMarkovFit) -> None:
        self.fit_ = result
        self.startprob_ = result.initial
        self.transmat_ = result.transition
        self.converged_ = result.converged
        self.n_iter_ = result.n_iterations
        self.history_ = -result.history
        self._remember_emissions(result)

    # -------------------------------------------------------------------------------- use

    def _read(self, X: Any) -> tuple[HiddenMarkovFit, FloatArray]:
        check_is_fitted(self, "fit_")
        return self.fit_, check_table(self.fit_.observable, table_for_use(self, X), "X")

    def score(self, X: Any, lengths: Any = None) -> float:
        """Return the log-likelihood of the sequences in nats, all together."""
        chain, table = self._read(X)
        return float(chain.log_likelihood(table, lengths).sum())

    def score_samples(self, X: Any, lengths: Any = None) -> tuple[float, FloatArray]:
        """Return the log-likelihood, and the probabilities (n, k) of the states given the sequences."""
        return self.score(X, lengths), self.predict_proba(X, lengths)

    def predict_proba(self, X: Any, lengths: Any = None) -> FloatArray:
        """Return the probabilities (n, k) of each row's state given its whole sequence."""
        chain, table = self._read(X)
        return chain.smooth(table, lengths).states

    def decode(
        self, X: Any, lengths: Any = None, algorithm: str = "viterbi"
    ) -> tuple[float, Labels]:
        """Return a score and states (n,): the path that is most probable as a whole, "viterbi".

        The score is its log probability; with "map", each row's own most probable state, it is
        the expected number of rows that are right.
        """
        as_choice(algorithm, ["viterbi", "map"], name="algorithm")
        if algorithm == "map":
            shares = self.predict_proba(X, lengths)
            return float(shares.max(-1).sum()), np.asarray(shares.argmax(-1))
        chain, table = self._read(X)
        path = chain.most_probable_path(table, lengths)
        return float(path.log_probability.sum()), path.states.astype(np.intp)

    def predict(self, X: Any, lengths: Any = None) -> Labels:
        """Return the most probable path of states, (n,)."""
        return self.decode(X, lengths)[1]

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, lengths: Any = None
    ) -> tuple[FloatArray, Labels]:
        """Return a simulated sequence (n, d) and its states (n,); several with ``lengths``."""
        check_is_fitted(self, "fit_")
        seed = self.random_state if random_state is None else random_state
        rng = as_generator(seed, name="random_state")
        x, states = self.fit_.sample(as_count(n_samples, name="n_samples"), rng, lengths)
        return x, states.astype(np.intp)
