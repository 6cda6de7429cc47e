"""Linear subspaces: expectations against the whole model's, and the models that they are."""

import numpy as np
import pytest

from harmonium import (
    Boltzmann,
    CoMPoisson,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
)
from harmonium.errors import BoundaryError
from harmonium.harmonium import Harmonium
from harmonium.learning import Subspace, absent, fit, lattice, on_graph, ring, shared_shape, tied
from harmonium.numerics.derivatives import jacobian
from harmonium.validation import FloatArray
from laws.tolerances import assert_close


def machine(edges: tuple[tuple[int, int], ...], n: int) -> tuple[Boltzmann, Subspace]:
    return Boltzmann(n, edges), on_graph(Boltzmann(n), edges)


GRAPHS = [(ring(5), 5), (lattice(2, 3), 6), ((), 3), (((1, 0),), 4)]


class TestGraphs:
    @pytest.mark.parametrize(("edges", "n"), GRAPHS, ids=["ring", "lattice", "none", "one"])
    def test_against_sparse_machines(self, edges: tuple[tuple[int, int], ...], n: int) -> None:
        sparse, space = machine(edges, n)
        assert space.dimension == sparse.dimension
        rng = np.random.default_rng(0)
        free = rng.normal(size=(4, sparse.dimension))
        assert_close(space.log_partition(free), sparse.log_partition(free), 1e-13)
        mean = space.to_mean(free)
        assert_close(mean, sparse.to_mean(free), 1e-12)
        assert_close(space.to_natural(mean[0]), free[0], 1e-8)

    def test_edges(self) -> None:
        assert ring(4) == ((1, 0), (2, 1), (3, 0), (3, 2))
        assert ring(2) == ((1, 0),)
        assert ring(1) == ()
        assert lattice(2, 2) == ((1, 0), (3, 2), (2, 0), (3, 1))
        assert len(lattice(3, 4)) == 3 * 3 + 2 * 4
        assert lattice(1, 1) == ()

    def test_all_edges(self) -> None:
        dense = Boltzmann(3)
        assert on_graph(dense, [(0, 1), (1, 2), (2, 0)]).dimension == dense.dimension

    def test_of_harmoniums(self) -> None:
        # the leading units, however deep; what is behind them is free
        model = LinearGaussian(Normal(2), Boltzmann(3))
        deep = Mixture(Boltzmann(3), 2)
        space = on_graph(deep, ((1, 0), (2, 1)))
        assert space.dimension == deep.dimension - 1
        assert on_graph(model.latent, ring(3)).within(model).dimension == model.dimension

    @pytest.mark.parametrize("family", [Normal(2), Boltzmann(3, ((1, 0),)), Mixture(Poisson(1), 2)])
    def test_no_dense_machine(self, family: Harmonium) -> None:
        with pytest.raises(ValueError, match=r"^family: a dense Boltzmann"):
            on_graph(family, ())


class TestExpectations:
    """A statistic A s(x): psi at the embedded point, means A eta, gradients A gradient."""

    def space(self) -> Subspace:
        rng = np.random.default_rng(1)
        return Subspace(Boltzmann(3), rng.normal(size=(3, 6)), 0.1 * rng.normal(size=6))

    def test_the_forward_mapping_is_the_gradient(self) -> None:
        space, free = self.space(), np.array([0.3, -0.2, 0.5])
        gradient = jacobian(lambda at: np.atleast_1d(space.log_partition(at)), free)[0]
        assert_close(space.to_mean(free), gradient, 1e-9)
        states = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
        statistic = space.family.sufficient_statistic(states)
        weights = np.exp(statistic @ space.embed(free))
        brute = (weights / weights.sum()) @ statistic @ space.matrix.T
        assert_close(space.to_mean(free), brute, 1e-13)

    def test_there_and_back(self) -> None:
        space, free = self.space(), np.array([0.3, -0.2, 0.5])
        assert_close(space.coordinates(space.embed(free)), free, 1e-12)
        assert_close(space.to_natural(space.to_mean(free)), free, 1e-8)

    def test_impossible_means(self) -> None:
        space = absent(Boltzmann(2), [2])
        with pytest.raises(BoundaryError, match=r"^mean: no law of the subspace"):
            space.to_natural([0.5, 1.5])

    def test_a_start_inside(self) -> None:
        space = tied(Normal(2, "diagonal"), (2, 3))
        mean = space.to_mean([1.0, 0.5, -0.5])
        with pytest.raises(ValueError, match=r"^start: 3 free parameters inside"):
            space.to_natural(mean)
        assert_close(space.to_natural(mean, [0.0, 0.0, -2.0]), np.array([1.0, 0.5, -0.5]), 1e-8)

    def test_tied_normals_are_isotropic(self) -> None:
        space, isotropic = tied(Normal(2, "diagonal"), (2, 3)), Normal(2, "isotropic")
        free = np.array([1.0, 0.5, -0.7])
        assert_close(space.log_partition(free), isotropic.log_partition(free), 1e-13)
        assert_close(space.to_mean(free), isotropic.to_mean(free), 1e-13)

    def test_means_of_rows(self) -> None:
        space = tied(Poisson(3), (0, 2))
        assert_close(space.restrict([1.0, 2.0, 4.0]), np.array([5.0, 2.0]), 1e-14)


class TestFits:
    def test_of_a_family(self) -> None:
        # tied rates: the maximum likelihood is the common average
        x = np.random.default_rng(0).poisson([2.0, 7.0, 4.0], (100, 3)).astype(float)
        for method in ("EM", "CE-GD"):
            options = {} if method == "EM" else {"optimiser": "L-BFGS"}
            found = fit(Poisson(3), x, method, subspace=tied(Poisson(3), (0, 2)), **options)  # type: ignore[arg-type]
            rates = np.exp(found.natural)
            average = x[:, [0, 2]].mean()
            np.testing.assert_allclose(rates, [average, x[:, 1].mean(), average], rtol=1e-6)

    def test_inverse_ising_on_a_lattice(self) -> None:
        edges = lattice(2, 3)
        sparse, space = machine(edges, 6)
        rng = np.random.default_rng(0)
        x = sparse.sample(rng.normal(size=sparse.dimension), rng, 400)
        found = fit(Boltzmann(6), x, subspace=space)
        assert_close(space.coordinates(found.natural), sparse.maximum_likelihood(x), 1e-4)

    def test_counts_with_a_shared_shape(self) -> None:
        # the paper's count mixture: categories move the location of Conway-Maxwell-Poissons only
        model = Mixture(CoMPoisson(2), 2)
        truth = model.from_parameters(
            weights=[0.5, 0.5], mode=[[2.0, 9.0], [8.0, 3.0]], shape=[[1.5, 1.5]] * 2
        )
        x = model.sample(truth, 0, 120)[:, :2]
        found = fit(model, x, seed=0, subspace=shared_shape(model), max_iter=3, warn=False)
        assert (np.diff(found.history) <= 1e-10 * found.history[1:]).all()
        shapes = model.to_parameters(found.natural).components.shape
        np.testing.assert_allclose(shapes[0], shapes[1], rtol=1e-9)

    def test_everything_is_the_whole(self) -> None:
        model = Mixture(Normal(1), 2)
        x = np.random.default_rng(0).normal(size=(60, 1))
        begun = fit(model, x, seed=0, max_iter=0, warn=False).natural
        whole = Subspace(model, np.eye(model.dimension))
        left = fit(model, x, initial=begun, subspace=whole, max_iter=5, warn=False)
        right = fit(model, x, initial=begun, max_iter=5, warn=False)
        np.testing.assert_allclose(left.history, right.history, rtol=1e-9)


class TestArguments:
    @pytest.mark.parametrize(
        ("matrix", "words"),
        [
            (np.ones((2, 3)), r"^matrix: shape \(2, 3\), expected \(size, 2\)"),
            (np.ones((0, 2)), r"^matrix: shape"),
            (np.ones((2, 2)), r"^matrix: 2 rows of rank 1"),
            (np.full((1, 2), np.nan), r"^matrix: not finite"),
        ],
    )
    def test_matrices(self, matrix: FloatArray, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Subspace(Normal(1), matrix)

    def test_others(self) -> None:
        with pytest.raises(ValueError, match=r"^offset: 2 finite numbers"):
            Subspace(Normal(1), np.eye(2), np.zeros(3))
        with pytest.raises(TypeError, match=r"^family"):
            Subspace(3, np.eye(2))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^groups: place 5"):
            tied(Normal(1), (0, 5))
        with pytest.raises(ValueError, match=r"^groups: place 0 is in more than one"):
            tied(Normal(1), (0, 1), (0,))
        with pytest.raises(ValueError, match=r"^places: 9"):
            absent(Normal(1), [9])
        with pytest.raises(ValueError, match=r"^natural: not in the subspace"):
            tied(Normal(1), (0, 1)).coordinates([1.0, -1.0])
        with pytest.raises(ValueError, match=r"^model: a harmonium whose latent"):
            tied(Normal(1), (0, 1)).within(Mixture(Normal(1), 2))
        with pytest.raises(TypeError, match=r"^model: a harmonium"):
            shared_shape(Normal(1))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^subspace: a Subspace"):
            fit(Normal(1), np.zeros((3, 1)), subspace=np.eye(2))  # type: ignore[arg-type]
