//! Priors that can stand behind a linear Gaussian likelihood.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use numpy::{PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::kernels::latent::Latent as Kernel;
use crate::kernels::latent::boltzmann::BoltzmannLatent;
use crate::kernels::latent::linear::LinearLatent;
use crate::kernels::latent::mixture::MixtureLatent;
use crate::kernels::latent::normal::NormalLatent;

/// A prior, ready for the expectation pass.
#[pyclass(frozen, module = "harmonium._kernels")]
pub struct Latent {
    pub kernel: Arc<dyn Kernel>,
}

pub fn vector(array: &PyReadonlyArray1<'_, f64>) -> DVector<f64> {
    DVector::from_iterator(array.len().unwrap_or(0), array.as_array().iter().copied())
}

pub fn matrix(array: &PyReadonlyArray2<'_, f64>) -> DMatrix<f64> {
    let view = array.as_array();
    DMatrix::from_fn(view.nrows(), view.ncols(), |i, j| view[(i, j)])
}

/// A normal prior.
#[pyfunction]
pub fn normal_latent(
    mean: PyReadonlyArray1<'_, f64>,
    covariance: PyReadonlyArray2<'_, f64>,
) -> PyResult<Latent> {
    let (mean, covariance) = (vector(&mean), matrix(&covariance));
    crate::kernels::error::require(covariance.shape() == (mean.len(), mean.len()), || {
        "covariance: not square in the length of mean".into()
    })?;
    Ok(Latent {
        kernel: Arc::new(NormalLatent::new(mean, covariance)),
    })
}

/// A dense Boltzmann prior; couplings of pairs i > j, row by row.
#[pyfunction]
pub fn boltzmann_latent(
    biases: PyReadonlyArray1<'_, f64>,
    couplings: PyReadonlyArray1<'_, f64>,
) -> PyResult<Latent> {
    let (biases, couplings) = (biases.to_vec()?, couplings.to_vec()?);
    Ok(Latent {
        kernel: Arc::new(BoltzmannLatent::new(biases, couplings)?),
    })
}

/// A mixture of priors.
#[pyfunction]
pub fn mixture_latent(
    log_weights: PyReadonlyArray1<'_, f64>,
    components: Vec<PyRef<'_, Latent>>,
) -> PyResult<Latent> {
    let components = components.iter().map(|c| Arc::clone(&c.kernel)).collect();
    Ok(Latent {
        kernel: Arc::new(MixtureLatent::new(log_weights.to_vec()?, components)?),
    })
}

/// A linear Gaussian model as a prior; full noise covariance.
#[pyfunction]
pub fn linear_latent(
    offset: PyReadonlyArray1<'_, f64>,
    loading: PyReadonlyArray2<'_, f64>,
    noise: PyReadonlyArray2<'_, f64>,
    prior: PyRef<'_, Latent>,
) -> PyResult<Latent> {
    Ok(Latent {
        kernel: Arc::new(LinearLatent::new(
            vector(&offset),
            matrix(&loading),
            matrix(&noise),
            Arc::clone(&prior.kernel),
        )?),
    })
}
