"""EM that is restricted or held in part: it climbs, and what is held does not move."""

import numpy as np
import pytest

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson
from harmonium.expectation import ArraySource, expectation
from harmonium.harmonium import Harmonium
from harmonium.learning import Fit, Subspace, absent, fit, on_graph, ring, shared_shape
from harmonium.learning.parts import part_of
from harmonium.learning.space import Space
from harmonium.validation import FloatArray
from laws.harmonium_cases import CASES, HarmoniumCase, every_model
from laws.tolerances import assert_close

CONVEX = ["observable", "interaction", "shape", "latent", "location"]


def assert_falling(fitted: Fit) -> None:
    falls = -np.diff(fitted.history)
    assert (falls >= -1e-10 * np.maximum(1, np.abs(fitted.history[1:]))).all()


def part(model: Harmonium, natural: FloatArray, name: str) -> FloatArray:
    """The entries of a part at a point."""
    found = part_of(model, name)
    vector = Space(model, split=bool(found.of_prior)).to_vector(natural)
    return np.asarray(vector[found.entries])


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (case, name)
        for i, case in enumerate(CASES)
        # closed forms of every model, and one of the convex solves
        for name in ("likelihood", "prior", CONVEX[i % len(CONVEX)])
    ],
    ids=repr,
)
def test_held_parts_stay_and_the_rest_climbs(case: HarmoniumCase, name: str) -> None:
    model, initial = case.model, case.point(2)
    if len(part_of(model, name).entries) == model.dimension:
        return
    x = case.with_missing(case.rows(1, 40), 0.1, case.rng(3))
    found = fit(model, x, initial=initial, fix=name, max_iter=2, warn=False)
    assert_falling(found)
    assert found.cross_entropy < found.history[0]
    assert_close(part(model, found.natural, name), part(model, initial, name), 1e-8)
    begun = -model.log_observable_density(initial, x).mean()
    np.testing.assert_allclose(found.history[0], begun, rtol=1e-9)


def data() -> FloatArray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(90, 2)), 0.5 * rng.normal(size=(60, 2)) + [3.0, 2.0]])


def rings(n: int = 150) -> FloatArray:
    rng = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radii = np.where(np.arange(n) < n // 5, 0.3, 3.0)[:, None]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return radii * circle + 0.2 * rng.normal(size=(n, 2))


class TestAgainstClosedForms:
    @pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
    def test_tied_covariances(self, covariance: str) -> None:
        # the subspace without shapes in the interaction is the model with a shared shape
        family = Normal(2, covariance)  # type: ignore[arg-type]
        tied = Mixture(family, 2, shared="shape")
        begun = fit(tied, data(), seed=0, max_iter=0, warn=False).natural
        wanted = fit(tied, data(), initial=begun, max_iter=6, tol=0.0, warn=False)
        model = Mixture(family, 2)
        parts = tied.split(begun)
        whole = np.zeros((family.dimension, 1))
        whole[family.location] = parts.interaction
        found = fit(
            model,
            data(),
            initial=model.join(parts.observable, parts.latent, whole),
            subspace=shared_shape(model),
            max_iter=6,
            tol=0.0,
            warn=False,
        )
        np.testing.assert_allclose(found.history, wanted.history, rtol=1e-9)
        assert_close(
            model.log_observable_density(found.natural, data()), wanted.log_density(data()), 1e-6
        )

    def test_mixture_weights_alone(self) -> None:
        # with the components held EM is the textbook's update of the weights
        model = Mixture(Poisson(1), 2)
        initial = model.from_parameters(weights=[0.5, 0.5], rate=[[2.0], [6.0]])
        x = np.random.default_rng(0).poisson(4.0, (50, 1)).astype(float)
        found = fit(model, x, initial=initial, fix="likelihood", max_iter=3, tol=0.0, warn=False)
        weights = np.array([0.5, 0.5])
        for _ in range(3):
            joint = weights * np.exp(x * np.log([2.0, 6.0]) - np.array([2.0, 6.0]))
            weights = (joint / joint.sum(1, keepdims=True)).mean(0)
        np.testing.assert_allclose(model.to_parameters(found.natural).weights, weights, rtol=1e-12)

    def test_components_alone(self) -> None:
        # with the weights held they stay as given, and rates are averages under responsibilities
        model = Mixture(Poisson(1), 2)
        initial = model.from_parameters(weights=[0.3, 0.7], rate=[[2.0], [6.0]])
        x = np.random.default_rng(0).poisson(4.0, (50, 1)).astype(float)
        found = fit(model, x, initial=initial, fix="prior", max_iter=1, tol=0.0, warn=False)
        joint = np.array([0.3, 0.7]) * np.exp(x * np.log([2.0, 6.0]) - np.array([2.0, 6.0]))
        shares = joint / joint.sum(1, keepdims=True)
        parameters = model.to_parameters(found.natural)
        np.testing.assert_allclose(parameters.weights, [0.3, 0.7], rtol=1e-12)
        np.testing.assert_allclose(
            parameters.components.rate[:, 0], (shares * x).sum(0) / shares.sum(0), rtol=1e-12
        )


class TestGraphs:
    model = LinearGaussian(Normal(2), Boltzmann(4))

    def couplings(self, natural: FloatArray) -> FloatArray:
        return np.asarray(Boltzmann(4).to_parameters(natural).couplings)

    def off_ring(self) -> list[tuple[int, int]]:
        return [(2, 0), (3, 1)]

    def test_a_prior_on_a_ring(self) -> None:
        space = on_graph(self.model.latent, ring(4))
        found = fit(self.model, rings(), seed=0, subspace=space, max_iter=15, warn=False)
        assert_falling(found)
        matrix = self.couplings(self.model.prior(found.natural))
        for pair in self.off_ring():
            assert abs(matrix[pair]) < 1e-9
        assert abs(matrix[1, 0]) > 1e-3
        # the prior's M-step is that of the sparse machine
        sparse = Boltzmann(4, ring(4))
        assert sparse.dimension == space.dimension

    def test_a_bias_on_a_ring(self) -> None:
        space = on_graph(self.model.latent, ring(4)).within(self.model)
        found = fit(self.model, rings(), seed=0, subspace=space, max_iter=8, warn=False)
        assert_falling(found)
        assert found.standardisation.is_identity
        matrix = self.couplings(self.model.split(found.natural).latent)
        for pair in self.off_ring():
            assert abs(matrix[pair]) < 1e-9
        prior = self.couplings(self.model.prior(found.natural))
        assert max(abs(prior[pair]) for pair in self.off_ring()) > 1e-3

    def test_bias_and_prior_at_once(self) -> None:
        graph = on_graph(self.model.latent, ring(4))
        with pytest.raises(ValueError, match=r"^fix, subspace: .*restrict one of the two"):
            fit(self.model, rings(), subspace=graph, fix="latent")
        with pytest.raises(ValueError, match=r"^fix, subspace: .*restrict one of the two"):
            fit(self.model, rings(), subspace=graph.within(self.model), fix="prior")
        with pytest.raises(ValueError, match=r"^subspace: of the model or of its latent"):
            fit(self.model, rings(), subspace=absent(Normal(3), [1]))

    def test_acceleration_is_monotone_and_shorter(self) -> None:
        space = on_graph(self.model.latent, ring(4))
        begun = fit(self.model, rings(), seed=3, max_iter=0, warn=False, subspace=space).natural
        plain = fit(self.model, rings(), initial=begun, subspace=space, max_iter=60, warn=False)
        fast = fit(
            self.model, rings(), initial=begun, subspace=space, max_iter=60, warn=False,
            accelerate=True,
        )  # fmt: skip
        assert_falling(plain)
        assert_falling(fast)
        assert fast.cross_entropy <= plain.cross_entropy + 1e-6


class TestInitialPoints:
    def test_must_lie_in_the_subspace(self) -> None:
        model = Mixture(Normal(1), 2)
        natural = model.from_parameters(mean=[[0.0], [1.0]], covariance=[[[1.0]], [[2.0]]])
        with pytest.raises(ValueError, match=r"^initial: not in the subspace; off by 0\.25"):
            fit(model, data()[:, :1], initial=natural, subspace=shared_shape(model))

    def test_the_library_finds_the_nearest(self) -> None:
        model = Mixture(Normal(2), 3)
        space = shared_shape(model)
        found = fit(model, data(), seed=0, subspace=space, max_iter=0, warn=False)
        assert space.coordinates(found.natural).shape == (space.dimension,)

    def test_of_several_parts(self) -> None:
        model = Mixture(Normal(2), 2)
        initial = fit(model, data(), seed=0, max_iter=1, warn=False).natural
        found = fit(model, data(), initial=initial, fix=["prior", "shape"], max_iter=20, warn=False)
        assert_falling(found)
        for name in ("prior", "shape"):
            assert_close(part(model, found.natural, name), part(model, initial, name), 1e-9)


def test_converged_means_a_small_gradient_of_what_is_free() -> None:
    model = Mixture(Normal(2), 2)
    found = fit(model, data(), seed=0, subspace=shared_shape(model), tol=1e-8)
    assert found.converged
    gap = model.expectation(found.natural, data()) - model.to_mean(found.natural)
    space = shared_shape(model)
    assert np.abs(space.restrict(gap)).max() < 1e-6
    assert np.abs(gap).max() > 1e-3
    assert isinstance(space, Subspace)


@every_model
def test_the_prior_alone(case: HarmoniumCase) -> None:
    # what is asked where the likelihood is held: the prior of the whole M-step
    prepared = case.model.prepare(case.point(2))
    sums = expectation(prepared, ArraySource(case.rows(1, 30))).sums
    whole, alone = prepared.maximise(sums, set()), prepared.maximise_prior(sums, set())
    priors = [case.model._prior(case.model._split(p.natural)) for p in (whole, alone)]
    assert_close(priors[1], priors[0], 1e-8)
