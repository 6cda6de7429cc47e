"""Reduction and clustering at once: handwritten digits, seen from a few hidden numbers."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from harmonium.cli.demo.matching import matched_colours
from harmonium.cli.demo.section import Picture, Section, quiet
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.tables import Digits, digits
from harmonium.cli.demo.thumbnails import draw_thumbnails
from harmonium.cli.watch import Tell
from harmonium.families.normal import Normal
from harmonium.learning.fit import Fit, fit
from harmonium.models import LinearGaussian, Mixture
from harmonium.plotting import (
    components_of,
    latent_plane,
    new_figure,
    plot_history,
    plot_points,
    posterior_shares,
)
from harmonium.plotting.style import dress, style
from harmonium.validation import FloatArray

_GROUPS = 10


def reduction(size: Size, tell: Tell) -> tuple[Section, Fit, Digits]:
    """Fit the joint model to digits, beside reduction first and clustering afterwards."""
    data = digits(size.digits)
    x, n = data.x, len(data.x)
    order = np.random.default_rng(0).permutation(n)
    seen, unseen = order[: 3 * n // 4], order[3 * n // 4 :]
    # one noise for all pixels: with one for each, those that are almost always blank would buy
    # likelihood without end, and the latent would describe them
    model = LinearGaussian(
        Normal(x.shape[1], "isotropic"), Mixture(Normal(size.digit_latent), _GROUPS)
    )
    fits = []
    for seed in range(size.digit_starts):
        tell(f"groups of digits: start {seed + 1} of {size.digit_starts}")
        fits.append(
            fit(
                model,
                x[seen],
                seed=seed,
                accelerate=True,
                max_iter=size.iterations,
                warn=False,
            )
        )
    best = min(fits, key=lambda f: f.cross_entropy)
    labels = posterior_shares(best, x).argmax(-1)
    tell("groups of digits: reduction first, clustering afterwards")
    steps_score, steps_labels = _two_steps(x, seen, unseen, size)
    joint_score = float(best.log_density(x[unseen]).mean())
    agreement = _agreement(data.digits, labels)
    steps_agreement = _agreement(data.digits, steps_labels)
    tell("drawing digits")
    return (
        Section(
            name="digits",
            title="Handwriting, sorted without a teacher",
            paragraphs=(
                f"{n} small images of handwritten digits. The model supposes that each image is "
                f"made from {size.digit_latent} hidden numbers (how slanted, how round, how "
                f"closed …), and that in the space of these numbers images gather in {_GROUPS} "
                "groups. It learns the numbers and the groups at the same time, and never sees "
                "which digit was meant.",
                "Below the pictures it is compared with the usual two steps: first principal "
                "components, then a mixture in their space. Both are densities of the same "
                "pixels, so their scores on images neither has seen can be compared.",
            ),
            pictures=(
                Picture(
                    "digits-latent",
                    "Every dot is an image, at the place of its hidden numbers, coloured by the "
                    "group the model puts it in; of the many dimensions you see the plane in "
                    "which the groups overlap least. Small images: what the model expects "
                    "of each group.",
                    "Ten coloured clouds of dots, each with a small image of a digit.",
                    latent_picture(best, data, 4.8, 4.6),
                ),
                Picture(
                    "digits-truth",
                    "The same dots, coloured by the digit that was meant, which the model was never "
                    "told. (Each group has the colour of the digit it fits best, so that the "
                    "two pictures can be compared.)",
                    "The same clouds in the colours of the true digits.",
                    _truth_picture(best, data),
                ),
                Picture(
                    "digits-means",
                    "The average image of each group, how many images it holds, and which digit "
                    "most of them are.",
                    "Ten blurred digits, framed in the colours of their groups.",
                    _means_picture(best, data),
                    wide=True,
                ),
                Picture(
                    "digits-learning",
                    "Learning, from several starts; the thick line is kept.",
                    "Log-likelihood per image over the iterations.",
                    _history_picture(fits),
                ),
            ),
            numbers={
                "data": f"digits, {n} × {x.shape[1]} pixels that vary, three quarters for learning",
                "latent_dimensions": size.digit_latent,
                "joint": {
                    "log_likelihood_per_row": -best.cross_entropy,
                    "held_out_log_likelihood_per_row": joint_score,
                    "adjusted_rand_index": agreement,
                    "adjusted_rand_index_held_out": _agreement(data.digits[unseen], labels[unseen]),
                    "iterations": best.n_iterations,
                    "converged": best.converged,
                    "residual": best.residual,
                    "all_starts": sorted((-f.cross_entropy for f in fits), reverse=True),
                },
                "principal_components_then_mixture": {
                    "held_out_log_likelihood_per_row": steps_score,
                    "adjusted_rand_index": steps_agreement,
                    "adjusted_rand_index_held_out": _agreement(
                        data.digits[unseen], steps_labels[unseen]
                    ),
                },
            },
            table=(
                ("", "log-likelihood per unseen image", "agreement with the digits"),
                ("both at once (harmonium)", f"{joint_score:.2f}", f"{agreement:.2f}"),
                ("two steps (scikit-learn)", f"{steps_score:.2f}", f"{steps_agreement:.2f}"),
            ),
        ),
        best,
        data,
    )


def _agreement(truth: FloatArray, labels: Any) -> float:
    return float(adjusted_rand_score(truth, labels))


def _two_steps(x: FloatArray, seen: Any, unseen: Any, size: Size) -> tuple[float, Any]:
    """Held-out score and labels of principal components, then a mixture of their scores.

    As a density of pixels: the mixture across the components, and beside them, in all other
    directions, noise of the variance that the components leave.
    """
    m, d = size.digit_latent, x.shape[1]
    components = PCA(m, random_state=0).fit(x[seen])
    with quiet():
        mixture = GaussianMixture(
            _GROUPS, n_init=size.digit_starts, max_iter=1000, random_state=0
        ).fit(components.transform(x[seen]))

    def left(rows: FloatArray) -> float:
        restored = components.inverse_transform(components.transform(rows))
        return float(((rows - restored) ** 2).sum(-1).mean())

    variance = left(x[seen]) / (d - m)
    beside = -0.5 * left(x[unseen]) / variance - 0.5 * (d - m) * np.log(2 * np.pi * variance)
    score = mixture.score(components.transform(x[unseen])) + beside
    return float(score), mixture.predict(components.transform(x))


def latent_picture(best: Fit, data: Digits, width: float, height: float) -> Any:
    """Return the latent plane, with the images that the model expects of each group."""
    with style():
        figure = new_figure(width, height)
        draw_latent(dress(figure.add_subplot()), best, data)
        return figure


def draw_latent(axes: Any, best: Fit, data: Digits) -> None:
    """Draw images by group in the latent plane, and what the model expects of each group."""
    shares = posterior_shares(best, data.x)
    labels = shares.argmax(-1)
    places = latent_plane(best, data.x)
    _frame(axes, places)
    shades = matched_colours(labels, data.digits, _GROUPS, 10)
    held = np.unique(labels)
    centres = np.stack([np.median(places[labels == k], 0) for k in held])
    for k in held:
        own = places[labels == k]
        axes.scatter(own[:, 0], own[:, 1], s=7, color=shades[k], alpha=0.75, linewidths=0)
    axes.figure.draw_without_rendering()
    draw_thumbnails(axes, _expected(best, data)[held], centres, [shades[k] for k in held])


def _frame(axes: Any, places: FloatArray) -> None:
    low, high = places.min(0), places.max(0)
    margin = 0.04 * (high - low)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    axes.set_xlabel("latent direction 1 (sd within a group)")
    axes.set_ylabel("latent direction 2 (sd within a group)")


def _expected(best: Fit, data: Digits) -> FloatArray:
    """The mean image (k, 8, 8) of each group under the model."""
    images = np.zeros((_GROUPS, len(data.varying)))
    images[:, data.varying] = components_of(best).means
    return images.reshape(_GROUPS, 8, 8)


def _truth_picture(best: Fit, data: Digits) -> Any:
    with style():
        figure = new_figure(4.8, 4.6)
        axes = dress(figure.add_subplot())
        places = latent_plane(best, data.x)
        _frame(axes, places)
        plot_points(places, data.digits, size=7, legend_title="digit", ax=axes)
        return figure


def _means_picture(best: Fit, data: Digits) -> Any:
    shares = posterior_shares(best, data.x)
    labels = shares.argmax(-1)
    shades = matched_colours(labels, data.digits, _GROUPS, 10)
    images = _expected(best, data)
    counts = np.bincount(labels, minlength=_GROUPS)
    meant = [
        np.bincount(data.digits[labels == k], minlength=10) if counts[k] else np.zeros(10)
        for k in range(_GROUPS)
    ]
    order = sorted(range(_GROUPS), key=lambda k: (int(meant[k].argmax()), -counts[k]))
    with style():
        figure = new_figure(7.6, 3.5)
        for axes, k in zip(figure.subplots(2, _GROUPS // 2).flat, order, strict=True):
            axes.imshow(images[k], cmap="Greys", vmin=0, vmax=16)
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_edgecolor(shades[k])
                spine.set_linewidth(2.5)
            share = meant[k].max() / max(counts[k], 1)
            axes.set_title(
                f"{counts[k]} images\n{share:.0%} meant as {meant[k].argmax()}".replace("%", " %"),
                fontsize=8,
                loc="center",
            )
        return figure


def _history_picture(fits: list[Fit]) -> Any:
    with style():
        figure = new_figure(4.8, 3.6)
        axes = plot_history(fits, ax=dress(figure.add_subplot()))
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.set_xlabel("iteration (logarithmic)")
        axes.set_ylabel("log-likelihood per image (nats)")
        return figure
