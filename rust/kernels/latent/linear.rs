//! A linear Gaussian model as latent variable: depth.

use std::sync::Arc;

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::kernels::error::{KernelError, require};
use crate::kernels::latent::{Latent, Moments, Tilted, row_major};
use crate::kernels::product::{centred, combine, gram, sums as feature_sums, weighted};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::normal::{Covariance, add_scatter, unpack_symmetric};

/// `y | z ~ N(offset + loading z, noise)` with `z` from any latent prior; `y` leads.
///
/// Sums: total weight, `Σ w E[y − r]`, `Σ w E[(y − r)(y − r)ᵀ]` (lower triangle), the sums of
/// `z`, and `Σ w E[(y − r)(z − c)ᵀ]`, with `c` the prior mean of `z` and `r` that of `y`.
pub struct LinearLatent {
    offset: DVector<f64>,
    loading: DMatrix<f64>,
    noise: DMatrix<f64>,
    prior: Arc<dyn Latent>,
}

impl LinearLatent {
    /// The model with these parameters; `noise` is a full covariance matrix.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn new(
        offset: DVector<f64>,
        loading: DMatrix<f64>,
        noise: DMatrix<f64>,
        prior: Arc<dyn Latent>,
    ) -> Result<Self, KernelError> {
        let n = offset.len();
        require(
            loading.shape() == (n, prior.width()) && noise.shape() == (n, n),
            || format!("loading: {:?} for {n} × {}", loading.shape(), prior.width()),
        )?;
        Ok(Self {
            offset,
            loading,
            noise,
            prior,
        })
    }

    fn own_size(&self) -> usize {
        let n = self.offset.len();
        1 + n + n * (n + 1) / 2
    }
}

impl Latent for LinearLatent {
    fn width(&self) -> usize {
        self.offset.len()
    }

    fn size(&self) -> usize {
        self.own_size() + self.prior.size() + self.loading.len()
    }

    fn mean(&self) -> DVector<f64> {
        &self.offset + &self.loading * self.prior.mean()
    }

    fn tilt(&self, precision: &DMatrix<f64>) -> Result<Box<dyn Tilted>, KernelError> {
        let n = self.width();
        let failed = || KernelError::NotPositiveDefinite("a latent noise covariance");
        let root = Cholesky::new(self.noise.clone())
            .ok_or_else(failed)?
            .unpack();
        let spread = root.transpose() * precision * &root;
        let inner = DMatrix::identity(n, n) + (&spread + spread.transpose()) * 0.5;
        let factor = Cholesky::new(inner).ok_or_else(failed)?;
        let log_determinant: f64 = (0..n).map(|i| factor.l_dirty()[(i, i)].ln()).sum();
        // damping D = (I + P Ψ)⁻¹ = L⁻ᵀ M⁻¹ Lᵀ and D P = L⁻ᵀ M⁻¹ (M − I) L⁻¹, without cancellation
        let lift = |inner: DMatrix<f64>| root.tr_solve_lower_triangular(&inner).ok_or_else(failed);
        let damping = lift(factor.solve(&root.transpose()))?;
        let damped = lift(factor.solve(&spread))?;
        let damped = root
            .tr_solve_lower_triangular(&damped.transpose())
            .ok_or_else(failed)?;
        let covariance = &root * factor.solve(&root.transpose());
        let inner_precision = self.loading.transpose() * &damped * &self.loading;
        let loading = damping.transpose() * &self.loading;
        let centre = self.prior.mean();
        let pulled = precision * &self.offset;
        let half = factor
            .l()
            .solve_lower_triangular(&root.transpose())
            .ok_or_else(failed)?;
        Ok(Box::new(TiltedLinear {
            n,
            m: self.prior.width(),
            own_size: self.own_size(),
            offset: self.offset.as_slice().to_vec(),
            pulled: pulled.as_slice().to_vec(),
            half: row_major(&half),
            gain: row_major(&covariance),
            inward: row_major(&(self.loading.transpose() * damping)),
            constant: -0.5 * self.offset.dot(&pulled) - log_determinant,
            drift: ((&loading - &self.loading) * &centre).as_slice().to_vec(),
            inner: self
                .prior
                .tilt(&((&inner_precision + inner_precision.transpose()) * 0.5))?,
            covariance,
            outward: row_major(&loading),
            loading,
            prior: Arc::clone(&self.prior),
            centre,
        }))
    }

    fn moments(&self, sums: &[f64], centre: &DVector<f64>) -> Moments {
        let n = self.width();
        Moments {
            weight: sums[0],
            first: DVector::from_column_slice(&sums[1..=n]),
            second: unpack_symmetric(&sums[1 + n..self.own_size()], n),
        }
        .about(&self.mean(), centre)
    }
}

struct TiltedLinear {
    n: usize,
    m: usize,
    own_size: usize,
    offset: Vec<f64>,
    pulled: Vec<f64>,
    /// `C = halfᵀ half`, the covariance of y given z and the data.
    half: Vec<f64>,
    gain: Vec<f64>,
    covariance: DMatrix<f64>,
    /// Shifts of y to shifts of z.
    inward: Vec<f64>,
    /// How y follows z given the data, row-major and as a matrix.
    outward: Vec<f64>,
    loading: DMatrix<f64>,
    constant: f64,
    drift: Vec<f64>,
    inner: Box<dyn Tilted>,
    prior: Arc<dyn Latent>,
    centre: DVector<f64>,
}

impl TiltedLinear {
    /// The inner shifts, then the inner cache.
    fn split<'a>(&self, cache: &'a mut [f64], stride: usize) -> (&'a mut [f64], &'a mut [f64]) {
        cache.split_at_mut(self.m * stride)
    }
}

impl Tilted for TiltedLinear {
    fn cache_len(&self, stride: usize) -> usize {
        self.m * stride + self.inner.cache_len(stride)
    }

    fn cost(&self) -> f64 {
        (8 * self.n * self.n + 8 * self.n * self.m) as f64 + self.inner.cost()
    }

    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (n, m, stride) = (self.n, self.m, shifts.stride);
        let (inner, rest) = self.split(cache, stride);
        let mut pulled = scratch.take(n * stride);
        let mut white = scratch.take(n * stride);
        centred(shifts.data, &self.pulled, stride, &mut pulled);
        combine(&self.inward, m, n, &pulled, stride, inner);
        self.inner
            .evaluate(&Rows::new(inner, m, stride, shifts.len), out, rest, scratch);
        combine(&self.half, n, n, &pulled, stride, &mut white);
        for run in white.chunks_exact(stride) {
            for (o, &w) in out.iter_mut().zip(run) {
                *o += 0.5 * w * w;
            }
        }
        for (f, &offset) in self.offset.iter().enumerate() {
            for (o, &h) in out.iter_mut().zip(shifts.feature(f)) {
                *o += offset * h;
            }
        }
        for o in out.iter_mut() {
            *o += self.constant;
        }
        scratch.give(pulled);
        scratch.give(white);
    }

    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (n, m, stride) = (self.n, self.m, shifts.stride);
        let (inner, rest) = self.split(cache, stride);
        let mut mean = scratch.take(m * stride);
        let mut pulled = scratch.take(n * stride);
        self.inner.leading_mean(
            &Rows::new(inner, m, stride, shifts.len),
            rest,
            &mut mean,
            scratch,
        );
        combine(&self.outward, n, m, &mean, stride, out);
        scratch.give(mean);
        centred(shifts.data, &self.pulled, stride, &mut pulled);
        let mut own = scratch.take(n * stride);
        combine(&self.gain, n, n, &pulled, stride, &mut own);
        for ((out, own), &offset) in out
            .chunks_exact_mut(stride)
            .zip(own.chunks_exact(stride))
            .zip(&self.offset)
        {
            for (o, &y) in out.iter_mut().zip(own) {
                *o += y + offset;
            }
        }
        scratch.give(pulled);
        scratch.give(own);
    }

    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (n, m, stride) = (self.n, self.m, shifts.stride);
        let (inner, rest) = self.split(cache, stride);
        let inner = Rows::new(inner, m, stride, shifts.len);
        let size = self.prior.size();
        let mut latent_sums = scratch.take(size);
        let mut mean = scratch.take(m * stride);
        self.inner.leading_mean(&inner, rest, &mut mean, scratch);
        for (run, &c) in mean.chunks_exact_mut(stride).zip(self.centre.as_slice()) {
            for z in run {
                *z -= c;
            }
        }
        self.inner
            .accumulate(&inner, weights, rest, &mut latent_sums, scratch);
        // y − r = a + V (z − c) + noise of covariance C, with a known for each row
        let mut pulled = scratch.take(n * stride);
        let mut known = scratch.take(n * stride);
        let mut scaled = scratch.take(n * stride);
        centred(shifts.data, &self.pulled, stride, &mut pulled);
        combine(&self.gain, n, n, &pulled, stride, &mut known);
        for (run, &drift) in known.chunks_exact_mut(stride).zip(&self.drift) {
            for a in run {
                *a += drift;
            }
        }
        weighted(&known, n, weights, stride, &mut scaled);
        let mut first = scratch.take(n);
        feature_sums(&scaled, n, stride, &mut first);
        let mut mixed = scratch.take(n * m);
        gram(&scaled, n, &mean, m, stride, &mut mixed);

        let moments = self.prior.moments(&latent_sums, &self.centre);
        let mixed_matrix = DMatrix::from_row_slice(n, m, &mixed);
        let explained = &self.loading * &moments.second;
        sums[0] += moments.weight;
        let implied = &self.loading * &moments.first;
        for i in 0..n {
            sums[1 + i] += first[i] + implied[i];
        }
        let second = &mut sums[1 + n..self.own_size];
        add_scatter(
            Covariance::Full,
            &known,
            &scaled,
            n,
            stride,
            scratch,
            second,
        );
        let both = &mixed_matrix * self.loading.transpose();
        let rest_of_second = &both
            + both.transpose()
            + &explained * self.loading.transpose()
            + &self.covariance * moments.weight;
        Covariance::Full.add_second(&rest_of_second, 1.0, second);
        for (s, l) in sums[self.own_size..].iter_mut().zip(latent_sums.iter()) {
            *s += l;
        }
        let cross = mixed_matrix + explained;
        for (s, c) in sums[self.own_size + size..]
            .iter_mut()
            .zip(row_major(&cross))
        {
            *s += c;
        }
        for buffer in [latent_sums, mean, pulled, known, scaled, first, mixed] {
            scratch.give(buffer);
        }
    }
}
