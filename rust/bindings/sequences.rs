//! Chains of hidden states, and their recursions over tables of emission log densities.

use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::stacks::{contiguous, watched};
use crate::kernels::error::{KernelError, require};
use crate::kernels::sequences::chain::{Chain as Kernel, Sequences};
use crate::kernels::sequences::message::Message;
use crate::kernels::sequences::paths::draw_paths;
use crate::kernels::sequences::smoothing::{self, Options};
use crate::kernels::sequences::sweep::{Direction, Messages, Start, sweeps};
use crate::kernels::sequences::viterbi::most_probable_paths;

/// Initial and transition probabilities of a hidden Markov model.
#[pyclass(frozen, module = "harmonium._kernels")]
pub struct Chain {
    kernel: Kernel,
}

/// A message and whether it is in logarithms.
type End<'py> = (PyReadonlyArray1<'py, f64>, bool);
/// The same, handed out.
type GivenEnd<'py> = (Bound<'py, PyArray1<f64>>, bool);
/// Log densities of sequences and where these begin and end.
struct Given<'py> {
    logs: PyReadonlyArray2<'py, f64>,
    offsets: Vec<usize>,
}

impl<'py> Given<'py> {
    fn new(
        logs: PyReadonlyArray2<'py, f64>,
        offsets: &PyReadonlyArray1<'py, i64>,
        k: usize,
    ) -> PyResult<Self> {
        require(logs.as_array().ncols() == k, || {
            "log densities: not rows × states".into()
        })?;
        let offsets = offsets
            .as_array()
            .iter()
            .map(|&o| usize::try_from(o))
            .collect::<Result<_, _>>()
            .map_err(|_| PyValueError::new_err("offsets: negative"))?;
        Ok(Self { logs, offsets })
    }

    fn sequences(&self, k: usize) -> PyResult<Sequences<'_>> {
        let logs = contiguous(&self.logs, "log densities")?;
        Ok(Sequences::new(logs, k, &self.offsets)?)
    }
}

fn start<'a>(end: Option<&'a End<'_>>, k: usize) -> PyResult<Option<Start<'a>>> {
    end.map(|(values, in_logs)| {
        let values = values.as_slice()?;
        require(values.len() == k, || {
            "a message: not one of each state".into()
        })?;
        Ok(Start(Message {
            values,
            in_logs: *in_logs,
        }))
    })
    .transpose()
}

#[pymethods]
impl Chain {
    /// Initial probabilities (states) and transition probabilities (states × states).
    #[new]
    fn new(
        initial: PyReadonlyArray1<'_, f64>,
        transition: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Self> {
        let initial = initial.as_array().iter().copied().collect();
        let kernel = Kernel::new(initial, contiguous(&transition, "transition")?)?;
        Ok(Self { kernel })
    }

    /// Predictions of each row's state by the rows before it, (rows, states), which of them are
    /// in logarithms, and the log predictive densities of the rows. Errors count from `origin`.
    #[pyo3(signature = (log_densities, offsets, threads, first = None, *, origin = 0))]
    #[allow(clippy::type_complexity)] // three arrays
    fn predict<'py>(
        &self,
        py: Python<'py>,
        log_densities: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        threads: usize,
        first: Option<End<'py>>,
        origin: usize,
    ) -> PyResult<(
        Bound<'py, PyArray2<f64>>,
        Bound<'py, PyArray1<bool>>,
        Bound<'py, PyArray1<f64>>,
    )> {
        let k = self.kernel.k;
        let given = Given::new(log_densities, &offsets, k)?;
        let sequences = given.sequences(k)?;
        let first = start(first.as_ref(), k)?;
        let ([predicted], norms) = watched(py, threads, |watch| {
            sweeps(
                &self.kernel,
                sequences,
                [(Direction::Forwards, first)],
                watch,
            )
            .map_err(|error| error.counted_from(origin))
        })?;
        Ok((
            predicted
                .values
                .into_pyarray(py)
                .reshape([sequences.rows(), k])?,
            predicted.in_logs.into_pyarray(py),
            norms.into_pyarray(py),
        ))
    }

    /// Probabilities of states given the rows so far, and the log predictive densities.
    #[allow(clippy::type_complexity)] // two arrays
    fn filter<'py>(
        &self,
        py: Python<'py>,
        log_densities: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        threads: usize,
    ) -> PyResult<(Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>)> {
        let k = self.kernel.k;
        let given = Given::new(log_densities, &offsets, k)?;
        let sequences = given.sequences(k)?;
        let filtered = watched(py, threads, |watch| {
            smoothing::filter(&self.kernel, sequences, watch)
        })?;
        Ok((
            filtered
                .states
                .into_pyarray(py)
                .reshape([sequences.rows(), k])?,
            filtered.log_predictive.into_pyarray(py),
        ))
    }

    /// Posteriors of states (rows, states), log predictive densities, expected numbers of
    /// transitions (states, states), pairs (rows, states, states) if asked for, and the backward
    /// message of the first row. States and transitions are times the weights.
    #[pyo3(signature = (
        log_densities, offsets, threads, weights = None, pairs = false, first = None, last = None,
        *, origin = 0
    ))]
    #[allow(clippy::too_many_arguments, clippy::type_complexity)] // all that is known of both ends
    fn smooth<'py>(
        &self,
        py: Python<'py>,
        log_densities: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        threads: usize,
        weights: Option<PyReadonlyArray1<'py, f64>>,
        pairs: bool,
        first: Option<End<'py>>,
        last: Option<End<'py>>,
        origin: usize,
    ) -> PyResult<(
        Bound<'py, PyArray2<f64>>,
        Bound<'py, PyArray1<f64>>,
        Bound<'py, PyArray2<f64>>,
        Option<Bound<'py, PyArray3<f64>>>,
        GivenEnd<'py>,
    )> {
        let k = self.kernel.k;
        let given = Given::new(log_densities, &offsets, k)?;
        let sequences = given.sequences(k)?;
        let options = Options {
            weights: weights.as_ref().map(|w| w.as_slice()).transpose()?,
            pairs,
            first: start(first.as_ref(), k)?,
            last: start(last.as_ref(), k)?,
        };
        let out = watched(py, threads, |watch| {
            smoothing::smooth(&self.kernel, sequences, options, watch)
                .map_err(|error| error.counted_from(origin))
        })?;
        let rows = sequences.rows();
        let listed = pairs
            .then(|| out.pairs.into_pyarray(py).reshape([rows, k, k]))
            .transpose()?;
        let left = out.backwards.values[..k].to_vec().into_pyarray(py);
        Ok((
            out.states.into_pyarray(py).reshape([rows, k])?,
            out.log_predictive.into_pyarray(py),
            out.transitions.into_pyarray(py).reshape([k, k])?,
            listed,
            (left, out.backwards.in_logs[0]),
        ))
    }

    /// The most probable path of every sequence, and their log probabilities.
    #[allow(clippy::type_complexity)] // two arrays
    fn most_probable_paths<'py>(
        &self,
        py: Python<'py>,
        log_densities: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        threads: usize,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
        let k = self.kernel.k;
        let given = Given::new(log_densities, &offsets, k)?;
        let sequences = given.sequences(k)?;
        let out = watched(py, threads, |watch| {
            most_probable_paths(&self.kernel, sequences, watch)
        })?;
        Ok((
            out.states.into_pyarray(py),
            out.log_probabilities.into_pyarray(py),
        ))
    }

    /// Paths (draws, rows) from their posterior, one for each row of `uniforms` (draws, rows),
    /// given what [`Chain::predict`] found.
    #[allow(clippy::too_many_arguments)] // what was found, and what to draw with
    fn draw_paths<'py>(
        &self,
        py: Python<'py>,
        log_densities: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        predicted: PyReadonlyArray2<'py, f64>,
        in_logs: PyReadonlyArray1<'py, bool>,
        uniforms: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let k = self.kernel.k;
        let given = Given::new(log_densities, &offsets, k)?;
        let sequences = given.sequences(k)?;
        let messages = Messages {
            values: contiguous(&predicted, "predicted")?.to_vec(),
            in_logs: in_logs.as_slice()?.to_vec(),
        };
        let (draws, columns) = uniforms.as_array().dim();
        if columns != sequences.rows() {
            return Err(KernelError::Shape("uniforms: not draws × rows".into()).into());
        }
        let uniforms = contiguous(&uniforms, "uniforms")?;
        let out = watched(py, threads, |watch| {
            draw_paths(&self.kernel, sequences, &messages, uniforms, watch)
        })?;
        out.into_pyarray(py).reshape([draws, columns])
    }
}
