"""The coordinates of a fit: there and back, gradients, and what can be held."""

from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal
from harmonium.learning.objective import Surrogate
from harmonium.learning.parts import is_moved_by_units, part_of
from harmonium.learning.space import Space, natural_gradient_of_prior
from harmonium.numerics.derivatives import jacobian
from harmonium.rules.base import ConjugationRule
from harmonium.validation import FloatArray
from laws.harmonium_cases import HarmoniumCase, every_model
from laws.random_points import random_point
from laws.tolerances import assert_close


def some_matrix(model: Any, rng: np.random.Generator) -> FloatArray:
    """Mixes a few directions and leaves the rest."""
    n = model.dimension
    return np.eye(n)[: max(1, n - 2)] + 0.1 * rng.normal(size=(max(1, n - 2), n))


def reach(space: Space, free: FloatArray, direction: FloatArray) -> float:
    """A step of a fraction of the way out of the domain."""
    step = 1e-3
    while space.outside(
        np.stack([free + 32 * step * direction, free - 32 * step * direction])
    ).any():
        step /= 4
    return step


@every_model
class TestEveryModel:
    def test_there_and_back(self, case: HarmoniumCase) -> None:
        natural = np.stack([case.point(seed) for seed in (1, 2)])
        for split in (False, True):
            space = Space(case.model, split=split)
            assert_close(space.natural(space.free(natural)), natural, 1e-12)
        vector = Space(case.model, split=True).to_vector(natural)
        assert_close(case.model._split(vector).latent, case.model.prior(natural), 1e-13)

    def test_gradients_are_those_of_the_value(self, case: HarmoniumCase) -> None:
        # of psi(theta) - mean . theta, in free coordinates, by differences of its value
        model = case.small
        natural = random_point(model, case.rng(4))
        mean = model.to_mean(random_point(model, case.rng(5)))
        for split in (False, True):
            base = Space(model, split=split)
            matrix = some_matrix(model, case.rng(6))
            offset = base.to_vector(natural)
            for space, free in (
                (base, offset),
                (Space(model, matrix, offset, split=split), np.zeros(len(matrix))),
            ):
                surrogate = Surrogate(space, mean)
                direction = case.rng(7).normal(size=space.size)
                step = reach(space, free, direction)
                expected = jacobian(
                    lambda t, at=free, u=direction, of=surrogate: np.array(  # type: ignore[misc]
                        [of.slope(at + t[0] * u)[0]]
                    ),
                    np.zeros(1),
                    np.array([step]),
                )[0, 0]
                assert_close(surrogate.slope(free)[1] @ direction, expected, 1e-6)

    def test_the_adjoint_is_known_exactly(self, case: HarmoniumCase) -> None:
        # what a rule states against differences of rho and chi
        model, natural = case.small, random_point(case.small, case.rng(4))
        parts = model.split(natural)
        weight = np.asarray(0.7)
        met = case.rng(6).normal(size=model.latent.dimension)
        arguments = (model.observable, model.latent, parts.observable, parts.interaction)
        stated = model.rule.adjoint(*arguments, weight, met)
        differences = ConjugationRule.adjoint(model.rule, *arguments, weight, met)
        for left, right in zip(stated, differences, strict=True):
            assert_close(left, right, 1e-7)

    def test_of_the_prior(self, case: HarmoniumCase) -> None:
        model, natural = case.small, random_point(case.small, case.rng(4))
        pull = case.rng(6).normal(size=model.latent.dimension)

        def value(point: FloatArray) -> FloatArray:
            return (model._prior(model._split(point)) @ pull)[..., None]

        expected = jacobian(value, natural, np.minimum(model._steps(natural), 1e-3))[0]
        assert_close(natural_gradient_of_prior(model, natural, pull), expected, 1e-7)

    @pytest.mark.parametrize("name", ["likelihood", "prior", "observable", "interaction"])
    def test_what_is_held_stays(self, case: HarmoniumCase, name: str) -> None:
        natural = case.point(1)
        whole = Space(case.model, split=True)
        entries = part_of(case.model, name).entries
        if len(entries) == case.model.dimension:
            with pytest.raises(ValueError, match=r"^fix: nothing is left to learn"):
                whole.holding([name], natural)
            return
        space = whole.holding([name], natural)
        assert space.size == case.model.dimension - len(entries)
        free = space.free(natural)
        assert_close(space.natural(free), natural, 1e-12)
        moved = space.vector(free + case.rng(3).normal(size=space.size))
        assert np.array_equal(moved[entries], space.to_vector(natural)[entries])
        assert space.covers("prior") == (name != "prior" or not len(entries))
        likelihood = part_of(case.model, "likelihood").entries
        assert space.is_of_prior == (np.isin(likelihood, entries).all())
        assert space.covers("likelihood") == (not np.isin(entries, likelihood).any())


class TestSpaces:
    def test_held_across_a_matrix(self) -> None:
        # tied entries of which one is held: all are
        model = Normal(2)
        matrix = np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0]])
        natural = model.from_parameters(mean=[1.0, 1.0], covariance=np.eye(2))
        space = Space(model, matrix).holding(["location"], natural)
        assert space.size == 2
        moved = space.vector(np.array([0.3, -0.2]))
        assert_close(moved[:2], natural[:2], 1e-14)
        assert_close(moved[2], moved[4], 1e-14)

    def test_nothing_left(self) -> None:
        model = Mixture(Normal(1), 2)
        natural = model.from_parameters(mean=[[0.0], [1.0]], covariance=np.ones((2, 1, 1)))
        space = Space(model, split=True)
        with pytest.raises(ValueError, match=r"^fix: nothing is left to learn"):
            space.holding(["likelihood", "prior"], natural)

    def test_outside(self) -> None:
        model = LinearGaussian(Normal(1), Boltzmann(2))
        natural = model.from_parameters(
            mean=[0.0], loadings=[[1.0, 2.0]], noise=[[1.0]], prior=np.zeros(3)
        )
        for split in (False, True):
            space = Space(model, split=split)
            good = space.to_vector(natural)
            bad, worse = good.copy(), good.copy()
            bad[1] = 0.5
            worse[3] = np.nan
            assert space.place(good) is not None
            assert space.place(bad) is None
            assert space.place(worse) is None
            assert space.outside(np.stack([good, bad, worse])).tolist() == [False, True, True]


class TestParts:
    model = Mixture(LinearGaussian(Normal(2, "diagonal"), Normal(1)), 2)

    def test_parts_make_the_whole(self) -> None:
        for names in (["likelihood", "prior"], ["observable", "latent", "interaction"]):
            entries = np.concatenate([part_of(self.model, name).entries for name in names])
            assert sorted(entries) == list(range(self.model.dimension))
        assert part_of(self.model, "prior").of_prior is True
        assert part_of(self.model, "latent").of_prior is False
        assert part_of(self.model, "observable").of_prior is None

    def test_of_parts(self) -> None:
        inner = self.model.observable
        for name in ("observable", "interaction", "latent", "likelihood", "shape"):
            assert np.array_equal(
                part_of(self.model, f"observable.{name}").entries, part_of(inner, name).entries
            )
        deep = LinearGaussian(Normal(3), Mixture(Normal(2), 2))
        own = part_of(deep, "prior.observable.shape").entries - deep.observable.dimension
        assert own.tolist() == [2, 3, 4]

    def test_shape_is_of_every_component(self) -> None:
        model = Mixture(Normal(1), 3)
        # theta_X = (m, s); the interaction is m's row, then s's
        assert part_of(model, "shape").entries.tolist() == [1, 6, 7]
        assert part_of(model, "location").entries.tolist() == [0, 4, 5]
        assert part_of(Normal(1), "shape").entries.tolist() == [1]

    def test_units(self) -> None:
        kept = ["likelihood", "prior", "interaction", "shape", "prior.latent", "observable.shape"]
        moved = ["latent", "location", "observable.latent"]
        assert [is_moved_by_units(name) for name in kept + moved] == [False] * 6 + [True] * 3

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("noise", 'parts of a model are "likelihood"'),
            ("likelihood.shape", "has no parts of its own"),
            ("observable.prior", "no linear part"),
            ("prior.mean", 'has "location" and "shape"'),
        ],
    )
    def test_unknown(self, name: str, words: str) -> None:
        with pytest.raises(ValueError, match=f"^fix: .*{words}"):
            part_of(self.model, name)

    def test_no_name(self) -> None:
        with pytest.raises(TypeError, match=r"^fix: names of parts"):
            part_of(self.model, 3)  # type: ignore[arg-type]
