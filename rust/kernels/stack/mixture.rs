//! Mixtures of anything that can meet data.

use std::sync::Arc;

use crate::kernels::error::{KernelError, require};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::softmax;
use crate::kernels::stack::Stack;

/// A stack of mixtures: member `j` mixes components `j * K .. (j + 1) * K` of one stack.
/// Its sums are its components' sums, one after another: every category has its own.
pub struct MixtureStack {
    log_weights: Vec<f64>,
    n_components: usize,
    components: Arc<dyn Stack>,
}

impl MixtureStack {
    /// Mixtures with `log_weights` (members × `n_components`) of the `components`.
    ///
    /// # Errors
    /// When the number of components does not fit the weights.
    pub fn new(
        log_weights: Vec<f64>,
        n_components: usize,
        components: Arc<dyn Stack>,
    ) -> Result<Self, KernelError> {
        require(
            n_components > 0 && log_weights.len() == components.count(),
            || {
                format!(
                    "log_weights: {} for {}",
                    log_weights.len(),
                    components.count()
                )
            },
        )?;
        require(log_weights.len().is_multiple_of(n_components), || {
            "log_weights: not members × components".into()
        })?;
        Ok(Self {
            log_weights,
            n_components,
            components,
        })
    }

    fn shares_len(&self, stride: usize) -> usize {
        self.log_weights.len() * stride
    }
}

impl Stack for MixtureStack {
    fn count(&self) -> usize {
        self.log_weights.len() / self.n_components
    }

    fn features(&self) -> usize {
        self.components.features()
    }

    fn size(&self) -> usize {
        self.n_components * self.components.size()
    }

    fn cost(&self) -> f64 {
        self.components.cost() + 30.0 * self.log_weights.len() as f64
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.shares_len(stride) + self.components.cache_len(stride)
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        self.components.add_log_base_measure(rows, out);
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        let stride = rows.stride;
        let (shares, inner) = cache.split_at_mut(self.shares_len(stride));
        self.components.evaluate(rows, shares, inner, scratch);
        let k = self.n_components;
        for ((shares, log_weights), out) in shares
            .chunks_exact_mut(k * stride)
            .zip(self.log_weights.chunks_exact(k))
            .zip(out.chunks_exact_mut(stride))
        {
            softmax(shares, log_weights, stride, out);
        }
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = rows.stride;
        let (shares, inner) = cache.split_at_mut(self.shares_len(stride));
        for (shares, weights) in shares
            .chunks_exact_mut(self.n_components * stride)
            .zip(weights.chunks_exact(stride))
        {
            if weights.iter().any(|w| *w != 1.0) {
                for shares in shares.chunks_exact_mut(stride) {
                    for (s, &w) in shares.iter_mut().zip(weights) {
                        *s *= w;
                    }
                }
            }
        }
        self.components
            .accumulate(rows, shares, inner, sums, scratch);
    }

    fn latent_width(&self) -> usize {
        self.n_components
    }

    fn latent(&self, rows: &Rows<'_>, cache: &mut [f64], out: &mut [f64], _scratch: &mut Scratch) {
        let len = self.shares_len(rows.stride);
        out[..len].copy_from_slice(&cache[..len]);
    }

    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Ok(Box::new(Self {
            log_weights: self.log_weights.clone(),
            n_components: self.n_components,
            components: Arc::from(self.components.restrict(observed)?),
        }))
    }

    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        self.components.lift(sums, full);
    }
}
