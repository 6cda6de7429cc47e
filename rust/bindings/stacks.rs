//! What can meet data, and the passes over it.

use std::sync::{Arc, Mutex};

use nalgebra::DMatrix;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadonlyArray3,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::latents::Latent;
use crate::kernels::error::{KernelError, require};
use crate::kernels::pass::{self, Table, Watch};
use crate::kernels::stack::Stack as Kernel;
use crate::kernels::stack::linear::LinearStack;
use crate::kernels::stack::mixture::MixtureStack;
use crate::kernels::stack::normal::{Covariance, NormalStack};
use crate::kernels::stack::product::ProductStack;
use crate::kernels::stack::statistic::{Statistic, StatisticStack};

/// A stack of points of one family, ready for the expectation pass.
#[pyclass(frozen, module = "harmonium._kernels")]
pub struct Stack {
    kernel: Arc<dyn Kernel>,
}

fn covariance_of(name: &str) -> PyResult<Covariance> {
    match name {
        "full" => Ok(Covariance::Full),
        "diagonal" => Ok(Covariance::Diagonal),
        "isotropic" => Ok(Covariance::Isotropic),
        _ => Err(PyValueError::new_err(format!("covariance: {name:?}"))),
    }
}

/// The numbers of a C-contiguous table, or an error that names it.
pub(super) fn contiguous<'a>(
    array: &'a PyReadonlyArray2<'_, f64>,
    name: &str,
) -> PyResult<&'a [f64]> {
    array
        .as_slice()
        .map_err(|_| PyValueError::new_err(format!("{name}: not C-contiguous")))
}

/// Run work without the GIL; pending signals (Ctrl-C) end it.
pub(super) fn watched<T: Send>(
    py: Python<'_>,
    threads: usize,
    work: impl FnOnce(&mut Watch<'_>) -> Result<T, KernelError> + Send,
) -> PyResult<T> {
    let signal: Mutex<Option<PyErr>> = Mutex::new(None);
    let result = py.detach(|| {
        // the method itself is not general enough in its lifetime
        #[allow(clippy::redundant_closure_for_method_calls)]
        let check = || Python::attach(|py| py.check_signals());
        let mut interrupted = || match check() {
            Ok(()) => false,
            Err(error) => {
                if let Ok(mut slot) = signal.lock() {
                    *slot = Some(error);
                }
                true
            }
        };
        work(&mut Watch {
            threads,
            interrupted: &mut interrupted,
        })
    });
    match signal.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(result?),
    }
}

#[pymethods]
impl Stack {
    /// Columns of data it reads.
    #[getter]
    fn features(&self) -> usize {
        self.kernel.features()
    }

    /// Log-likelihood and sums of a table: (float, sums).
    fn expectation<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        weights: Option<PyReadonlyArray1<'py, f64>>,
        threads: usize,
    ) -> PyResult<(f64, Bound<'py, PyArray1<f64>>)> {
        let columns = x.as_array().ncols();
        let weights = weights.as_ref().map(|w| w.as_slice()).transpose()?;
        let table = Table {
            data: contiguous(&x, "x")?,
            columns,
            weights,
        };
        let totals = watched(py, threads, |watch| {
            pass::expectation(self.kernel.as_ref(), table, watch)
        })?;
        Ok((totals.log_likelihood, totals.sums.into_pyarray(py)))
    }

    /// Sums of every member, (members, size), of a table under weights (rows, members).
    fn accumulate<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        weights: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let table = Table {
            data: contiguous(&x, "x")?,
            columns: x.as_array().ncols(),
            weights: None,
        };
        let weights = contiguous(&weights, "weights")?;
        let out = watched(py, threads, |watch| {
            pass::accumulate(self.kernel.as_ref(), &table, weights, watch)
        })?;
        out.into_pyarray(py)
            .reshape([self.kernel.count(), self.kernel.size()])
    }

    /// Log densities (rows, members) of a table.
    fn member_log_densities<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let table = Table {
            data: contiguous(&x, "x")?,
            columns: x.as_array().ncols(),
            weights: None,
        };
        let out = watched(py, threads, |watch| {
            pass::log_densities(self.kernel.as_ref(), &table, watch)
        })?;
        out.into_pyarray(py)
            .reshape([table.rows(), self.kernel.count()])
    }

    /// Log density of every row.
    fn log_densities<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let table = Table {
            data: contiguous(&x, "x")?,
            columns: x.as_array().ncols(),
            weights: None,
        };
        require(self.kernel.count() == 1, || {
            "a pass is over one model".into()
        })?;
        let out = watched(py, threads, |watch| {
            pass::log_densities(self.kernel.as_ref(), &table, watch)
        })?;
        Ok(out.into_pyarray(py))
    }

    /// Posterior of the latent variable of every row: a mixture's shares, a linear model's means.
    fn latents<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let table = Table {
            data: contiguous(&x, "x")?,
            columns: x.as_array().ncols(),
            weights: None,
        };
        let out = watched(py, threads, |watch| {
            pass::latents(self.kernel.as_ref(), &table, watch)
        })?;
        let width = out.len() / table.rows().max(1);
        out.into_pyarray(py).reshape([table.rows(), width])
    }
}

/// Normals with means (count × d) and whitening factors: inverse Cholesky factors (count, d, d)
/// when full, else reciprocal standard deviations in (count, 1, d) or (count, 1, 1).
#[pyfunction]
pub fn normal_stack(
    covariance: &str,
    means: PyReadonlyArray2<'_, f64>,
    factors: PyReadonlyArray3<'_, f64>,
) -> PyResult<Stack> {
    let covariance = covariance_of(covariance)?;
    let d = means.as_array().ncols();
    let factors = factors.as_array().iter().copied().collect();
    let means = means.as_array().iter().copied().collect();
    Ok(Stack {
        kernel: Arc::new(NormalStack::new(covariance, d, means, factors)?),
    })
}

/// Points of a family with a product statistic: naturals and means (count × dimension), log
/// partitions (count × columns, or count × 1 where columns are not independent).
#[pyfunction]
#[pyo3(signature = (family, n_features, naturals, means, log_partitions, parameter = 0.0))]
pub fn statistic_stack(
    family: &str,
    n_features: usize,
    naturals: PyReadonlyArray2<'_, f64>,
    means: PyReadonlyArray2<'_, f64>,
    log_partitions: PyReadonlyArray2<'_, f64>,
    parameter: f64,
) -> PyResult<Stack> {
    let statistic = if family == "categorical" {
        let n_categories = naturals.as_array().ncols() + 1;
        Statistic::Categorical { n_categories }
    } else {
        Statistic::named(family, parameter)
            .ok_or_else(|| PyValueError::new_err(format!("family: {family:?}")))?
    };
    let collect = |a: &PyReadonlyArray2<'_, f64>| a.as_array().iter().copied().collect::<Vec<_>>();
    let kernel = StatisticStack::new(
        statistic,
        n_features,
        collect(&naturals),
        collect(&means),
        collect(&log_partitions),
    )?;
    Ok(Stack {
        kernel: Arc::new(kernel),
    })
}

/// Products: stacks of equally many members, their columns side by side.
#[pyfunction]
pub fn product_stack(parts: Vec<PyRef<'_, Stack>>) -> PyResult<Stack> {
    let parts = parts.iter().map(|p| Arc::clone(&p.kernel)).collect();
    Ok(Stack {
        kernel: Arc::new(ProductStack::new(parts)?),
    })
}

/// Mixtures: log weights (members × components) over a stack of members · components.
#[pyfunction]
pub fn mixture_stack(
    log_weights: PyReadonlyArray2<'_, f64>,
    components: PyRef<'_, Stack>,
) -> PyResult<Stack> {
    let view = log_weights.as_array();
    let kernel = MixtureStack::new(
        view.iter().copied().collect(),
        view.ncols(),
        Arc::clone(&components.kernel),
    )?;
    Ok(Stack {
        kernel: Arc::new(kernel),
    })
}

/// Linear Gaussian models: offsets (count × d), loadings (count, d, m), whitening factors of
/// the noise as for `normal_stack`, and a prior each.
#[pyfunction]
pub fn linear_stack(
    covariance: &str,
    offsets: PyReadonlyArray2<'_, f64>,
    loadings: PyReadonlyArray3<'_, f64>,
    factors: PyReadonlyArray3<'_, f64>,
    priors: Vec<PyRef<'_, Latent>>,
) -> PyResult<Stack> {
    let covariance = covariance_of(covariance)?;
    let (offsets, factors) = (offsets.as_array(), factors.as_array());
    let (count, d) = offsets.dim();
    let views = loadings.as_array();
    require(
        factors.dim().0 == count && views.dim().0 == count && views.dim().1 == d,
        || "offsets, loadings and factors: one each for every member".into(),
    )?;
    let mut noises = Vec::with_capacity(count);
    let mut matrices = Vec::with_capacity(count);
    for k in 0..count {
        noises.push(NormalStack::new(
            covariance,
            d,
            offsets.row(k).to_vec(),
            factors
                .index_axis(numpy::ndarray::Axis(0), k)
                .iter()
                .copied()
                .collect(),
        )?);
        let loading = views.index_axis(numpy::ndarray::Axis(0), k);
        matrices.push(DMatrix::from_fn(d, views.dim().2, |i, j| loading[(i, j)]));
    }
    let priors = priors.iter().map(|p| Arc::clone(&p.kernel)).collect();
    Ok(Stack {
        kernel: Arc::new(LinearStack::new(matrices, noises, priors)?),
    })
}
