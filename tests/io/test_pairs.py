"""Models of any two families, saved and read again."""

from dataclasses import replace

import numpy as np
import pytest

from harmonium import Bernoulli, Harmonium, Mixture, Normal, Poisson
from harmonium.errors import ModelFileError
from harmonium.io import load_model, save_model
from harmonium.io.models import model_to_bytes
from harmonium.learning import fit_contrastive
from harmonium.rules import AnyPair


@pytest.mark.parametrize(
    "model",
    [
        Harmonium(Bernoulli(4), Bernoulli(3)),
        Harmonium(Normal(4, "diagonal"), Bernoulli(2), AnyPair(rows="location")),
        Harmonium(Poisson(4), Bernoulli(3), AnyPair((0, 2), (1,))),
        Harmonium(Bernoulli(4), Harmonium(Bernoulli(2), Bernoulli(2)), AnyPair(columns=(0, 1))),
    ],
)
def test_there_and_back(model, tmp_path):
    x = (np.random.default_rng(0).random((60, 4)) < 0.4).astype(float)
    if isinstance(model.observable, Normal):
        x = np.random.default_rng(0).normal(size=(60, 4))
    fitted = fit_contrastive(model, x, seed=0, n_epochs=2)
    save_model(tmp_path / "machine.harmonium", fitted, metadata={"epochs": 2})
    saved = load_model(tmp_path / "machine.harmonium")
    assert saved.fit.model == model
    assert np.array_equal(saved.fit.natural, fitted.natural)
    assert np.array_equal(saved.fit.history, fitted.history)
    assert np.array_equal(saved.fit.log_density(x), fitted.log_density(x))
    assert np.array_equal(saved.fit.latent(x), fitted.latent(x))
    assert all(map(np.array_equal, saved.fit.sample(5, 1), fitted.sample(5, 1)))


def test_large_machines_have_no_densities_but_files(tmp_path):
    model = Harmonium(Bernoulli(50), Bernoulli(40))
    x = (np.random.default_rng(0).random((30, 50)) < 0.4).astype(float)
    fitted = fit_contrastive(model, x, seed=0, n_epochs=1)
    save_model(tmp_path / "machine.harmonium", fitted)
    assert np.array_equal(load_model(tmp_path / "machine.harmonium").fit.natural, fitted.natural)


def test_a_point_of_another_kind_of_model_is_refused():
    pair = Harmonium(Poisson(1), Bernoulli(1))
    fitted = fit_contrastive(pair, [[1.0], [3.0]], seed=0, n_epochs=1)
    wrong = replace(fitted, model=Mixture(Poisson(1), 2))
    with pytest.raises(ValueError, match="has a Harmonium where its point has a PairPrepared"):
        model_to_bytes(wrong)
    assert issubclass(ModelFileError, ValueError)
