//! The Python module `harmonium._kernels`: shapes are checked, the GIL is released, errors
//! become exceptions; nothing is computed here.

// Arguments arrive by value: what was extracted from Python's objects.
#![allow(clippy::needless_pass_by_value)]

mod latents;
mod sequences;
mod stacks;

use pyo3::exceptions::{PyNotImplementedError, PyValueError};
use pyo3::prelude::*;

use crate::kernels::error::KernelError;

impl From<KernelError> for PyErr {
    fn from(error: KernelError) -> Self {
        match &error {
            KernelError::MissingUnsupported => PyNotImplementedError::new_err(error.to_string()),
            // the pending signal's own exception is raised in place of this one
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

/// Kernels of the harmonium library.
#[pymodule]
mod _kernels {
    #[pymodule_export]
    use super::latents::{Latent, boltzmann_latent, linear_latent, mixture_latent, normal_latent};
    #[pymodule_export]
    use super::sequences::Chain;
    #[pymodule_export]
    use super::stacks::{
        Stack, linear_stack, mixture_stack, normal_stack, product_stack, statistic_stack,
    };
}
