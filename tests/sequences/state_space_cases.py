"""Random linear state-space models of every kind, with data, and the Nile."""

from dataclasses import dataclass

import numpy as np

from harmonium import LinearStateSpace
from harmonium.sequences import LinearStateSpaceProcess
from sequences.dense_normal import Answer, Floats, dense

#: Annual flow of the Nile at Aswan, 1871 to 1970, in 1e8 cubic metres (Cobb, 1978).
_NILE = """1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140
1100 1210 1150 1250 1260 1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726
456 824 702 1120 1100 832 764 821 768 845 864 862 698 845 744 796 1040 759 781 865 845 944 984 897
822 1010 771 676 649 846 812 742 801 1040 860 874 848 890 744 749 838 1050 918 986 797 923 975 815
1020 906 901 1170 912 746 919 718 714 740"""


def nile() -> Floats:
    return np.array(_NILE.split(), dtype=float)[:, None]


@dataclass
class Case:
    """A model at parameters with a sequence of few rows."""

    name: str
    process: LinearStateSpaceProcess
    x: Floats
    inputs: Floats | None

    @classmethod
    def of(
        cls,
        seed: int,
        *,
        d: int,
        p: int,
        n: int,
        q: int = 0,
        rank: int | None = None,
        noise: str = "diagonal",
        missing: float = 0.0,
        k: int = 0,
        tiny: float = 1.0,
        singular: bool = False,
    ) -> "Case":
        """``q`` diffuse directions, disturbances of ``rank``, noise by ``tiny``, ``k`` inputs."""
        rng = np.random.default_rng(seed)
        transition = 0.6 * rng.normal(size=(d, d))
        if singular:
            transition[:, 0] = transition[:, -1]
        root = rng.normal(size=(d, d if rank is None else rank))
        full = rng.normal(size=(p, p))
        variances = tiny * rng.uniform(0.1, 1, p)
        given = {
            "full": tiny * (full @ full.T + 0.1 * np.eye(p)),
            "singular": np.outer(full[0], full[0]),
            "diagonal": variances,
            "isotropic": variances[0],
            "zero": np.zeros(p),
        }[noise]
        structure = {"singular": "full", "zero": "diagonal"}.get(noise, noise)
        start = rng.normal(size=(d, d - q))
        x = 2 * rng.normal(size=(n, p))
        x[rng.random(x.shape) < missing] = np.nan
        model = LinearStateSpace(p, d, noise=structure, n_inputs=k)
        process = model.at(
            transition=transition,
            transition_noise=root @ root.T,
            loadings=rng.normal(size=(p, d)),
            noise=given,
            mean=rng.normal(size=p),
            offset=rng.normal(size=d),
            initial_mean=rng.normal(size=d),
            initial_covariance=start @ start.T,
            diffuse=rng.normal(size=(d, q)) if q else None,
            transition_inputs=rng.normal(size=(d, k)),
            observation_inputs=rng.normal(size=(p, k)),
        )
        inputs = rng.normal(size=(n, k)) if k else None
        parts = [f"{d} states, {p} columns, {noise} noise"]
        parts += [f"{q} diffuse"] * bool(q) + ["missing"] * bool(missing) + ["inputs"] * bool(k)
        parts += [f"rank {rank}"] * (rank is not None) + ["singular"] * singular
        return cls(", ".join(parts), process, x, inputs)

    def noise(self) -> Floats:
        own = self.process.parameters
        return own.noise if own.noise.ndim == 2 else own.noise * np.eye(own.n_observed)

    def exact(self, rows: int | None = None) -> Answer:
        own = self.process.parameters
        inputs = np.zeros((len(self.x), 0)) if self.inputs is None else self.inputs
        return dense(
            self.x,
            transition=own.transition,
            transition_noise=own.transition_noise,
            loadings=own.loadings,
            noise=self.noise(),
            initial_mean=own.initial_mean,
            initial_covariance=own.initial_covariance,
            offset=own.offset,
            mean=own.mean,
            diffuse=own.diffuse,
            transition_effect=inputs @ own.transition_inputs.T,
            observation_effect=inputs @ own.observation_inputs.T,
            rows=rows,
        )

    def rows_that_settle(self) -> int:
        """Rows after which no direction of the start is diffuse."""
        spread = self.process.filter(self.x, inputs=self.inputs).covariances
        return int(np.argmax(np.isfinite(spread).all((1, 2)))) + 1


def cases() -> list[Case]:
    return [
        Case.of(0, d=2, p=1, n=5),
        Case.of(1, d=3, p=2, n=5, noise="full", missing=0.3),
        Case.of(2, d=3, p=2, n=5, q=2, noise="isotropic"),
        Case.of(3, d=3, p=2, n=6, q=3, rank=2, noise="full", missing=0.2),
        Case.of(4, d=3, p=2, n=6, q=3, rank=1, missing=0.2),
        Case.of(5, d=2, p=2, n=5, noise="zero"),
        Case.of(6, d=3, p=1, n=7, q=3, rank=1, noise="zero"),
        Case.of(7, d=2, p=3, n=5, q=2, rank=0, noise="full", missing=0.3),
        Case.of(8, d=3, p=1, n=6, q=1, rank=2, noise="zero", missing=0.2),
        Case.of(9, d=2, p=3, n=5, k=2, missing=0.2),
        Case.of(10, d=3, p=3, n=5, q=1, k=1, noise="singular"),
        Case.of(11, d=3, p=2, n=6, q=2, singular=True, rank=2),
        Case.of(12, d=1, p=1, n=1 + 3, q=1),
    ]
