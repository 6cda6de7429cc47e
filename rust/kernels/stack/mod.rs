//! What can meet data: a stack of points of one family, prepared at fixed parameters.
//!
//! A stack answers the expectation step: how probable is each row under each member, and,
//! given weights, what are the members' sums. Sums are kept in one flat vector per member
//! that starts with the total weight; for normals they are taken about a reference, the
//! member's present mean. The layouts are those of the Python side, which reads them.

mod large_counts;
pub mod linear;
pub mod mixture;
pub mod normal;
pub mod product;
pub mod statistic;

use crate::kernels::error::KernelError;
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;

/// A stack of `count` points of one family.
pub trait Stack: Send + Sync {
    /// How many members.
    fn count(&self) -> usize;

    /// How many columns of data it reads.
    fn features(&self) -> usize;

    /// Numbers in one member's sums.
    fn size(&self) -> usize;

    /// Floating-point operations a row, roughly: what decides on blocks and threads.
    fn cost(&self) -> f64;

    /// Numbers that [`Stack::evaluate`] leaves for [`Stack::accumulate`].
    fn cache_len(&self, stride: usize) -> usize;

    /// Add the log base measure of each row, common to all members, to `out`.
    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]);

    /// Log densities relative to the base measure: member `k` of row `t` at
    /// `out[k * stride + t]`.
    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch);

    /// Add the rows to the sums, row `t` with weight `weights[k * stride + t]` to member
    /// `k`; after [`Stack::evaluate`] on the same rows, with its cache.
    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    );

    /// How many numbers [`Stack::latent`] gives for each member and row.
    fn latent_width(&self) -> usize {
        0
    }

    /// Posterior of the latent variable after [`Stack::evaluate`]: a mixture's shares, a
    /// linear Gaussian model's means; number `i` of member `k` and row `t` at
    /// `out[(k * width + i) * stride + t]`.
    fn latent(
        &self,
        _rows: &Rows<'_>,
        _cache: &mut [f64],
        _out: &mut [f64],
        _scratch: &mut Scratch,
    ) {
    }

    /// This stack for rows of which only the columns `observed` are known, in order.
    ///
    /// # Errors
    /// [`KernelError::MissingUnsupported`] when only the numpy pass can.
    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError>;

    /// Add sums collected by a restricted stack to sums of the full one, unobserved
    /// statistics at their conditional expectation.
    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        for (f, s) in full.iter_mut().zip(sums) {
            *f += s;
        }
    }
}

/// The columns of `0..features` that are not in `observed`.
pub fn complement(observed: &[usize], features: usize) -> Vec<usize> {
    let mut seen = vec![false; features];
    for &column in observed {
        seen[column] = true;
    }
    (0..features).filter(|&column| !seen[column]).collect()
}
