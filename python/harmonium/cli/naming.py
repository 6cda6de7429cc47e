"""Names for columns that have none: those of latent variables, and of tables without a header."""

from collections.abc import Iterable, Sequence

from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.von_mises import VonMises
from harmonium.harmonium import Harmonium

_KINDS: tuple[tuple[type[ExponentialFamily], str], ...] = (
    (Normal, "factor"),
    (Boltzmann, "unit"),
    (Categorical, "cluster"),
    (VonMises, "angle"),
)


def feature_labels(names: Sequence[str] | None, n_columns: int) -> list[str]:
    """Return the names of the data's columns, or what stands for them."""
    return [f"column {j + 1}" for j in range(n_columns)] if names is None else list(names)


def latent_labels(latent: ExponentialFamily) -> list[str]:
    """Return names for the columns of the leading family of a latent: factor_0, factor_1, ..."""
    leading = latent.leading
    word = next((word for kind, word in _KINDS if isinstance(leading, kind)), "latent")
    if leading.n_features == 1 and isinstance(leading, Categorical):
        return [word]
    return [f"{word}_{j}" for j in range(leading.n_features)]


def hidden_labels(model: ExponentialFamily, taken: Iterable[str]) -> list[str]:
    """Return names for all latent columns of a sample, level by level, none of them ``taken``."""
    used = set(taken)
    out = []
    for label in _hidden(model):
        name, again = label, 2
        while name in used:
            name, again = f"{label}_{again}", again + 1
        used.add(name)
        out.append(name)
    return out


def _hidden(model: ExponentialFamily) -> list[str]:
    if not isinstance(model, Harmonium):
        return []
    return [*_hidden(model.observable), *latent_labels(model.latent), *_hidden(model.latent)]
