"""Linear state-space models: exact filtering and smoothing (Kalman), and EM."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harmonium.families.normal import Normal
from harmonium.learning.em import Step, em
from harmonium.learning.floating_point import steady
from harmonium.learning.loop import give_warnings, iterate, mean_log_scale
from harmonium.learning.standardisation import Standardisation, sample_rows, standardisation_of
from harmonium.sequences.linear_state_space_data import DrivenSequences, as_driven
from harmonium.sequences.linear_state_space_parameters import (
    LinearStateSpaceParameters,
    Structure,
    as_initial_covariance,
    as_noise,
    as_shape,
    as_structure,
    stationary,
)
from harmonium.sequences.linear_state_space_point import LinearStateSpacePoint, Part, as_parts
from harmonium.sequences.linear_state_space_process import LinearStateSpaceProcess
from harmonium.sequences.linear_state_space_start import start_process
from harmonium.sequences.linear_state_space_units import Units, units_of
from harmonium.validation import FloatArray, as_count, as_generator, as_positive


@dataclass(frozen=True, eq=False)
class LinearStateSpaceFit(LinearStateSpaceProcess):
    """A fitted model: a :class:`LinearStateSpaceProcess`, and how it was found.

    Attributes
    ----------
    history : (n_iterations + 1,) array
        Cross-entropy (nats a row, in the data's units) of the start and after each iteration.
    converged : bool
        Whether the residual reached the tolerance: a small gradient, not a lazy step.
    residual : float
        Largest standardised difference between average and model expectation.
    n_iterations : int
        How many iterations were made.
    message : str
        Why the fit ended.
    notes : frozenset of str
        What was moved inside its domain.
    """

    history: FloatArray
    converged: bool
    residual: float
    n_iterations: int
    message: str
    notes: frozenset[str] = field(default_factory=frozenset)

    @property
    def cross_entropy(self) -> float:
        """Average negative log density of the data, in nats a row."""
        return float(self.history[-1])


@dataclass(frozen=True)
class LinearStateSpace:
    """Sequences whose rows are noisy linear views of a state that moves linearly with noise.

    ``z_1 ~ N(m, P)``, ``z_t = o + A z_{t-1} + B u_t + w_t``, ``x_t = c + C z_t + D u_t + v_t``; ``u``
    are inputs, if any. Stateless and hashable; :meth:`at` gives it parameters and :meth:`fit` finds
    them, and both return a :class:`LinearStateSpaceProcess` that filters, smooths and forecasts. It
    is a harmonium whose latent is the whole path of states, a normal: each observation is an
    addition to its natural parameters.

    Parameters
    ----------
    n_observed : int
        Columns of an observation, p.
    n_states : int
        Dimension of the state, d.
    noise : {"full", "diagonal", "isotropic"}
        Structure of the covariance of v; "tied" is isotropic.
    transition_noise : {"full", "diagonal", "isotropic"}
        Structure of the covariance of w.
    n_inputs : int
        Columns of the inputs, k.
    """

    n_observed: int
    n_states: int
    noise: Structure = "diagonal"
    transition_noise: Structure = "full"
    n_inputs: int = 0

    def __post_init__(self) -> None:
        for name in ("n_observed", "n_states"):
            object.__setattr__(self, name, as_count(getattr(self, name), name=name))
        inputs = as_count(self.n_inputs, name="n_inputs", minimum=0)
        object.__setattr__(self, "n_inputs", inputs)
        for name in ("noise", "transition_noise"):
            object.__setattr__(self, name, as_structure(getattr(self, name), name))

    def at(
        self,
        *,
        transition: object,
        transition_noise: object,
        loadings: object,
        noise: object,
        initial_covariance: object,
        initial_mean: object = None,
        mean: object = None,
        offset: object = None,
        transition_inputs: object = None,
        observation_inputs: object = None,
        diffuse: object = None,
    ) -> LinearStateSpaceProcess:
        """Return the model at parameters; see :class:`LinearStateSpaceParameters` for shapes.

        Parameters
        ----------
        transition, loadings : arrays
            A and C; a single number fills a matrix.
        transition_noise, noise : number, variances or covariance
            Of w and v; zero is allowed.
        initial_covariance : number, variances, covariance or "stationary"
            Of the first row's state; infinite variances are diffuse starts, exactly. "stationary"
            is the law that the transition keeps, mean included unless it is given.
        initial_mean, mean, offset, transition_inputs, observation_inputs : arrays, optional
            Zero by default.
        diffuse : (d, q) array, optional
            Directions in which the first state is flat besides, in general position.

        Raises
        ------
        ValueError
            For arrays of another shape, covariances that are none or not of the model's structure,
            and a "stationary" start of an unstable transition.
        """
        d, p, k = self.n_states, self.n_observed, self.n_inputs
        own = {
            "transition": as_shape(transition, (d, d), "transition"),
            "transition_noise": as_noise(
                transition_noise, self.transition_noise, d, "transition_noise"
            ),
            "loadings": as_shape(loadings, (p, d), "loadings"),
            "noise": as_noise(noise, self.noise, p, "noise"),
            "mean": as_shape(mean, (p,), "mean"),
            "offset": as_shape(offset, (d,), "offset"),
            "transition_inputs": as_shape(transition_inputs, (d, k), "transition_inputs"),
            "observation_inputs": as_shape(observation_inputs, (p, k), "observation_inputs"),
        }
        first = as_shape(initial_mean, (d,), "initial_mean")
        if isinstance(initial_covariance, str):
            if initial_covariance != "stationary":
                raise ValueError(
                    f'initial_covariance: numbers or "stationary"; got {initial_covariance!r}'
                )
            kept = stationary(own["transition"], own["transition_noise"], own["offset"])
            first = kept[0] if initial_mean is None else first
            covariance, axes = kept[1], np.zeros((d, 0))
        else:
            covariance, axes = as_initial_covariance(initial_covariance, d)
        if diffuse is not None:
            more = np.atleast_2d(np.asarray(diffuse, dtype=float))
            axes = np.concatenate([axes, as_shape(diffuse, (d, more.shape[-1]), "diffuse")], 1)
        if np.linalg.matrix_rank(axes) < axes.shape[1]:
            raise ValueError("diffuse: directions that are combinations of others")
        return LinearStateSpaceProcess(
            LinearStateSpaceParameters(
                **own, initial_mean=first, initial_covariance=covariance, diffuse=axes
            )
        )

    def fit(
        self,
        x: object,
        lengths: object = None,
        *,
        inputs: object = None,
        weights: object = None,
        learn: object = None,
        initial: LinearStateSpaceProcess | None = None,
        seed: object = None,
        n_init: int = 1,
        max_iter: int = 1000,
        tol: float = 1e-6,
        accelerate: bool = True,
        checkpoint: bool = False,
        callback: Callable[[Step], object] | None = None,
        warn: bool = True,
    ) -> LinearStateSpaceFit:
        """Fit by exact expectation-maximisation (Shumway and Stoffer, 1982).

        Parameters
        ----------
        x : (n, p) table
            Sequences one below the other; NaN is a missing value, a row of NaN a missing
            observation.
        lengths : (n_sequences,) integers, optional
            How many rows each sequence has; by default there is one.
        inputs : (n, k) table, optional
            The inputs, if the model has them.
        weights : (n_sequences,) array, optional
            Weight of each sequence; an integer weight is that many repetitions.
        learn : names of parts, optional
            Of "transition", "offset", "transition_inputs", "transition_noise", "loadings", "mean",
            "observation_inputs", "noise", "initial_mean", "initial_covariance" ("initial" for both
            of the last); the others stay as they start. By default all, but for the offset where
            there are no inputs (a mean of the state, which ``mean`` has in its place), for the
            initial covariance where there are no more sequences than states, and for the law of a
            diffuse start. Noise that is zero stays zero in EM.
        initial : LinearStateSpaceProcess, optional
            Where to start: parameters from :meth:`at`, or an earlier fit. By default a realisation
            of the covariances of rows apart in time.
        seed : None, int or numpy Generator
            Source of the starting points after the first.
        n_init : int
            How many starting points to try; the most likely fit is kept.
        max_iter : int
            Most iterations; 0 returns the starting point.
        tol : float
            Bound on the standardised difference between average and model expectation.
        accelerate : bool
            Whether to step along the trend of EM where that raises the likelihood (SQUAREM).
        checkpoint : bool
            Whether to hold the steps of the square root of n rows at a time: less memory besides
            the data, for filtering twice.
        callback : function, optional
            Called with each :class:`~harmonium.learning.em.Step`; its exceptions pass through.
        warn : bool
            Whether to give ConvergenceWarning and BoundaryWarning.

        Raises
        ------
        ValueError
            For tables of another width, lengths that do not add up, a column without a value, a row
            that is impossible where there is no noise, a diffuse start that no row settles;
            nothing is half done.
        """
        max_iter = as_count(max_iter, name="max_iter", minimum=0)
        n_init = as_count(n_init, name="n_init")
        tol = as_positive(tol, name="tol", allow_zero=True)
        rng = as_generator(seed)
        given = as_driven(
            x,
            lengths,
            inputs,
            n_observed=self.n_observed,
            n_inputs=self.n_inputs,
            weights=weights,
            checkpoint=bool(checkpoint),
            empty_columns=False,
        )
        data = given.heavy()
        parts = self._parts(learn, data, initial)
        law = Normal(self.n_observed, self.noise)
        standard = standardisation_of(law, sample_rows(data))
        units = units_of(standard, data.inputs, parts)
        sequences = units.apply(data)
        best: LinearStateSpaceFit | None = None
        for attempt in range(1 if initial is not None else n_init):
            start = self._start(initial, sequences, units, rng if attempt else None)
            found = self._run(
                LinearStateSpacePoint(start, parts),
                sequences,
                (units, standard),
                max_iter,
                tol,
                accelerate,
                callback,
            )
            if best is None or found.history[-1] < best.history[-1]:
                best = found
        assert best is not None
        if warn:
            give_warnings(best, tol)
        return best

    def _parts(
        self,
        learn: object,
        data: DrivenSequences,
        initial: LinearStateSpaceProcess | None,
    ) -> frozenset[Part]:
        flat = initial is not None and bool(initial.parameters.diffuse.shape[1])
        if learn is not None:
            parts = as_parts(learn)
            if flat and parts & {"initial_mean", "initial_covariance"}:
                raise ValueError("learn: the law of a diffuse start can not be learned")
            if not self.n_inputs and parts & {"transition_inputs", "observation_inputs"}:
                raise ValueError("learn: the model has no inputs; make it with n_inputs=")
            return parts
        parts = as_parts(
            ("transition", "transition_noise", "loadings", "mean", "noise", "initial_mean")
        )
        if self.n_inputs:
            parts |= as_parts(("offset", "transition_inputs", "observation_inputs"))
        if flat:
            return parts - {"initial_mean"}
        return parts | as_parts("initial_covariance") if len(data) > self.n_states else parts

    @steady
    def _start(
        self,
        initial: LinearStateSpaceProcess | None,
        sequences: DrivenSequences,
        units: Units,
        rng: np.random.Generator | None,
    ) -> LinearStateSpaceParameters:
        if initial is None:
            return start_process(sequences, self.n_states, self.noise, self.transition_noise, rng)
        if not isinstance(initial, LinearStateSpaceProcess):
            raise TypeError(f"initial: a LinearStateSpaceProcess, as from at(...), not {initial!r}")
        own = initial.parameters
        d, p = self.n_states, self.n_observed
        forms = (
            (own.n_observed, own.n_states, own.n_inputs) == (p, d, self.n_inputs),
            own.noise.ndim == _axes(self.noise),
            own.transition_noise.ndim == _axes(self.transition_noise),
        )
        if not all(forms):
            raise ValueError(f"initial: parameters of another model than {self!r}")
        return units.into(own)

    def _run(
        self,
        start: LinearStateSpacePoint,
        sequences: DrivenSequences,
        coordinates: tuple[Units, Standardisation],
        max_iter: int,
        tol: float,
        accelerate: bool,
        callback: Callable[[Step], object] | None,
    ) -> LinearStateSpaceFit:
        units, standard = coordinates
        end = iterate(
            em(start, sequences, accelerate=accelerate),
            log_scale=mean_log_scale(sequences, standard),
            max_iter=max_iter,
            tol=tol,
            callback=callback,
        )
        assert isinstance(end.step.prepared, LinearStateSpacePoint)
        return LinearStateSpaceFit(
            units.out_of(end.step.prepared.parameters),
            end.history,
            end.converged,
            end.step.residual,
            end.step.iteration,
            end.message,
            end.step.all_notes(),
        )


def _axes(structure: Structure) -> int:
    return {"full": 2, "diagonal": 1, "isotropic": 0}[structure]
