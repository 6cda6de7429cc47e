//! A mixture as latent variable.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use crate::kernels::error::{KernelError, require};
use crate::kernels::latent::{Latent, Moments, Tilted};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::softmax;

/// A mixture of latent priors. Sums: its components', one after another.
pub struct MixtureLatent {
    log_weights: Vec<f64>,
    components: Vec<Arc<dyn Latent>>,
}

impl MixtureLatent {
    /// The mixture with these log weights.
    ///
    /// # Errors
    /// When there are not as many components as weights, or none.
    pub fn new(
        log_weights: Vec<f64>,
        components: Vec<Arc<dyn Latent>>,
    ) -> Result<Self, KernelError> {
        require(
            !components.is_empty() && components.len() == log_weights.len(),
            || {
                format!(
                    "log_weights: {} for {}",
                    log_weights.len(),
                    components.len()
                )
            },
        )?;
        Ok(Self {
            log_weights,
            components,
        })
    }
}

impl Latent for MixtureLatent {
    fn width(&self) -> usize {
        self.components[0].width()
    }

    fn size(&self) -> usize {
        self.components.iter().map(|c| c.size()).sum()
    }

    fn mean(&self) -> DVector<f64> {
        let mut mean = DVector::zeros(self.width());
        for (component, log_weight) in self.components.iter().zip(&self.log_weights) {
            mean += component.mean() * log_weight.exp();
        }
        mean
    }

    fn tilt(&self, precision: &DMatrix<f64>) -> Result<Box<dyn Tilted>, KernelError> {
        let components = self
            .components
            .iter()
            .map(|c| c.tilt(precision))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(TiltedMixture {
            log_weights: self.log_weights.clone(),
            sizes: self.components.iter().map(|c| c.size()).collect(),
            width: self.width(),
            components,
        }))
    }

    fn moments(&self, sums: &[f64], centre: &DVector<f64>) -> Moments {
        let mut all = Moments::zero(self.width());
        let mut at = 0;
        for component in &self.components {
            let part = component.moments(&sums[at..at + component.size()], centre);
            all.weight += part.weight;
            all.first += part.first;
            all.second += part.second;
            at += component.size();
        }
        all
    }
}

struct TiltedMixture {
    log_weights: Vec<f64>,
    sizes: Vec<usize>,
    width: usize,
    components: Vec<Box<dyn Tilted>>,
}

impl TiltedMixture {
    /// Shares of the components, then each component's cache.
    fn split<'a>(&self, cache: &'a mut [f64], stride: usize) -> (&'a mut [f64], &'a mut [f64]) {
        cache.split_at_mut(self.components.len() * stride)
    }
}

impl Tilted for TiltedMixture {
    fn cache_len(&self, stride: usize) -> usize {
        let inner: usize = self.components.iter().map(|c| c.cache_len(stride)).sum();
        self.components.len() * stride + inner
    }

    fn cost(&self) -> f64 {
        self.components.iter().map(|c| c.cost() + 30.0).sum()
    }

    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = shifts.stride;
        let (shares, mut rest) = self.split(cache, stride);
        for (component, logs) in self.components.iter().zip(shares.chunks_exact_mut(stride)) {
            let (own, others) = rest.split_at_mut(component.cache_len(stride));
            component.evaluate(shifts, logs, own, scratch);
            rest = others;
        }
        softmax(shares, &self.log_weights, stride, out);
    }

    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = shifts.stride;
        let (shares, mut rest) = self.split(cache, stride);
        let mut mean = scratch.take(self.width * stride);
        out.fill(0.0);
        for (component, shares) in self.components.iter().zip(shares.chunks_exact(stride)) {
            let (own, others) = rest.split_at_mut(component.cache_len(stride));
            component.leading_mean(shifts, own, &mut mean, scratch);
            for (out, mean) in out.chunks_exact_mut(stride).zip(mean.chunks_exact(stride)) {
                for ((o, &m), &s) in out.iter_mut().zip(mean).zip(shares) {
                    *o += m * s;
                }
            }
            rest = others;
        }
        scratch.give(mean);
    }

    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        mut sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = shifts.stride;
        let (shares, mut rest) = self.split(cache, stride);
        let mut own_weights = scratch.take(stride);
        for ((component, &size), shares) in self
            .components
            .iter()
            .zip(&self.sizes)
            .zip(shares.chunks_exact(stride))
        {
            for ((o, &w), &s) in own_weights.iter_mut().zip(weights).zip(shares) {
                *o = w * s;
            }
            let (own, others) = rest.split_at_mut(component.cache_len(stride));
            let (mine, theirs) = sums.split_at_mut(size);
            component.accumulate(shifts, &own_weights, own, mine, scratch);
            rest = others;
            sums = theirs;
        }
        scratch.give(own_weights);
    }
}
