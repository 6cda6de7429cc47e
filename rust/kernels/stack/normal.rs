//! Normals: full, diagonal and isotropic.

use nalgebra::{Cholesky, DMatrix};

use crate::kernels::error::{KernelError, require};
use crate::kernels::product::{
    diagonal_logs, diagonal_moments, dots, gram_lower, normal_logs, root_weighted,
    sums as feature_sums,
};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::{Stack, complement};

/// The shape of the covariance matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Covariance {
    /// Any positive definite matrix; `d (d + 1) / 2` second moments, lower triangle.
    Full,
    /// A diagonal one; `d` second moments.
    Diagonal,
    /// A multiple of the identity; the sum of squares.
    Isotropic,
}

impl Covariance {
    /// How many second moments the statistic has in `d` dimensions.
    pub fn second_moments(self, d: usize) -> usize {
        match self {
            Self::Full => d * (d + 1) / 2,
            Self::Diagonal => d,
            Self::Isotropic => 1,
        }
    }

    /// How many numbers a whitening factor has.
    pub fn factor_len(self, d: usize) -> usize {
        match self {
            Self::Full => d * d,
            Self::Diagonal => d,
            Self::Isotropic => 1,
        }
    }

    /// Add `scale` times a symmetric matrix to packed second moments.
    pub fn add_second(self, matrix: &DMatrix<f64>, scale: f64, out: &mut [f64]) {
        let d = matrix.nrows();
        match self {
            Self::Full => {
                let mut at = 0;
                for i in 0..d {
                    for j in 0..=i {
                        out[at] += scale * matrix[(i, j)];
                        at += 1;
                    }
                }
            }
            Self::Diagonal => {
                for i in 0..d {
                    out[i] += scale * matrix[(i, i)];
                }
            }
            Self::Isotropic => out[0] += scale * matrix.trace(),
        }
    }
}

/// `count` normals of `d` dimensions. Sums of a member: total weight, `Σ w (x − r)`, and
/// `Σ w (x − r)(x − r)ᵀ` packed, `r` the member's mean.
#[derive(Clone)]
pub struct NormalStack {
    covariance: Covariance,
    d: usize,
    means: Vec<f64>,
    /// Inverse Cholesky factors of the covariances (reciprocal standard deviations).
    factors: Vec<f64>,
    log_norms: Vec<f64>,
}

impl NormalStack {
    /// Normals with `means` (count × d) and whitening `factors`: for full covariances `L⁻¹`
    /// of `Σ = L Lᵀ` (count × d × d, lower triangular), else reciprocal standard deviations
    /// (count × d, or count).
    ///
    /// # Errors
    /// When lengths do not fit.
    pub fn new(
        covariance: Covariance,
        d: usize,
        means: Vec<f64>,
        factors: Vec<f64>,
    ) -> Result<Self, KernelError> {
        require(d > 0, || "means: no columns".into())?;
        Self::with_count(covariance, d, means.len() / d, means, factors)
    }

    /// As [`NormalStack::new`], also for no columns at all, where lengths tell no count.
    fn with_count(
        covariance: Covariance,
        d: usize,
        count: usize,
        means: Vec<f64>,
        factors: Vec<f64>,
    ) -> Result<Self, KernelError> {
        let step = covariance.factor_len(d);
        require(means.len() == count * d, || "means: not count × d".into())?;
        require(factors.len() == count * step, || {
            format!(
                "factors: {} numbers for {count} members of {step}",
                factors.len()
            )
        })?;
        let log_norms = if d == 0 {
            vec![0.0; count]
        } else {
            factors
                .chunks_exact(step)
                .map(|factor| log_norm(covariance, d, factor))
                .collect()
        };
        Ok(Self {
            covariance,
            d,
            means,
            factors,
            log_norms,
        })
    }

    /// From dense covariance matrices, one a member.
    ///
    /// # Errors
    /// When one is not positive definite.
    pub fn from_covariances(
        d: usize,
        means: Vec<f64>,
        covariances: &[DMatrix<f64>],
    ) -> Result<Self, KernelError> {
        let mut factors = Vec::with_capacity(covariances.len() * d * d);
        for covariance in covariances {
            push_whitening(covariance, &mut factors)?;
        }
        Self::new(Covariance::Full, d, means, factors)
    }

    /// The shape of the covariance matrices.
    pub fn covariance(&self) -> Covariance {
        self.covariance
    }

    /// The mean of a member.
    pub fn mean(&self, k: usize) -> &[f64] {
        &self.means[k * self.d..(k + 1) * self.d]
    }

    fn factor(&self, k: usize) -> &[f64] {
        let step = self.covariance.factor_len(self.d);
        &self.factors[k * step..(k + 1) * step]
    }

    /// `L⁻¹` of a member's covariance `L Lᵀ`.
    pub fn whitening(&self, k: usize) -> DMatrix<f64> {
        let factor = self.factor(k);
        match self.covariance {
            Covariance::Full => DMatrix::from_row_slice(self.d, self.d, factor),
            Covariance::Diagonal => {
                DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(factor))
            }
            Covariance::Isotropic => DMatrix::identity(self.d, self.d) * factor[0],
        }
    }

    /// The covariance matrix of a member.
    ///
    /// # Panics
    /// When a whitening factor has a zero on its diagonal.
    pub fn covariance_matrix(&self, k: usize) -> DMatrix<f64> {
        let factor = self.factor(k);
        match self.covariance {
            Covariance::Full => {
                let whitening = DMatrix::from_row_slice(self.d, self.d, factor);
                let root = whitening
                    .solve_lower_triangular(&DMatrix::identity(self.d, self.d))
                    .expect("a whitening factor has a positive diagonal");
                &root * root.transpose()
            }
            Covariance::Diagonal => DMatrix::from_fn(self.d, self.d, |i, j| {
                if i == j { factor[i].powi(-2) } else { 0.0 }
            }),
            Covariance::Isotropic => DMatrix::identity(self.d, self.d) * factor[0].powi(-2),
        }
    }
}

fn log_norm(covariance: Covariance, d: usize, factor: &[f64]) -> f64 {
    let log_determinant: f64 = match covariance {
        Covariance::Full => (0..d).map(|i| factor[i * d + i].ln()).sum(),
        Covariance::Diagonal => factor.iter().map(|f| f.ln()).sum(),
        Covariance::Isotropic => d as f64 * factor[0].ln(),
    };
    log_determinant - 0.5 * d as f64 * (2.0 * std::f64::consts::PI).ln()
}

/// Append the inverse Cholesky factor of a covariance, row-major.
fn push_whitening(covariance: &DMatrix<f64>, out: &mut Vec<f64>) -> Result<(), KernelError> {
    let d = covariance.nrows();
    let root = Cholesky::new(covariance.clone())
        .ok_or(KernelError::NotPositiveDefinite("a covariance"))?
        .unpack();
    let whitening = root
        .solve_lower_triangular(&DMatrix::identity(d, d))
        .ok_or(KernelError::NotPositiveDefinite("a covariance"))?;
    for i in 0..d {
        for j in 0..d {
            out.push(if j <= i { whitening[(i, j)] } else { 0.0 });
        }
    }
    Ok(())
}

/// Add `Σ w ξ ξᵀ` of a centred block to packed second moments.
pub fn add_scatter(
    covariance: Covariance,
    deviations: &[f64],
    weighted_deviations: &[f64],
    d: usize,
    stride: usize,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    match covariance {
        Covariance::Full => gram_lower(weighted_deviations, deviations, d, stride, out),
        Covariance::Diagonal => dots(weighted_deviations, deviations, d, stride, out),
        Covariance::Isotropic => {
            let mut squares = scratch.take(d);
            dots(weighted_deviations, deviations, d, stride, &mut squares);
            out[0] += squares.iter().sum::<f64>();
            scratch.give(squares);
        }
    }
}

impl NormalStack {
    /// The marginals over the columns `observed`.
    ///
    /// # Errors
    /// When rounding has left a covariance that is not positive definite.
    pub fn marginal(&self, observed: &[usize]) -> Result<Self, KernelError> {
        let count = self.count();
        let mut means = Vec::with_capacity(count * observed.len());
        let mut factors = Vec::new();
        for k in 0..count {
            means.extend(observed.iter().map(|&f| self.mean(k)[f]));
            match self.covariance {
                Covariance::Full => {
                    let all = self.covariance_matrix(k);
                    let inner = all.select_rows(observed).select_columns(observed);
                    push_whitening(&inner, &mut factors)?;
                }
                Covariance::Diagonal => factors.extend(observed.iter().map(|&f| self.factor(k)[f])),
                Covariance::Isotropic => factors.push(self.factor(k)[0]),
            }
        }
        Self::with_count(self.covariance, observed.len(), count, means, factors)
    }

    /// Regression of the columns `missing` on `observed` of a member, and the covariance
    /// it leaves.
    ///
    /// # Errors
    /// When rounding has left a covariance that is not positive definite.
    pub fn conditional(
        &self,
        k: usize,
        observed: &[usize],
        missing: &[usize],
    ) -> Result<(DMatrix<f64>, DMatrix<f64>), KernelError> {
        let all = self.covariance_matrix(k);
        let rest = all.select_rows(missing).select_columns(missing);
        if self.covariance != Covariance::Full || observed.is_empty() {
            return Ok((DMatrix::zeros(missing.len(), observed.len()), rest));
        }
        let inner = all.select_rows(observed).select_columns(observed);
        let outer = all.select_rows(missing).select_columns(observed);
        let root = Cholesky::new(inner).ok_or(KernelError::NotPositiveDefinite("a covariance"))?;
        let regression = root.solve(&outer.transpose()).transpose();
        let left = rest - &regression * outer.transpose();
        Ok((regression, left))
    }
}

impl Stack for NormalStack {
    fn count(&self) -> usize {
        self.log_norms.len()
    }

    fn features(&self) -> usize {
        self.d
    }

    fn size(&self) -> usize {
        1 + self.d + self.covariance.second_moments(self.d)
    }

    fn cost(&self) -> f64 {
        let d = self.d as f64;
        let each = match self.covariance {
            Covariance::Full => 2.0 * d * d,
            _ => 6.0 * d,
        };
        self.count() as f64 * (each + 20.0)
    }

    fn cache_len(&self, _stride: usize) -> usize {
        0
    }

    fn add_log_base_measure(&self, _rows: &Rows<'_>, _out: &mut [f64]) {
        // within the log norm, where it cancels against determinants exactly
    }

    fn evaluate(
        &self,
        rows: &Rows<'_>,
        out: &mut [f64],
        _cache: &mut [f64],
        _scratch: &mut Scratch,
    ) {
        let stride = rows.stride;
        let kernel = match self.covariance {
            Covariance::Full => normal_logs,
            Covariance::Diagonal | Covariance::Isotropic => diagonal_logs,
        };
        for (k, logs) in out.chunks_exact_mut(stride).enumerate() {
            let (factor, log_norm) = (self.factor(k), self.log_norms[k]);
            kernel(factor, self.mean(k), log_norm, rows.data, stride, logs);
        }
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        _cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (d, stride) = (self.d, rows.stride);
        let mut roots = scratch.take_any(stride);
        let mut scaled = scratch.take_any(d * stride);
        let mut moments = scratch.take(2 * d);
        for (k, sums) in sums.chunks_exact_mut(self.size()).enumerate() {
            let shares = &weights[k * stride..(k + 1) * stride];
            if shares.iter().all(|w| *w == 0.0) {
                continue;
            }
            let mean = self.mean(k);
            match self.covariance {
                Covariance::Full => {
                    let (first, second) = sums.split_at_mut(1 + d);
                    root_weighted(
                        rows.data,
                        mean,
                        shares,
                        stride,
                        &mut roots,
                        &mut scaled,
                        first,
                    );
                    gram_lower(&scaled, &scaled, d, stride, second);
                }
                Covariance::Diagonal => {
                    feature_sums(shares, 1, stride, &mut sums[..1]);
                    diagonal_moments(rows.data, mean, shares, stride, &mut sums[1..]);
                }
                Covariance::Isotropic => {
                    moments.fill(0.0);
                    feature_sums(shares, 1, stride, &mut sums[..1]);
                    diagonal_moments(rows.data, mean, shares, stride, &mut moments);
                    for (s, m) in sums[1..].iter_mut().zip(&moments[..d]) {
                        *s += m;
                    }
                    sums[1 + d] += moments[d..].iter().sum::<f64>();
                }
            }
        }
        for buffer in [roots, scaled, moments] {
            scratch.give(buffer);
        }
    }

    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Ok(Box::new(ObservedNormals::new(self, observed)?))
    }
}

/// Normals of which only some columns are observed: the marginals, and what turns their
/// sums into expected sums of all columns.
struct ObservedNormals {
    marginal: NormalStack,
    covariance: Covariance,
    d: usize,
    observed: Vec<usize>,
    missing: Vec<usize>,
    /// Each member's regression of the missing on the observed, and what it leaves.
    conditionals: Vec<(DMatrix<f64>, DMatrix<f64>)>,
}

impl ObservedNormals {
    fn new(full: &NormalStack, observed: &[usize]) -> Result<Self, KernelError> {
        let missing = complement(observed, full.d);
        let conditionals = (0..full.count())
            .map(|k| full.conditional(k, observed, &missing))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            marginal: full.marginal(observed)?,
            covariance: full.covariance,
            d: full.d,
            observed: observed.to_vec(),
            missing,
            conditionals,
        })
    }
}

impl Stack for ObservedNormals {
    fn count(&self) -> usize {
        self.marginal.count()
    }

    fn features(&self) -> usize {
        self.marginal.d
    }

    fn size(&self) -> usize {
        self.marginal.size()
    }

    fn cost(&self) -> f64 {
        self.marginal.cost()
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.marginal.cache_len(stride)
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        self.marginal.add_log_base_measure(rows, out);
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        self.marginal.evaluate(rows, out, cache, scratch);
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        self.marginal
            .accumulate(rows, weights, cache, sums, scratch);
    }

    fn restrict(&self, _observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Err(KernelError::MissingUnsupported)
    }

    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        let (o, d) = (self.observed.len(), self.d);
        let full_size = 1 + d + self.covariance.second_moments(d);
        for (k, (sums, full)) in sums
            .chunks_exact(self.size())
            .zip(full.chunks_exact_mut(full_size))
            .enumerate()
        {
            let weight = sums[0];
            let (regression, left) = &self.conditionals[k];
            full[0] += weight;
            let first = DMatrix::from_column_slice(o, 1, &sums[1..=o]);
            for (i, &f) in self.observed.iter().enumerate() {
                full[1 + f] += sums[1 + i];
            }
            let implied = regression * &first;
            for (i, &f) in self.missing.iter().enumerate() {
                full[1 + f] += implied[i];
            }
            let second = &sums[1 + o..];
            let out = &mut full[1 + d..];
            match self.covariance {
                Covariance::Full => {
                    let inner = unpack_symmetric(second, o);
                    let cross = regression * &inner;
                    let outer = &cross * regression.transpose() + left * weight;
                    let mut put = |f: usize, g: usize, value: f64| {
                        let (f, g) = (f.max(g), f.min(g));
                        out[f * (f + 1) / 2 + g] += value;
                    };
                    for (i, &f) in self.observed.iter().enumerate() {
                        for (j, &g) in self.observed.iter().enumerate().take(i + 1) {
                            put(f, g, inner[(i, j)]);
                        }
                    }
                    for (i, &f) in self.missing.iter().enumerate() {
                        for (j, &g) in self.observed.iter().enumerate() {
                            put(f, g, cross[(i, j)]);
                        }
                        for (j, &g) in self.missing.iter().enumerate().take(i + 1) {
                            put(f, g, outer[(i, j)]);
                        }
                    }
                }
                Covariance::Diagonal => {
                    for (i, &f) in self.observed.iter().enumerate() {
                        out[f] += second[i];
                    }
                    for (i, &f) in self.missing.iter().enumerate() {
                        out[f] += weight * left[(i, i)];
                    }
                }
                Covariance::Isotropic => out[0] += second[0] + weight * left.trace(),
            }
        }
    }
}

/// The symmetric matrix of a packed lower triangle.
pub fn unpack_symmetric(packed: &[f64], d: usize) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        packed[i * (i + 1) / 2 + j]
    })
}
