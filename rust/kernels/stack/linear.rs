//! Linear Gaussian models: factor analysis and everything that puts another latent behind it.

use std::sync::Arc;

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::kernels::error::{KernelError, require};
use crate::kernels::latent::{Latent, Tilted, row_major};
use crate::kernels::product::{centred, combine, gram, sums as feature_sums, weighted};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::normal::{Covariance, NormalStack, add_scatter, unpack_symmetric};
use crate::kernels::stack::{Stack, complement};

/// One model `x | z ~ N(offset + loading z, noise)`, with its prior.
struct Member {
    loading: DMatrix<f64>,
    noise: NormalStack,
    prior: Arc<dyn Latent>,
    tilted: Box<dyn Tilted>,
    /// `Wᵀ Ψ⁻¹`, m × d.
    gain: Vec<f64>,
    /// `W` row-major, d × m.
    rows: Vec<f64>,
    /// Prior mean of z, and of x: what the sums are taken about.
    centre: DVector<f64>,
    reference: Vec<f64>,
    normal: Option<NormalPrior>,
}

/// What a normal prior affords: densities by the residual at the posterior mean, which
/// lose no digits however small the noise.
struct NormalPrior {
    prior: NormalStack,
    /// `½ log det (2π C)` of the posterior covariance.
    log_volume: f64,
}

impl Member {
    fn new(
        loading: DMatrix<f64>,
        noise: NormalStack,
        prior: Arc<dyn Latent>,
    ) -> Result<Self, KernelError> {
        let (d, m) = (noise.features(), prior.width());
        require(loading.shape() == (d, m), || {
            format!("loading: {:?} for {d} × {m}", loading.shape())
        })?;
        let pulled = if d == 0 {
            DMatrix::zeros(0, m)
        } else {
            let factor = noise.whitening(0);
            &factor.transpose() * (&factor * &loading)
        };
        let precision = loading.transpose() * &pulled;
        let precision = (&precision + precision.transpose()) * 0.5;
        let centre = prior.mean();
        let explained = &loading * &centre;
        let reference = noise
            .mean(0)
            .iter()
            .zip(explained.iter())
            .map(|(b, e)| b + e);
        Ok(Self {
            reference: reference.collect(),
            tilted: prior.tilt(&precision)?,
            gain: row_major(&pulled.transpose()),
            rows: row_major(&loading),
            normal: NormalPrior::of(prior.as_ref(), &precision)?,
            centre,
            loading,
            noise,
            prior,
        })
    }

    fn d(&self) -> usize {
        self.loading.nrows()
    }

    fn m(&self) -> usize {
        self.loading.ncols()
    }

    fn own_size(&self) -> usize {
        1 + self.d() + self.noise.covariance().second_moments(self.d())
    }

    fn size(&self) -> usize {
        self.own_size() + self.prior.size() + self.loading.len()
    }

    fn cost(&self) -> f64 {
        (12 * self.d() * self.m()) as f64 + self.noise.cost() * 2.0 + self.tilted.cost() * 2.0
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.m() * stride + self.tilted.cache_len(stride)
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        let (d, m, stride) = (self.d(), self.m(), rows.stride);
        let (shifts, rest) = cache.split_at_mut(m * stride);
        let mut work = scratch.take_any(d * stride);
        centred(rows.data, self.noise.mean(0), stride, &mut work);
        combine(&self.gain, m, d, &work, stride, shifts);
        let shifts = Rows::new(shifts, m, stride, rows.len);
        match &self.normal {
            None => {
                self.noise.evaluate(rows, out, &mut [], scratch);
                let mut evidence = scratch.take_any(stride);
                self.tilted.evaluate(&shifts, &mut evidence, rest, scratch);
                for (o, &e) in out.iter_mut().zip(evidence.iter()) {
                    *o += e;
                }
                scratch.give(evidence);
            }
            Some(normal) => {
                let mut mean = scratch.take_any(m * stride);
                let mut prior = scratch.take_any(stride);
                self.tilted.leading_mean(&shifts, rest, &mut mean, scratch);
                combine(&self.rows, d, m, &mean, stride, &mut work);
                for (w, &x) in work.iter_mut().zip(rows.data) {
                    *w = x - *w;
                }
                let residual = Rows::new(&work, d, stride, rows.len);
                self.noise.evaluate(&residual, out, &mut [], scratch);
                let at = Rows::new(&mean, m, stride, rows.len);
                normal.prior.evaluate(&at, &mut prior, &mut [], scratch);
                for (o, &p) in out.iter_mut().zip(prior.iter()) {
                    *o += p + normal.log_volume;
                }
                scratch.give(mean);
                scratch.give(prior);
            }
        }
        scratch.give(work);
    }

    fn latent(&self, rows: &Rows<'_>, cache: &mut [f64], out: &mut [f64], scratch: &mut Scratch) {
        let (m, stride) = (self.m(), rows.stride);
        let (shifts, rest) = cache.split_at_mut(m * stride);
        let shifts = Rows::new(shifts, m, stride, rows.len);
        self.tilted.leading_mean(&shifts, rest, out, scratch);
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (d, m, stride) = (self.d(), self.m(), rows.stride);
        let (own, rest) = sums.split_at_mut(self.own_size());
        let (latent, cross) = rest.split_at_mut(self.prior.size());
        let mut deviations = scratch.take_any(d * stride);
        let mut scaled = scratch.take_any(d * stride);
        let mut mean = scratch.take_any(m * stride);
        centred(rows.data, &self.reference, stride, &mut deviations);
        weighted(&deviations, d, weights, stride, &mut scaled);
        feature_sums(weights, 1, stride, &mut own[..1]);
        feature_sums(&scaled, d, stride, &mut own[1..=d]);
        let kind = self.noise.covariance();
        add_scatter(
            kind,
            &deviations,
            &scaled,
            d,
            stride,
            scratch,
            &mut own[1 + d..],
        );
        self.latent(rows, cache, &mut mean, scratch);
        for (run, &c) in mean.chunks_exact_mut(stride).zip(self.centre.as_slice()) {
            for z in run {
                *z -= c;
            }
        }
        gram(&scaled, d, &mean, m, stride, cross);
        let (shifts, rest) = cache.split_at_mut(m * stride);
        let shifts = Rows::new(shifts, m, stride, rows.len);
        self.tilted
            .accumulate(&shifts, weights, rest, latent, scratch);
        for buffer in [deviations, scaled, mean] {
            scratch.give(buffer);
        }
    }
}

impl NormalPrior {
    fn of(prior: &dyn Latent, precision: &DMatrix<f64>) -> Result<Option<Self>, KernelError> {
        let Some((mean, covariance)) = prior.as_normal() else {
            return Ok(None);
        };
        let m = mean.len();
        let failed = || KernelError::NotPositiveDefinite("a latent covariance");
        let root = Cholesky::new(covariance.clone())
            .ok_or_else(failed)?
            .unpack();
        let inner = DMatrix::identity(m, m) + root.transpose() * precision * &root;
        let inner = Cholesky::new((&inner + inner.transpose()) * 0.5).ok_or_else(failed)?;
        let log_root: f64 = (0..m)
            .map(|i| root[(i, i)].ln() - inner.l_dirty()[(i, i)].ln())
            .sum();
        let constant = 0.5 * m as f64 * (2.0 * std::f64::consts::PI).ln();
        Ok(Some(Self {
            prior: NormalStack::from_covariances(
                m,
                mean.as_slice().to_vec(),
                std::slice::from_ref(covariance),
            )?,
            log_volume: log_root + constant,
        }))
    }
}

/// A stack of linear Gaussian models. Sums of a member: total weight, `Σ w (x − r)`, its
/// second moments about `r` (packed as the noise is), the prior's sums, and
/// `Σ w (x − r) E[z − c]ᵀ`, with `c` the prior mean of z and `r` that of x.
pub struct LinearStack {
    members: Vec<Member>,
}

impl LinearStack {
    /// Members with `noise` (a normal at the offset, one each), loadings and priors.
    ///
    /// # Errors
    /// When shapes do not fit or a prior can not be tilted.
    pub fn new(
        loadings: Vec<DMatrix<f64>>,
        noises: Vec<NormalStack>,
        priors: Vec<Arc<dyn Latent>>,
    ) -> Result<Self, KernelError> {
        require(
            !loadings.is_empty() && loadings.len() == noises.len() && noises.len() == priors.len(),
            || "loadings, noises and priors: one each for every member".into(),
        )?;
        let members = loadings
            .into_iter()
            .zip(noises)
            .zip(priors)
            .map(|((loading, noise), prior)| Member::new(loading, noise, prior))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { members })
    }
}

impl Stack for LinearStack {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn features(&self) -> usize {
        self.members[0].d()
    }

    fn size(&self) -> usize {
        self.members[0].size()
    }

    fn cost(&self) -> f64 {
        self.members.iter().map(Member::cost).sum()
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.members.iter().map(|m| m.cache_len(stride)).sum()
    }

    fn add_log_base_measure(&self, _rows: &Rows<'_>, _out: &mut [f64]) {
        // within the noise's log norm
    }

    fn evaluate(
        &self,
        rows: &Rows<'_>,
        out: &mut [f64],
        mut cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        for (member, out) in self.members.iter().zip(out.chunks_exact_mut(rows.stride)) {
            let (own, rest) = cache.split_at_mut(member.cache_len(rows.stride));
            member.evaluate(rows, out, own, scratch);
            cache = rest;
        }
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        mut cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        for ((member, weights), sums) in self
            .members
            .iter()
            .zip(weights.chunks_exact(rows.stride))
            .zip(sums.chunks_exact_mut(self.size()))
        {
            let (own, rest) = cache.split_at_mut(member.cache_len(rows.stride));
            member.accumulate(rows, weights, own, sums, scratch);
            cache = rest;
        }
    }

    fn latent_width(&self) -> usize {
        self.members[0].m()
    }

    fn latent(
        &self,
        rows: &Rows<'_>,
        mut cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let width = self.latent_width() * rows.stride;
        for (member, out) in self.members.iter().zip(out.chunks_exact_mut(width)) {
            let (own, rest) = cache.split_at_mut(member.cache_len(rows.stride));
            member.latent(rows, own, out, scratch);
            cache = rest;
        }
    }

    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        let missing = complement(observed, self.features());
        let mut members = Vec::with_capacity(self.members.len());
        let mut gaps = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let (regression, left) = member.noise.conditional(0, observed, &missing)?;
            let inner = member.loading.select_rows(observed);
            let through = member.loading.select_rows(&missing) - &regression * &inner;
            members.push(Member::new(
                inner,
                member.noise.marginal(observed)?,
                Arc::clone(&member.prior),
            )?);
            gaps.push(Gap {
                regression,
                through,
                left,
            });
        }
        Ok(Box::new(ObservedLinear {
            marginal: Self { members },
            gaps,
            observed: observed.to_vec(),
            missing,
        }))
    }
}

/// How missing columns follow observed ones and z: `R ξ + V ζ` and noise of covariance C.
struct Gap {
    regression: DMatrix<f64>,
    through: DMatrix<f64>,
    left: DMatrix<f64>,
}

/// Linear Gaussian models of which only some columns are observed.
struct ObservedLinear {
    marginal: LinearStack,
    gaps: Vec<Gap>,
    observed: Vec<usize>,
    missing: Vec<usize>,
}

impl ObservedLinear {
    fn lift_member(&self, k: usize, sums: &[f64], full: &mut [f64]) {
        let (member, gap) = (&self.marginal.members[k], &self.gaps[k]);
        let (o, m) = (self.observed.len(), member.m());
        let d = o + self.missing.len();
        let kind = member.noise.covariance();
        let (own, rest) = sums.split_at(member.own_size());
        let (latent, cross) = rest.split_at(member.prior.size());
        let moments = member.prior.moments(latent, &member.centre);
        let first = DVector::from_column_slice(&own[1..=o]);
        let cross = DMatrix::from_row_slice(o, m, cross);
        let (regression, through) = (&gap.regression, &gap.through);
        let missing_first = regression * &first + through * &moments.first;
        let missing_cross = regression * &cross + through * &moments.second;

        let own_size = 1 + d + kind.second_moments(d);
        let (full_own, full_rest) = full.split_at_mut(own_size);
        let (full_latent, full_cross) = full_rest.split_at_mut(latent.len());
        full_own[0] += own[0];
        for (f, l) in full_latent.iter_mut().zip(latent) {
            *f += l;
        }
        for (i, &f) in self.observed.iter().enumerate() {
            full_own[1 + f] += first[i];
            for j in 0..m {
                full_cross[f * m + j] += cross[(i, j)];
            }
        }
        for (i, &f) in self.missing.iter().enumerate() {
            full_own[1 + f] += missing_first[i];
            for j in 0..m {
                full_cross[f * m + j] += missing_cross[(i, j)];
            }
        }
        let second = &mut full_own[1 + d..];
        if kind == Covariance::Full {
            let scatter = unpack_symmetric(&own[1 + o..], o);
            let across = regression * &scatter + through * cross.transpose();
            let within = &across * regression.transpose()
                + &missing_cross * through.transpose()
                + &gap.left * own[0];
            let mut all = DMatrix::zeros(d, d);
            for (i, &f) in self.observed.iter().enumerate() {
                for (j, &g) in self.observed.iter().enumerate() {
                    all[(f, g)] = scatter[(i, j)];
                }
            }
            for (i, &f) in self.missing.iter().enumerate() {
                for (j, &g) in self.observed.iter().enumerate() {
                    all[(f, g)] = across[(i, j)];
                    all[(g, f)] = across[(i, j)];
                }
                for (j, &g) in self.missing.iter().enumerate() {
                    all[(f, g)] = within[(i, j)];
                }
            }
            kind.add_second(&all, 1.0, second);
        } else {
            // noise of independent columns: missing ones follow z alone
            let mut spread = 0.0;
            for (i, &f) in self.missing.iter().enumerate() {
                let explained: f64 = (0..m)
                    .map(|j| missing_cross[(i, j)] * through[(i, j)])
                    .sum();
                let value = explained + gap.left[(i, i)] * own[0];
                if kind == Covariance::Diagonal {
                    second[f] += value;
                } else {
                    spread += value;
                }
            }
            if kind == Covariance::Diagonal {
                for (i, &f) in self.observed.iter().enumerate() {
                    second[f] += own[1 + o + i];
                }
            } else {
                second[0] += own[1 + o] + spread;
            }
        }
    }
}

impl Stack for ObservedLinear {
    fn count(&self) -> usize {
        self.marginal.count()
    }

    fn features(&self) -> usize {
        self.observed.len()
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

    fn add_log_base_measure(&self, _rows: &Rows<'_>, _out: &mut [f64]) {}

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

    fn latent_width(&self) -> usize {
        self.marginal.latent_width()
    }

    fn latent(&self, rows: &Rows<'_>, cache: &mut [f64], out: &mut [f64], scratch: &mut Scratch) {
        self.marginal.latent(rows, cache, out, scratch);
    }

    fn restrict(&self, _observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Err(KernelError::MissingUnsupported)
    }

    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        let full_step = full.len() / self.count();
        for (k, (sums, full)) in sums
            .chunks_exact(self.size())
            .zip(full.chunks_exact_mut(full_step))
            .enumerate()
        {
            self.lift_member(k, sums, full);
        }
    }
}
