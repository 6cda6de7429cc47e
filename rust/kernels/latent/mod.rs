//! What can stand behind a linear Gaussian likelihood: families that hold every product
//! of their leading coordinates, or are built on such.
//!
//! A likelihood `x | z ~ N(b + W z, Ψ)` reaches its latent variable through the factor
//! `exp(h·z − ½ z·P z)` with `h = Wᵀ Ψ⁻¹ (x − b)` for each row and `P = Wᵀ Ψ⁻¹ W` for all.
//! So a prior is *tilted* once by `P`, and then meets a block of shifts `h`.

pub mod boltzmann;
pub mod linear;
pub mod mixture;
pub mod normal;

use nalgebra::{DMatrix, DVector};

use crate::kernels::error::KernelError;
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;

/// A prior over the latent variable, and what its sums mean.
pub trait Latent: Send + Sync {
    /// Dimension of the leading coordinates `z`.
    fn width(&self) -> usize;

    /// Numbers in its sums.
    fn size(&self) -> usize;

    /// The prior mean of `z`.
    fn mean(&self) -> DVector<f64>;

    /// The prior times `exp(−½ z·P z)`, ready for shifts.
    ///
    /// # Errors
    /// When a matrix that must be is not positive definite.
    fn tilt(&self, precision: &DMatrix<f64>) -> Result<Box<dyn Tilted>, KernelError>;

    /// From its sums: total weight, `Σ w E[z − c]` and `Σ w E[(z − c)(z − c)ᵀ]`.
    fn moments(&self, sums: &[f64], centre: &DVector<f64>) -> Moments;

    /// The prior as one normal, where it is.
    fn as_normal(&self) -> Option<(&DVector<f64>, &DMatrix<f64>)> {
        None
    }
}

/// Total weight, first and second moments about a centre.
pub struct Moments {
    /// Total weight.
    pub weight: f64,
    /// First moments.
    pub first: DVector<f64>,
    /// Second moments.
    pub second: DMatrix<f64>,
}

impl Moments {
    /// No rows.
    pub fn zero(width: usize) -> Self {
        Self {
            weight: 0.0,
            first: DVector::zeros(width),
            second: DMatrix::zeros(width, width),
        }
    }

    /// These moments about `reference`, taken about `centre` instead.
    #[must_use]
    pub fn about(self, reference: &DVector<f64>, centre: &DVector<f64>) -> Self {
        let shift = reference - centre;
        let cross = &self.first * shift.transpose();
        let second =
            self.second + &cross + cross.transpose() + &shift * shift.transpose() * self.weight;
        Self {
            weight: self.weight,
            first: self.first + shift * self.weight,
            second,
        }
    }
}

/// A tilted prior that meets blocks of shifts `h`, one column of `z` a feature.
pub trait Tilted: Send + Sync {
    /// Numbers that [`Tilted::evaluate`] leaves for the others.
    fn cache_len(&self, stride: usize) -> usize;

    /// Floating-point operations a row, roughly.
    fn cost(&self) -> f64;

    /// `log E_prior[exp(h·z − ½ z·P z)]` of every row.
    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    );

    /// Posterior means of `z`, feature by feature; after [`Tilted::evaluate`].
    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    );

    /// Add posterior expectations to the prior's sums; after [`Tilted::evaluate`].
    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    );
}

/// A matrix as row-major numbers.
pub fn row_major(matrix: &DMatrix<f64>) -> Vec<f64> {
    matrix.transpose().as_slice().to_vec()
}
