"""Draw docs/pictures/hidden_markov.png: spike counts, and the states found behind them.

python docs/pictures/hidden_markov.py
"""

from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap

from harmonium import HiddenMarkovModel, Poisson
from harmonium.plotting.style import BRIGHT, dress, new_figure, sequential, style

STEPS, NEURONS, STATES = 240, 8, 3


def main() -> None:
    rng = np.random.default_rng(2)
    model = HiddenMarkovModel(Poisson(NEURONS), STATES)
    transition = 0.95 * np.eye(STATES) + 0.05 / STATES
    truth = model.at(transition=transition, rate=rng.gamma(1.0, 0.7, (STATES, NEURONS)))
    counts, states = truth.sample(STEPS, 3)
    counts[150:165] = np.nan
    fitted = model.fit(counts, seed=0, n_init=5)
    # name the found states as the true ones
    order = [
        np.bincount(fitted.most_probable_path(counts).states[states == k]).argmax()
        for k in range(STATES)
    ]
    smoothed = fitted.smooth(counts).states[:, order]
    path = np.argsort(order)[fitted.most_probable_path(counts).states]
    with style():
        figure = new_figure(7.2, 4.2)
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(4, 3, 0.9))
        colours = sequential()
        image = top.imshow(counts.T, aspect="auto", cmap=colours, interpolation="nearest")
        top.set_ylabel("neuron")
        figure.colorbar(image, ax=(top, middle, bottom), label="spikes", fraction=0.03, pad=0.02)
        middle.stackplot(np.arange(STEPS), smoothed.T, colors=BRIGHT[:STATES], linewidth=0)
        middle.set_ylabel("P(state | all)")
        middle.set_ylim(0, 1)
        paths = np.stack([path, states])
        bottom.imshow(
            paths, aspect="auto", cmap=ListedColormap(BRIGHT[:STATES]), interpolation="nearest"
        )
        bottom.set_yticks([0, 1], ["path", "truth"])
        bottom.set_xlabel("time; grey: no observation")
        for axes in (top, middle, bottom):
            dress(axes).label_outer()
        figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
