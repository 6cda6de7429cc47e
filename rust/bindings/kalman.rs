//! Linear state-space models and their passes over sequences.

use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::stacks::{contiguous, watched};
use crate::kernels::error::require;
use crate::kernels::sequences::kalman::{
    self, Data, Filtered, Matrix, Model, Noise, Smoothed, moments,
};

fn rows_of(array: &PyReadonlyArray2<'_, f64>) -> Matrix {
    let view = array.as_array();
    let data: Vec<f64> = view.iter().copied().collect();
    Matrix::from_rows(view.nrows(), view.ncols(), &data)
}

/// A linear state-space model at its parameters, ready for sequences.
#[pyclass(frozen, module = "harmonium._kernels")]
pub struct StateSpace {
    model: Model,
}

/// Sequences as they come from Python.
struct Table<'py> {
    x: PyReadonlyArray2<'py, f64>,
    inputs: PyReadonlyArray2<'py, f64>,
    offsets: Vec<usize>,
}

impl<'py> Table<'py> {
    fn new(
        x: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: &PyReadonlyArray1<'py, i64>,
    ) -> PyResult<Self> {
        let places: Result<Vec<usize>, _> = offsets
            .as_array()
            .iter()
            .map(|&o| usize::try_from(o))
            .collect();
        let offsets = places.map_err(|_| PyValueError::new_err("offsets: negative"))?;
        Ok(Self { x, inputs, offsets })
    }

    fn data<'a>(&'a self, weights: Option<&'a [f64]>) -> PyResult<Data<'a>> {
        Ok(Data {
            x: contiguous(&self.x, "x")?,
            inputs: contiguous(&self.inputs, "inputs")?,
            offsets: &self.offsets,
            weights,
        })
    }

    fn rows(&self) -> usize {
        self.x.as_array().nrows()
    }
}

/// Room for rows × states × states numbers, or none.
fn room(wanted: bool, rows: usize, states: usize, power: u32) -> Vec<f64> {
    vec![0.0; if wanted { rows * states.pow(power) } else { 0 }]
}

type Vectors<'py> = Bound<'py, PyArray2<f64>>;
type Matrices<'py> = Bound<'py, PyArray3<f64>>;

fn vectors(py: Python<'_>, data: Vec<f64>, width: usize) -> PyResult<Vectors<'_>> {
    let rows = data.len() / width;
    data.into_pyarray(py).reshape([rows, width])
}

fn matrices(py: Python<'_>, data: Vec<f64>, width: usize) -> PyResult<Matrices<'_>> {
    let rows = data.len() / (width * width);
    data.into_pyarray(py).reshape([rows, width, width])
}

#[pymethods]
impl StateSpace {
    /// A model from its parameters: initial mean, root of the initial covariance, diffuse
    /// directions; transition, offset, inputs' effects, root of its noise; loadings, mean, inputs'
    /// effects, and noise: variances in one row, or a square covariance.
    #[new]
    #[allow(clippy::too_many_arguments)] // a model has so many parts
    fn new(
        initial_mean: PyReadonlyArray1<'_, f64>,
        initial_root: PyReadonlyArray2<'_, f64>,
        diffuse: PyReadonlyArray2<'_, f64>,
        transition: PyReadonlyArray2<'_, f64>,
        offset: PyReadonlyArray1<'_, f64>,
        transition_inputs: PyReadonlyArray2<'_, f64>,
        transition_root: PyReadonlyArray2<'_, f64>,
        loadings: PyReadonlyArray2<'_, f64>,
        mean: PyReadonlyArray1<'_, f64>,
        observation_inputs: PyReadonlyArray2<'_, f64>,
        noise: PyReadonlyArray2<'_, f64>,
        correlated: bool,
    ) -> PyResult<Self> {
        let noise = rows_of(&noise);
        let model = Model {
            initial_mean: initial_mean.to_vec()?,
            initial_root: rows_of(&initial_root),
            diffuse: rows_of(&diffuse),
            transition: rows_of(&transition),
            offset: offset.to_vec()?,
            transition_inputs: rows_of(&transition_inputs),
            transition_root: rows_of(&transition_root),
            loadings: rows_of(&loadings),
            mean: mean.to_vec()?,
            observation_inputs: rows_of(&observation_inputs),
            noise: if correlated {
                Noise::Full(noise)
            } else {
                Noise::Diagonal(noise.data().to_vec())
            },
        };
        model.check()?;
        Ok(Self { model })
    }

    /// Log densities of the rows given those before; means and covariances of the states before
    /// and after each row, of no rows where not wanted.
    #[allow(clippy::type_complexity)] // five arrays
    fn filter<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        states: bool,
        threads: usize,
    ) -> PyResult<(
        Bound<'py, PyArray1<f64>>,
        Vectors<'py>,
        Matrices<'py>,
        Vectors<'py>,
        Matrices<'py>,
    )> {
        let table = Table::new(x, inputs, &offsets)?;
        let (rows, d) = (table.rows(), self.model.states());
        let mut log_densities = vec![0.0; rows];
        let mut means = [room(states, rows, d, 1), room(states, rows, d, 1)];
        let mut covariances = [room(states, rows, d, 2), room(states, rows, d, 2)];
        let data = table.data(None)?;
        let [before, after] = &mut means;
        let [spread_before, spread_after] = &mut covariances;
        let out = Filtered {
            log_densities: &mut log_densities,
            predicted_means: before,
            predicted_covariances: spread_before,
            filtered_means: after,
            filtered_covariances: spread_after,
        };
        watched(py, threads, |watch| {
            kalman::filter(&self.model, data, out, watch)
        })?;
        let [before, after] = means;
        let [spread_before, spread_after] = covariances;
        Ok((
            log_densities.into_pyarray(py),
            vectors(py, before, d)?,
            matrices(py, spread_before, d)?,
            vectors(py, after, d)?,
            matrices(py, spread_after, d)?,
        ))
    }

    /// Log densities of the rows given those before; means and covariances of the states given all
    /// rows, and covariances with the state before, of no rows where not wanted.
    #[allow(clippy::type_complexity, clippy::too_many_arguments)]
    fn smooth<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        covariances: bool,
        length: usize,
        threads: usize,
    ) -> PyResult<(
        Bound<'py, PyArray1<f64>>,
        Vectors<'py>,
        Matrices<'py>,
        Matrices<'py>,
    )> {
        let table = Table::new(x, inputs, &offsets)?;
        let (rows, d) = (table.rows(), self.model.states());
        let mut log_densities = vec![0.0; rows];
        let mut means = room(true, rows, d, 1);
        let mut spread = room(covariances, rows, d, 2);
        let mut lag_one = room(covariances, rows, d, 2);
        let data = table.data(None)?;
        let out = Smoothed {
            log_densities: &mut log_densities,
            means: &mut means,
            covariances: &mut spread,
            lag_one: &mut lag_one,
        };
        watched(py, threads, |watch| {
            kalman::smooth(&self.model, data, length, out, watch)
        })?;
        Ok((
            log_densities.into_pyarray(py),
            vectors(py, means, d)?,
            matrices(py, spread, d)?,
            matrices(py, lag_one, d)?,
        ))
    }

    /// The sums that EM needs.
    #[allow(clippy::too_many_arguments)]
    fn moments<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        weights: Option<PyReadonlyArray1<'py, f64>>,
        length: usize,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let table = Table::new(x, inputs, &offsets)?;
        let weights = weights.as_ref().map(|w| w.as_slice()).transpose()?;
        let data = table.data(weights)?;
        let sums = watched(py, threads, |watch| {
            moments(&self.model, data, length, watch)
        })?;
        Ok(sums.into_pyarray(py))
    }

    /// Draws of the states' paths given the rows: (n, rows, states).
    #[allow(clippy::too_many_arguments)]
    fn sample_paths<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        n: usize,
        seed: u64,
        length: usize,
        threads: usize,
    ) -> PyResult<Matrices<'py>> {
        let table = Table::new(x, inputs, &offsets)?;
        let (rows, d) = (table.rows(), self.model.states());
        let mut paths = vec![0.0; n * rows * d];
        let data = table.data(None)?;
        watched(py, threads, |watch| {
            kalman::sample_paths(&self.model, data, length, (seed, n), &mut paths, watch)
        })?;
        paths.into_pyarray(py).reshape([n, rows, d])
    }

    /// Simulated sequences: states and observations, with the noise's root given.
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        noise_root: PyReadonlyArray2<'py, f64>,
        inputs: PyReadonlyArray2<'py, f64>,
        offsets: PyReadonlyArray1<'py, i64>,
        seed: u64,
        threads: usize,
    ) -> PyResult<(Vectors<'py>, Vectors<'py>)> {
        let (d, p) = (self.model.states(), self.model.observed());
        let root = rows_of(&noise_root);
        let table = Table::new(inputs.clone(), inputs, &offsets)?;
        let rows = table.rows();
        require(table.offsets.last() == Some(&rows), || {
            "offsets: they must end with the inputs' rows".into()
        })?;
        let (mut states, mut x) = (vec![0.0; rows * d], vec![0.0; rows * p]);
        let given = (&table.offsets[..], contiguous(&table.inputs, "inputs")?);
        watched(py, threads, |watch| {
            let out = (&mut states[..], &mut x[..]);
            kalman::simulate(&self.model, &root, given, seed, out, watch)
        })?;
        Ok((vectors(py, states, d)?, vectors(py, x, p)?))
    }
}
