"""Hidden Markov models with hmmlearn's names."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from harmonium import HiddenMarkovModel, Normal
from harmonium.errors import ConvergenceWarning
from harmonium.estimators import CategoricalHMM, GaussianHMM, PoissonHMM

LENGTHS = [150, 150]
RNG = np.random.default_rng(0)
STATES = (np.arange(300) // 25) % 2
DATA: dict[type, Any] = {
    GaussianHMM: RNG.normal(size=(300, 2)) + 3.0 * STATES[:, None],
    PoissonHMM: RNG.poisson(1.0 + 8.0 * STATES[:, None], (300, 2)).astype(float),
    CategoricalHMM: (RNG.random(300) < 0.1 + 0.8 * STATES)[:, None].astype(float),
}
INITS: dict[type, dict[str, Any]] = {
    GaussianHMM: {"means_init": [[0, 0], [3, 3]], "covars_init": np.tile(np.eye(2), (2, 1, 1))},
    PoissonHMM: {"lambdas_init": [[1, 1], [9, 9]]},
    CategoricalHMM: {"emissionprob_init": [[0.9, 0.1], [0.1, 0.9]]},
}
every_kind = pytest.mark.parametrize("kind", DATA)


@every_kind
class TestEveryKind:
    def test_states_are_found(self, kind: Any) -> None:
        x = DATA[kind]
        hmm = kind(2, random_state=0).fit(x, LENGTHS)
        assert hmm.converged_
        found = hmm.predict(x, LENGTHS)
        assert max((found == STATES).mean(), (found != STATES).mean()) > 0.9
        assert (np.diff(hmm.history_) >= -1e-10).all()
        np.testing.assert_allclose(hmm.score(x, LENGTHS), 300 * hmm.history_[-1])
        np.testing.assert_allclose(hmm.transmat_.sum(-1), 1)
        np.testing.assert_allclose(hmm.startprob_.sum(), 1)

    def test_questions_agree(self, kind: Any) -> None:
        x = DATA[kind]
        hmm = kind(2, random_state=0).fit(x, LENGTHS)
        total, shares = hmm.score_samples(x, LENGTHS)
        assert total == hmm.score(x, LENGTHS)
        assert np.array_equal(shares, hmm.predict_proba(x, LENGTHS))
        score, path = hmm.decode(x, LENGTHS)
        assert score < total
        assert np.array_equal(path, hmm.predict(x, LENGTHS))
        expected, each = hmm.decode(x, LENGTHS, algorithm="map")
        assert np.array_equal(each, shares.argmax(-1))
        np.testing.assert_allclose(expected, shares.max(-1).sum())
        with pytest.raises(ValueError, match="algorithm must be one of"):
            hmm.decode(x, LENGTHS, algorithm="best")

    def test_where_it_starts(self, kind: Any) -> None:
        x = DATA[kind]
        given = {"startprob_init": [0.3, 0.7], "transmat_init": [[1, 0], [0.2, 0.8]]}
        hmm = kind(2, **given, **INITS[kind], n_iter=0)
        with pytest.warns(ConvergenceWarning):
            hmm.fit(x, LENGTHS)
        np.testing.assert_allclose(hmm.startprob_, given["startprob_init"])
        np.testing.assert_allclose(hmm.transmat_, given["transmat_init"])
        for name, value in INITS[kind].items():
            np.testing.assert_allclose(getattr(hmm, name.replace("init", "")), value, atol=1e-12)
        # zeros stay zero
        fitted = kind(2, transmat_init=[[1, 0], [0.2, 0.8]], random_state=0).fit(x, LENGTHS)
        assert fitted.transmat_[0].tolist() == [1, 0]

    def test_what_is_learned(self, kind: Any) -> None:
        x = DATA[kind]
        hmm = kind(2, params="t", **INITS[kind]).fit(x, LENGTHS)
        for name, value in INITS[kind].items():
            np.testing.assert_allclose(getattr(hmm, name.replace("init", "")), value, atol=1e-9)
        with pytest.raises(ValueError, match="params must be letters of"):
            kind(2, params="x").fit(x)

    def test_life_cycle(self, kind: Any) -> None:
        x = DATA[kind]
        hmm = kind(2, random_state=0)
        with pytest.raises(NotFittedError):
            hmm.predict(x)
        again = clone(hmm.fit(x, LENGTHS))
        assert again.get_params() == hmm.get_params()
        with pytest.raises(ValueError, match="add up to 3"):
            hmm.fit(x, [3])
        assert hmm.score(x, LENGTHS) == again.fit(x, LENGTHS).score(x, LENGTHS)
        with pytest.raises(ValueError, match="features"):
            hmm.predict(np.column_stack([x, x]))
        drawn, states = hmm.sample(20, 3, lengths=[5, 15])
        assert drawn.shape == (20, x.shape[1])
        assert states.shape == (20,)
        assert np.array_equal(drawn, hmm.sample(20, 3, lengths=[5, 15])[0])

    def test_weights_and_missing_rows(self, kind: Any) -> None:
        x = DATA[kind].copy()
        hmm = kind(2, random_state=0, **INITS[kind])
        alone = hmm.fit(x[:150]).transmat_
        weighted = hmm.fit(x, LENGTHS, sequence_weight=[2, 0]).transmat_
        np.testing.assert_allclose(weighted, alone, rtol=1e-4)
        x[40:50] = np.nan
        assert np.isfinite(hmm.fit(x, LENGTHS).predict_proba(x, LENGTHS)).all()


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shapes_of_covariances(covariance_type: str) -> None:
    x = DATA[GaussianHMM]
    hmm = GaussianHMM(2, covariance_type, random_state=0).fit(x)
    assert hmm.covars_.shape == (2, 2, 2)
    named: Any = {"full": "full", "diag": "diagonal", "spherical": "isotropic"}[covariance_type]
    right = HiddenMarkovModel(Normal(2, named), 2).fit(x, seed=0)
    np.testing.assert_allclose(hmm.score(x), right.log_likelihood(x).sum())
    start = GaussianHMM(2, covariance_type, covars_init=np.tile(4 * np.eye(2), (2, 1, 1)), n_iter=0)
    with pytest.warns(ConvergenceWarning):
        start.fit(x)
    np.testing.assert_allclose(start.covars_, np.tile(4 * np.eye(2), (2, 1, 1)))


@pytest.mark.parametrize(
    ("hmm", "words"),
    [
        (GaussianHMM(2, "tied"), "covariance_type must be one of"),
        (GaussianHMM(0), "n_components must be at least 1"),
        (GaussianHMM(2, params="sm"), "'m' and 'c' are learned together"),
        (GaussianHMM(2, means_init=[[1, 2, 3]]), r"means_init: shape \(1, 3\), expected \(2, 2\)"),
        (GaussianHMM(2, covars_init=-np.ones((2, 2, 2))), "covars_init must be positive definite"),
        (GaussianHMM(2, transmat_init=np.ones((2, 2))), "transition: every row must sum to 1"),
        (PoissonHMM(2, lambdas_init=np.zeros((2, 2))), "lambdas_init"),
        (PoissonHMM(2, lambdas_init=[[1, 1]]), r"lambdas_init: shape \(1, 2\), expected \(2, 2\)"),
        (CategoricalHMM(2), "one column"),
    ],
)
def test_bad_arguments(hmm: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hmm.fit(DATA[PoissonHMM])


def test_bad_data() -> None:
    for hmm in (GaussianHMM(1), PoissonHMM(1)):
        hmm.fit([[1.0], [2.0], [3.0]])
        for ask in (hmm.fit, hmm.predict):
            with pytest.raises(ValueError, match=r"^X: .*sample"):
                ask(np.empty((0, 1)))
    for ask in (PoissonHMM(2).fit, PoissonHMM(1).fit([[1], [2]]).score):
        with pytest.raises(ValueError, match=r"^X: every entry must be a count.*row 1"):
            ask([[1], [-1]])


def test_categories() -> None:
    x = np.array([[0], [2], [2], [1], [0]])
    assert CategoricalHMM(1).fit(x).emissionprob_.shape == (1, 3)
    with pytest.raises(ValueError, match="row 2"):
        CategoricalHMM(1).fit([[0], [1], [-1]])
    with pytest.raises(ValueError, match="row 1"):
        CategoricalHMM(1, n_features=2).fit(x)
