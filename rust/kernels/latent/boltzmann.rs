//! A dense Boltzmann machine as latent variable, by enumeration of its states.
//!
//! The energies of the couplings are tabulated once; a row's shifts are added by doubling
//! (`E[s | bit i] = E[s] + h_i`), unit 0 the lowest bit. Second moments come from the
//! average distribution over states, summed over the rows, at the end of each block.

use nalgebra::{DMatrix, DVector};

use crate::dispatch;
use crate::kernels::error::{KernelError, require};
use crate::kernels::latent::{Latent, Moments, Tilted};
use crate::kernels::product::sums as feature_sums;
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::exp;

/// Distributions of up to this many states a block are kept between evaluation and sums.
const CACHED_STATES: usize = 1 << 10;

/// `z` in {0, 1}^m at biases and couplings. Sums: total weight, `Σ w E[z]`, `Σ w E[z_i z_j]`
/// for `i > j`.
pub struct BoltzmannLatent {
    biases: Vec<f64>,
    couplings: Vec<f64>,
    log_partition: f64,
    mean: DVector<f64>,
}

impl BoltzmannLatent {
    /// Biases and the couplings of all pairs `i > j`, row by row.
    ///
    /// # Errors
    /// When there are not `m (m − 1) / 2` couplings, or more than 30 units.
    pub fn new(biases: Vec<f64>, couplings: Vec<f64>) -> Result<Self, KernelError> {
        let m = biases.len();
        require((1..=30).contains(&m), || {
            format!("biases: {m} units, enumeration takes 1 to 30")
        })?;
        require(couplings.len() == m * (m - 1) / 2, || {
            format!("couplings: {} for {m} units", couplings.len())
        })?;
        let mut states = energies(&biases, &couplings);
        let log_partition = normalise(&mut states);
        let mean = DVector::from_vec(unit_means(&mut states, m));
        Ok(Self {
            biases,
            couplings,
            log_partition,
            mean,
        })
    }
}

/// `s(z)·θ` of every state.
pub fn energies(biases: &[f64], couplings: &[f64]) -> Vec<f64> {
    let m = biases.len();
    let mut table = vec![0.0; 1 << m];
    let mut pair_sums = vec![0.0; 1 << m.saturating_sub(1)];
    let mut at = 0;
    for i in 0..m {
        // field on unit i from the units below it, by doubling
        let half = 1 << i;
        pair_sums[0] = biases[i];
        for j in 0..i {
            let coupling = couplings[at + j];
            let (low, high) = pair_sums.split_at_mut(1 << j);
            for (h, &l) in high.iter_mut().zip(low.iter()) {
                *h = l + coupling;
            }
        }
        at += i;
        let (low, high) = table.split_at_mut(half);
        for ((h, &l), &field) in high.iter_mut().zip(low.iter()).zip(&pair_sums) {
            *h = l + field;
        }
    }
    table
}

#[inline(always)]
fn normalise_body<const FUSED: bool, const WIDE: bool>(states: &mut [f64]) -> f64 {
    let mut tops = [f64::NEG_INFINITY; 8];
    for chunk in states.chunks(8) {
        for (t, &e) in tops.iter_mut().zip(chunk) {
            *t = if e > *t { e } else { *t };
        }
    }
    let top = tops.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut parts = [0.0; 8];
    for chunk in states.chunks_mut(8) {
        for (s, e) in parts.iter_mut().zip(chunk) {
            *e = exp::<FUSED>(*e - top);
            *s += *e;
        }
    }
    let total: f64 = parts.iter().sum();
    let scale = 1.0 / total;
    for e in states {
        *e *= scale;
    }
    top + total.ln()
}
dispatch! {
    /// Energies to probabilities, in place; the log of their sum is returned.
    pub fn normalise(states: &mut [f64]) -> f64 = normalise_body
}

#[inline(always)]
fn shifted_body<const FUSED: bool, const WIDE: bool>(
    table: &[f64],
    shifts: &[f64],
    out: &mut [f64],
) {
    out[0] = 0.0;
    for (i, &h) in shifts.iter().enumerate() {
        let (low, high) = out.split_at_mut(1 << i);
        for (u, &l) in high.iter_mut().zip(low.iter()) {
            *u = l + h;
        }
    }
    for (o, &e) in out.iter_mut().zip(table) {
        *o += e;
    }
}
dispatch! {
    /// The table with the shift of every active unit added.
    pub fn shifted(table: &[f64], shifts: &[f64], out: &mut [f64]) = shifted_body
}

/// `P(z_i = 1)` by folding, which destroys the distribution.
fn unit_means(states: &mut [f64], m: usize) -> Vec<f64> {
    let mut means = vec![0.0; m];
    let mut length = 1 << m;
    for i in (0..m).rev() {
        length /= 2;
        let (low, high) = states[..2 * length].split_at_mut(length);
        let mut total = [0.0];
        if length >= 8 {
            feature_sums(high, 1, length, &mut total);
        } else {
            total[0] = high.iter().sum();
        }
        means[i] = total[0];
        for (l, &h) in low.iter_mut().zip(high.iter()) {
            *l += h;
        }
    }
    means
}

/// `Σ_s p(s) s_i` and `Σ_s p(s) s_i s_j` for `i > j` of any measure on the states, which
/// is overwritten by its sums over supersets.
fn moments(states: &mut [f64], m: usize, out: &mut [f64]) {
    for i in 0..m {
        let half = 1 << i;
        for block in states.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (l, &h) in low.iter_mut().zip(high.iter()) {
                *l += h;
            }
        }
    }
    let mut at = m;
    for i in 0..m {
        out[i] += states[1 << i];
        for j in 0..i {
            out[at] += states[(1 << i) | (1 << j)];
            at += 1;
        }
    }
}

impl Latent for BoltzmannLatent {
    fn width(&self) -> usize {
        self.biases.len()
    }

    fn size(&self) -> usize {
        let m = self.width();
        1 + m * (m + 1) / 2
    }

    fn mean(&self) -> DVector<f64> {
        self.mean.clone()
    }

    fn tilt(&self, precision: &DMatrix<f64>) -> Result<Box<dyn Tilted>, KernelError> {
        let m = self.width();
        let mut biases = self.biases.clone();
        let mut couplings = self.couplings.clone();
        let mut at = 0;
        for i in 0..m {
            biases[i] -= 0.5 * precision[(i, i)];
            for j in 0..i {
                couplings[at] -= precision[(i, j)];
                at += 1;
            }
        }
        Ok(Box::new(TiltedBoltzmann {
            m,
            table: energies(&biases, &couplings),
            log_partition: self.log_partition,
        }))
    }

    fn moments(&self, sums: &[f64], centre: &DVector<f64>) -> Moments {
        let m = self.width();
        let first = DVector::from_column_slice(&sums[1..=m]);
        let pairs = &sums[1 + m..];
        let second = DMatrix::from_fn(m, m, |i, j| {
            let (i, j) = (i.max(j), i.min(j));
            if i == j {
                first[i]
            } else {
                pairs[i * (i - 1) / 2 + j]
            }
        });
        Moments {
            weight: sums[0],
            first,
            second,
        }
        .about(&DVector::zeros(m), centre)
    }
}

struct TiltedBoltzmann {
    m: usize,
    table: Vec<f64>,
    log_partition: f64,
}

impl TiltedBoltzmann {
    fn n_states(&self) -> usize {
        1 << self.m
    }

    fn cached(&self) -> bool {
        self.n_states() <= CACHED_STATES
    }

    /// The posterior over states of row `t` into `states`; its log normaliser.
    fn posterior(&self, shifts: &Rows<'_>, t: usize, states: &mut [f64]) -> f64 {
        let mut h = [0.0; 30];
        for (i, h) in h[..self.m].iter_mut().enumerate() {
            *h = shifts.data[i * shifts.stride + t];
        }
        shifted(&self.table, &h[..self.m], states);
        normalise(states)
    }

    /// Call `visit` with every row's posterior over states.
    fn each(
        &self,
        shifts: &Rows<'_>,
        cache: &[f64],
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &mut [f64]),
    ) {
        let mut states = scratch.take(self.n_states());
        for t in 0..shifts.len {
            if self.cached() {
                let n = self.n_states();
                states.copy_from_slice(&cache[t * n..(t + 1) * n]);
            } else {
                if scratch.stopped() {
                    break;
                }
                self.posterior(shifts, t, &mut states);
            }
            visit(t, &mut states);
        }
        scratch.give(states);
    }
}

impl Tilted for TiltedBoltzmann {
    fn cache_len(&self, stride: usize) -> usize {
        if self.cached() {
            stride * self.n_states()
        } else {
            0
        }
    }

    fn cost(&self) -> f64 {
        60.0 * self.n_states() as f64
    }

    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let n = self.n_states();
        let mut own = scratch.take(if self.cached() { 0 } else { n });
        for t in 0..shifts.len {
            if scratch.stopped() {
                break;
            }
            let states = if self.cached() {
                &mut cache[t * n..(t + 1) * n]
            } else {
                &mut own[..]
            };
            out[t] = self.posterior(shifts, t, states) - self.log_partition;
        }
        out[shifts.len..].fill(0.0);
        scratch.give(own);
    }

    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        cache: &mut [f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (m, stride) = (self.m, shifts.stride);
        self.each(shifts, cache, scratch, |t, states| {
            for (i, mean) in unit_means(states, m).into_iter().enumerate() {
                out[i * stride + t] = mean;
            }
        });
    }

    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let mut total = scratch.take(self.n_states());
        self.each(shifts, cache, scratch, |t, states| {
            let weight = weights[t];
            for (sum, &p) in total.iter_mut().zip(states.iter()) {
                *sum += weight * p;
            }
        });
        sums[0] += weights[..shifts.len].iter().sum::<f64>();
        moments(&mut total, self.m, &mut sums[1..]);
        scratch.give(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energies_and_moments_by_hand() {
        let biases = [0.3, -0.7, 1.1];
        let couplings = [0.5, -0.2, 0.9]; // (1,0), (2,0), (2,1)
        let table = energies(&biases, &couplings);
        assert_eq!(table[0], 0.0);
        assert!((table[0b011] - (0.3 - 0.7 + 0.5)).abs() < 1e-15);
        assert!((table[0b111] - (0.3 - 0.7 + 1.1 + 0.5 - 0.2 + 0.9)).abs() < 1e-15);
        let mut states = table.clone();
        let log_partition = normalise(&mut states);
        let exact: f64 = table.iter().map(|e| e.exp()).sum::<f64>().ln();
        assert!((log_partition - exact).abs() < 1e-14);
        let mut out = vec![0.0; 6];
        moments(&mut states.clone(), 3, &mut out);
        let means = unit_means(&mut states.clone(), 3);
        for i in 0..3 {
            let mean: f64 = (0..8).filter(|s| s >> i & 1 == 1).map(|s| states[s]).sum();
            assert!((out[i] - mean).abs() < 1e-15 && (means[i] - mean).abs() < 1e-15);
        }
        let pair: f64 = (0..8)
            .filter(|s| s & 0b110 == 0b110)
            .map(|s| states[s])
            .sum();
        assert!((out[5] - pair).abs() < 1e-15);
    }
}
