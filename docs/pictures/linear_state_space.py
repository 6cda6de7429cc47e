"""Draw docs/pictures/linear-state-space.png: the Nile's level, and a scalar model recovered.

python docs/pictures/linear_state_space.py
"""

from pathlib import Path

import numpy as np

from harmonium import LinearStateSpace
from harmonium.plotting.style import BRIGHT, SOFT_INK, dress, new_figure, style

NILE = """1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140
1100 1210 1150 1250 1260 1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726
456 824 702 1120 1100 832 764 821 768 845 864 862 698 845 744 796 1040 759 781 865 845 944 984 897
822 1010 771 676 649 846 812 742 801 1040 860 874 848 890 744 749 838 1050 918 986 797 923 975 815
1020 906 901 1170 912 746 919 718 714 740"""


def band(ax, time, mean, variance, colour, label):
    deviation = 1.96 * np.sqrt(variance)
    ax.plot(time, mean, color=colour, label=label)
    ax.fill_between(time, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)


def nile(ax):
    x = np.array(NILE.split(), dtype=float)[:, None]
    x[25:35] = np.nan
    model = LinearStateSpace(1, 1)
    start = model.at(
        transition=1, loadings=1, initial_covariance=np.inf, transition_noise=1e4, noise=1e4
    )
    fitted = model.fit(x, initial=start, learn=("noise", "transition_noise"))
    years, future = 1871 + np.arange(len(x)), 1971 + np.arange(15)
    smoothed, filtered = fitted.smooth(x), fitted.filter(x)
    ahead = fitted.forecast(x, 15)
    ax.plot(years, x[:, 0], "o", color=SOFT_INK, markersize=2.5, label="flow")
    ax.plot(years, filtered.means[:, 0], color=BRIGHT[3], linewidth=1, label="filtered level")
    band(
        ax, years, smoothed.means[:, 0], smoothed.covariances[:, 0, 0], BRIGHT[0], "smoothed level"
    )
    band(ax, future, ahead.mean[:, 0], ahead.covariance[:, 0, 0], BRIGHT[1], "forecast of the flow")
    ax.set_xlabel("year")
    ax.set_title("The Nile at Aswan, ten years left out (95 %)")
    ax.legend(loc="lower left", fontsize=7)


def scalar(path, histories):
    model, lengths = LinearStateSpace(1, 1), [20] * 250
    truth = model.at(
        transition=0.5, offset=2, transition_noise=4, loadings=1, noise=2, initial_covariance=1
    )
    x, z = truth.sample(5000, 1, lengths)
    far = model.at(
        transition=1, offset=0, transition_noise=10, loadings=1, noise=10, initial_covariance=10
    )
    learn = ("transition", "offset", "transition_noise", "noise", "initial")
    best = -truth.log_likelihood(x, lengths).sum() / len(x)
    for accelerate, colour, name in ((False, BRIGHT[3], "EM"), (True, BRIGHT[0], "accelerated")):
        fitted = model.fit(
            x, lengths, initial=far, learn=learn, accelerate=accelerate, warn=False, max_iter=200
        )
        histories.plot(fitted.history, color=colour, label=name)
    histories.axhline(best, color=SOFT_INK, linestyle="--", linewidth=1, label="truth")
    histories.set_xscale("symlog")
    histories.set_xlabel("iteration")
    histories.set_ylabel("nats a row")
    histories.set_title("Learning 250 sequences of 20 rows")
    histories.legend(fontsize=7)
    time, own = np.arange(1, 21), fitted.smooth(x[:20])
    path.plot(time, x[:20, 0], "o", color=SOFT_INK, markersize=3, label="data")
    path.plot(time, z[:20, 0], color=BRIGHT[2], label="true state")
    band(path, time, own.means[:, 0], own.covariances[:, 0, 0], BRIGHT[0], "smoothed, as learned")
    path.set_xlabel("row")
    path.set_title("One of the sequences")
    path.legend(fontsize=7)


def main():
    with style():
        figure = new_figure(11, 3.4)
        axes = [dress(figure.add_subplot(1, 3, i)) for i in (1, 2, 3)]
        nile(axes[0])
        scalar(axes[1], axes[2])
        figure.savefig(Path(__file__).with_name("linear-state-space.png"), dpi=130)


if __name__ == "__main__":
    main()
