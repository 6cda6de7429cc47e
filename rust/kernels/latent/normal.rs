//! A normal latent variable.

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::kernels::error::KernelError;
use crate::kernels::latent::{Latent, Moments, Tilted, row_major};
use crate::kernels::product::{centred, combine, sums as feature_sums, weighted};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::normal::{Covariance, add_scatter, unpack_symmetric};

/// `z ~ N(mean, covariance)`. Sums: total weight, `Σ w E[z − r]`, `Σ w E[(z − r)(z − r)ᵀ]`
/// (lower triangle), `r` the prior mean.
pub struct NormalLatent {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl NormalLatent {
    /// A normal prior.
    pub fn new(mean: DVector<f64>, covariance: DMatrix<f64>) -> Self {
        Self { mean, covariance }
    }
}

impl Latent for NormalLatent {
    fn width(&self) -> usize {
        self.mean.len()
    }

    fn size(&self) -> usize {
        let m = self.width();
        1 + m + m * (m + 1) / 2
    }

    fn mean(&self) -> DVector<f64> {
        self.mean.clone()
    }

    fn tilt(&self, precision: &DMatrix<f64>) -> Result<Box<dyn Tilted>, KernelError> {
        // C = (Σ⁻¹ + P)⁻¹ = L (I + Lᵀ P L)⁻¹ Lᵀ with Σ = L Lᵀ: no inverse of Σ is formed
        let m = self.width();
        let failed = || KernelError::NotPositiveDefinite("a latent covariance");
        let root = Cholesky::new(self.covariance.clone())
            .ok_or_else(failed)?
            .unpack();
        let inner = DMatrix::identity(m, m) + root.transpose() * precision * &root;
        let inner_root = Cholesky::new((&inner + inner.transpose()) * 0.5)
            .ok_or_else(failed)?
            .unpack();
        let half = inner_root
            .solve_lower_triangular(&root.transpose())
            .ok_or_else(failed)?;
        let covariance = half.transpose() * &half;
        let log_determinant: f64 = (0..m).map(|i| inner_root[(i, i)].ln()).sum();
        let pulled = precision * &self.mean;
        Ok(Box::new(TiltedNormal {
            m,
            half: row_major(&half),
            gain: row_major(&covariance),
            covariance,
            constant: -0.5 * self.mean.dot(&pulled) - log_determinant,
            mean: self.mean.as_slice().to_vec(),
            pulled: pulled.as_slice().to_vec(),
        }))
    }

    fn moments(&self, sums: &[f64], centre: &DVector<f64>) -> Moments {
        let m = self.width();
        let own = Moments {
            weight: sums[0],
            first: DVector::from_column_slice(&sums[1..=m]),
            second: unpack_symmetric(&sums[1 + m..], m),
        };
        own.about(&self.mean, centre)
    }

    fn as_normal(&self) -> Option<(&DVector<f64>, &DMatrix<f64>)> {
        Some((&self.mean, &self.covariance))
    }
}

/// With `g = h − P μ`: value `h·μ − ½ μ·P μ + ½ g·C g + ½ log det C Σ⁻¹`, mean `μ + C g`.
struct TiltedNormal {
    m: usize,
    /// `C = halfᵀ half`.
    half: Vec<f64>,
    gain: Vec<f64>,
    covariance: DMatrix<f64>,
    constant: f64,
    mean: Vec<f64>,
    pulled: Vec<f64>,
}

impl TiltedNormal {
    fn pull(&self, shifts: &Rows<'_>, out: &mut [f64]) {
        centred(shifts.data, &self.pulled, shifts.stride, out);
    }

    /// Posterior mean less prior mean.
    fn deviation(&self, shifts: &Rows<'_>, out: &mut [f64], scratch: &mut Scratch) {
        let mut pulled = scratch.take(self.m * shifts.stride);
        self.pull(shifts, &mut pulled);
        combine(&self.gain, self.m, self.m, &pulled, shifts.stride, out);
        scratch.give(pulled);
    }
}

impl Tilted for TiltedNormal {
    fn cache_len(&self, _stride: usize) -> usize {
        0
    }

    fn cost(&self) -> f64 {
        (8 * self.m * self.m + 8 * self.m) as f64
    }

    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        _cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = shifts.stride;
        let mut pulled = scratch.take(self.m * stride);
        let mut white = scratch.take(self.m * stride);
        self.pull(shifts, &mut pulled);
        combine(&self.half, self.m, self.m, &pulled, stride, &mut white);
        out.fill(0.0);
        for run in white.chunks_exact(stride) {
            for (o, &w) in out.iter_mut().zip(run) {
                *o += w * w;
            }
        }
        for o in out.iter_mut() {
            *o = self.constant + 0.5 * *o;
        }
        for (f, &mean) in self.mean.iter().enumerate() {
            for (o, &h) in out.iter_mut().zip(shifts.feature(f)) {
                *o += mean * h;
            }
        }
        scratch.give(pulled);
        scratch.give(white);
    }

    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        _cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        self.deviation(shifts, out, scratch);
        for (run, &mean) in out.chunks_exact_mut(shifts.stride).zip(&self.mean) {
            for o in run {
                *o += mean;
            }
        }
    }

    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        _cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (m, stride) = (self.m, shifts.stride);
        let mut deviations = scratch.take(m * stride);
        let mut scaled = scratch.take(m * stride);
        self.deviation(shifts, &mut deviations, scratch);
        weighted(&deviations, m, weights, stride, &mut scaled);
        let mut weight = [0.0];
        feature_sums(weights, 1, stride, &mut weight);
        sums[0] += weight[0];
        feature_sums(&scaled, m, stride, &mut sums[1..=m]);
        let second = &mut sums[1 + m..];
        add_scatter(
            Covariance::Full,
            &deviations,
            &scaled,
            m,
            stride,
            scratch,
            second,
        );
        Covariance::Full.add_second(&self.covariance, weight[0], second);
        scratch.give(deviations);
        scratch.give(scaled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn tilting_matches_the_closed_form_in_one_dimension() {
        let prior = NormalLatent::new(
            DVector::from_vec(vec![0.7]),
            DMatrix::from_vec(1, 1, vec![2.0]),
        );
        let tilted = prior.tilt(&DMatrix::from_vec(1, 1, vec![3.0])).unwrap();
        let stop = AtomicBool::new(false);
        let mut scratch = Scratch::new(&stop);
        let data = vec![1.3; 16];
        let rows = Rows::new(&data, 1, 16, 1);
        let mut out = vec![0.0; 16];
        tilted.evaluate(&rows, &mut out, &mut [], &mut scratch);
        // ∫ N(z; .7, 2) exp(1.3 z − 1.5 z²) dz
        let (a, b) = (0.5 + 3.0, 0.35 + 1.3);
        let exact = 0.5 * b * b / a - 0.5 * 0.49 / 2.0 - 0.5 * (a * 2.0_f64).ln();
        assert!((out[0] - exact).abs() < 1e-14, "{} {exact}", out[0]);
    }
}
