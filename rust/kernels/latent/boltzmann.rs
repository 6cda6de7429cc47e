//! A dense Boltzmann machine as latent variable, by enumeration of its states.
//!
//! The energies of the couplings are tabulated once; a row's shifts are added by doubling
//! (`E[s | bit i] = E[s] + h_i`), unit 0 the lowest bit. Second moments come from the
//! average distribution over states, summed over the rows, at the end of each block.

use nalgebra::{DMatrix, DVector};

use crate::kernels::error::{KernelError, require};
use crate::kernels::lanes::{Lanes, dispatch};
use crate::kernels::latent::{Latent, Moments, Tilted};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::exp;

/// Distributions of up to this many states a block are kept between evaluation and sums.
const CACHED_STATES: usize = 1 << 14;

/// Units that enumeration takes at most.
const MOST_UNITS: usize = 30;

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
        require((1..=MOST_UNITS).contains(&m), || {
            format!("biases: {m} units, enumeration takes 1 to {MOST_UNITS}")
        })?;
        require(couplings.len() == m * (m - 1) / 2, || {
            format!("couplings: {} for {m} units", couplings.len())
        })?;
        let table = energies(&biases, &couplings);
        let mut states = vec![0.0; table.len()];
        let mut work = vec![0.0; table.len() / 2];
        let mut mean = DVector::zeros(m);
        let no_shifts = vec![0.0; m];
        let log_partition = posterior(
            &table,
            &no_shifts,
            &mut states,
            &mut work,
            mean.as_mut_slice(),
        );
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
    let mut table = vec![f64::NEG_INFINITY; table_len(m)];
    table[0] = 0.0;
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

/// States that one register holds at most: tables are never shorter, and states beyond
/// `2^m` have energy `-inf`.
const LINE: usize = 8;

/// Numbers in a table of the states of `m` units.
fn table_len(m: usize) -> usize {
    (1 << m).max(LINE)
}

#[inline(always)]
fn posterior_body<V: Lanes>(
    table: &[f64],
    shifts: &[f64],
    states: &mut [f64],
    work: &mut [f64],
    means: &mut [f64],
) -> f64 {
    let (m, n) = (shifts.len(), table.len());
    assert!(n == table_len(m) && states.len() == n && work.len() == n / 2 && means.len() == m);
    // what the lowest three units add to the states of a line, and the others to all of it
    let mut low = [0.0; LINE];
    for (i, &h) in shifts.iter().take(3).enumerate() {
        for s in 0..1 << i {
            low[s | 1 << i] = low[s] + h;
        }
    }
    work[0] = 0.0;
    for (i, &h) in shifts.iter().skip(3).enumerate() {
        let (lower, upper) = work.split_at_mut(1 << i);
        for (u, &l) in upper.iter_mut().zip(lower.iter()) {
            *u = l + h;
        }
    }
    let mut top = V::splat(f64::NEG_INFINITY);
    let lines = states.chunks_exact_mut(LINE).zip(table.chunks_exact(LINE));
    for ((states, table), &high) in lines.zip(work.iter()) {
        let parts = states.chunks_exact_mut(V::N).zip(table.chunks_exact(V::N));
        for ((state, table), low) in parts.zip(low.chunks_exact(V::N)) {
            let energy = V::read(table).plus(V::read(low).plus(V::splat(high)));
            top = energy.larger(top);
            energy.write(state);
        }
    }
    let mut line = [f64::NEG_INFINITY; LINE];
    top.write(&mut line);
    let top = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = V::splat(0.0);
    for state in states.chunks_exact_mut(V::N) {
        let e = exp(V::read(state).minus(V::splat(top)));
        total = total.plus(e);
        e.write(state);
    }
    let total = total.total();
    let scale = V::splat(1.0 / total);
    for state in states.chunks_exact_mut(V::N) {
        V::read(state).times(scale).write(state);
    }
    // means by folding: the states with the highest unit onto those without
    let mut length = n;
    for i in (3..m).rev() {
        length /= 2;
        means[i] = if i == m - 1 {
            let (lower, upper) = states.split_at(length);
            fold::<V>(lower, upper, work)
        } else {
            let (lower, upper) = work[..2 * length].split_at_mut(length);
            fold_onto::<V>(lower, upper)
        };
    }
    let last: &[f64] = if m > 3 { &work[..LINE] } else { states };
    for (i, mean) in means.iter_mut().enumerate().take(3) {
        *mean = (0..LINE).filter(|s| s >> i & 1 == 1).map(|s| last[s]).sum();
    }
    top + total.ln()
}
dispatch! {
    /// The distribution over `states` at the energies of the table with the shift of every
    /// active unit added, and the `means` of the units; its log normaliser. Half as much
    /// `work` as states.
    fn posterior(
        table: &[f64],
        shifts: &[f64],
        states: &mut [f64],
        work: &mut [f64],
        means: &mut [f64],
    ) -> f64 = posterior_body
}

/// `out = lower + upper`; the sum of the upper.
#[inline(always)]
fn fold<V: Lanes>(lower: &[f64], upper: &[f64], out: &mut [f64]) -> f64 {
    let mut total = V::splat(0.0);
    let halves = lower.chunks_exact(V::N).zip(upper.chunks_exact(V::N));
    for ((l, u), o) in halves.zip(out.chunks_exact_mut(V::N)) {
        let u = V::read(u);
        total = total.plus(u);
        V::read(l).plus(u).write(o);
    }
    total.total()
}

/// As [`fold`], in place of the lower.
#[inline(always)]
fn fold_onto<V: Lanes>(lower: &mut [f64], upper: &[f64]) -> f64 {
    let mut total = V::splat(0.0);
    for (l, u) in lower.chunks_exact_mut(V::N).zip(upper.chunks_exact(V::N)) {
        let u = V::read(u);
        total = total.plus(u);
        V::read(l).plus(u).write(l);
    }
    total.total()
}

#[inline(always)]
fn add_weighted_body<V: Lanes>(states: &[f64], weight: f64, total: &mut [f64]) {
    let weight = V::splat(weight);
    for (t, s) in total.chunks_exact_mut(V::N).zip(states.chunks_exact(V::N)) {
        V::read(s).multiply_add(weight, V::read(t)).write(t);
    }
}
dispatch! {
    /// Add the states times a weight to the total.
    fn add_weighted(states: &[f64], weight: f64, total: &mut [f64]) = add_weighted_body
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
    fn cached(&self) -> bool {
        self.table.len() <= CACHED_STATES
    }

    /// Means of the units, feature by feature, then the states of each row if cached.
    fn split<'a>(&self, cache: &'a mut [f64], stride: usize) -> (&'a mut [f64], &'a mut [f64]) {
        cache.split_at_mut(self.m * stride)
    }

    /// The posterior of row `t` into `states`, the units' means into `means`; its log
    /// normaliser.
    fn posterior(
        &self,
        shifts: &Rows<'_>,
        t: usize,
        states: &mut [f64],
        work: &mut [f64],
        means: &mut [f64],
    ) -> f64 {
        let mut h = [0.0; MOST_UNITS];
        for (i, h) in h[..self.m].iter_mut().enumerate() {
            *h = shifts.data[i * shifts.stride + t];
        }
        posterior(&self.table, &h[..self.m], states, work, means)
    }
}

impl Tilted for TiltedBoltzmann {
    fn cache_len(&self, stride: usize) -> usize {
        let states = if self.cached() { self.table.len() } else { 0 };
        stride * (self.m + states)
    }

    fn cost(&self) -> f64 {
        30.0 * self.table.len() as f64
    }

    fn evaluate(
        &self,
        shifts: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let n = self.table.len();
        let (means, all) = self.split(cache, shifts.stride);
        let mut own = scratch.take_any(if self.cached() { 0 } else { n });
        let mut work = scratch.take_any(n / 2);
        let mut mean = [0.0; MOST_UNITS];
        let mean = &mut mean[..self.m];
        for t in 0..shifts.len {
            if scratch.stopped() {
                break;
            }
            let states = if self.cached() {
                &mut all[t * n..(t + 1) * n]
            } else {
                &mut own[..]
            };
            let log_normaliser = self.posterior(shifts, t, states, &mut work, mean);
            out[t] = log_normaliser - self.log_partition;
            for (run, &mean) in means.chunks_exact_mut(shifts.stride).zip(mean.iter()) {
                run[t] = mean;
            }
        }
        out[shifts.len..].fill(0.0);
        for run in means.chunks_exact_mut(shifts.stride) {
            run[shifts.len..].fill(0.0);
        }
        scratch.give(own);
        scratch.give(work);
    }

    fn leading_mean(
        &self,
        shifts: &Rows<'_>,
        cache: &mut [f64],
        out: &mut [f64],
        _scratch: &mut Scratch,
    ) {
        let (means, _) = self.split(cache, shifts.stride);
        out[..means.len()].copy_from_slice(means);
    }

    fn accumulate(
        &self,
        shifts: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let n = self.table.len();
        let (_, all) = self.split(cache, shifts.stride);
        let mut total = scratch.take(n);
        let mut own = scratch.take_any(if self.cached() { 0 } else { n });
        let mut work = scratch.take_any(if self.cached() { 0 } else { n / 2 });
        let mut mean = [0.0; MOST_UNITS];
        for t in (0..shifts.len).filter(|&t| weights[t] != 0.0) {
            if self.cached() {
                add_weighted(&all[t * n..(t + 1) * n], weights[t], &mut total);
                continue;
            }
            if scratch.stopped() {
                break;
            }
            self.posterior(shifts, t, &mut own, &mut work, &mut mean[..self.m]);
            add_weighted(&own, weights[t], &mut total);
        }
        sums[0] += weights[..shifts.len].iter().sum::<f64>();
        moments(&mut total[..1 << self.m], self.m, &mut sums[1..]);
        for buffer in [total, own, work] {
            scratch.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes::in_every_width;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    fn numbers(n: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-2.0..2.0_f64, n)
    }

    #[test]
    fn energies_by_hand() {
        let biases = [0.3, -0.7, 1.1];
        let couplings = [0.5, -0.2, 0.9]; // (1,0), (2,0), (2,1)
        let table = energies(&biases, &couplings);
        assert_eq!(table[0], 0.0);
        assert!((table[0b011] - (0.3 - 0.7 + 0.5)).abs() < 1e-15);
        assert!((table[0b111] - (0.3 - 0.7 + 1.1 + 0.5 - 0.2 + 0.9)).abs() < 1e-15);
        // a table never is shorter than a line
        let padded = energies(&biases[..2], &couplings[..1]);
        assert_eq!(padded[4..], [f64::NEG_INFINITY; 4]);
    }

    fn posterior_holds<V: Lanes>(table: &[f64], shifts: &[f64]) -> Result<(), TestCaseError> {
        let m = shifts.len();
        let n = 1 << m;
        let energy = |s: usize| {
            let active: f64 = (0..m).filter(|i| s >> i & 1 == 1).map(|i| shifts[i]).sum();
            table[s] + active
        };
        let total: f64 = (0..n).map(|s| energy(s).exp()).sum();
        let mut states = vec![f64::NAN; table.len()];
        let mut work = vec![f64::NAN; table.len() / 2];
        let mut means = vec![f64::NAN; m];
        let log_total = posterior_body::<V>(table, shifts, &mut states, &mut work, &mut means);
        prop_assert!((log_total - total.ln()).abs() < 1e-12 * (1.0 + total.ln().abs()));
        for s in 0..n {
            let exact = energy(s).exp() / total;
            prop_assert!((states[s] - exact).abs() < 1e-12 * exact);
        }
        prop_assert!(states[n..].iter().all(|p| *p == 0.0));
        let mut added = vec![1.0; table.len()];
        add_weighted_body::<V>(&states, 2.5, &mut added);
        let sums_to = added
            .iter()
            .zip(&states)
            .all(|(a, s)| (a - 1.0 - 2.5 * s).abs() < 1e-15);
        prop_assert!(sums_to);
        let mut sums = vec![0.0; m * (m + 1) / 2];
        moments(&mut states.clone()[..n], m, &mut sums);
        let mean =
            |mask: usize| -> f64 { (0..n).filter(|s| s & mask == mask).map(|s| states[s]).sum() };
        let mut at = m;
        for i in 0..m {
            prop_assert!((means[i] - mean(1 << i)).abs() < 1e-13);
            prop_assert!((sums[i] - mean(1 << i)).abs() < 1e-13);
            for j in 0..i {
                prop_assert!((sums[at] - mean(1 << i | 1 << j)).abs() < 1e-13);
                at += 1;
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn posteriors_agree_with_plain_sums(
            (table, shifts) in (1..9_usize).prop_flat_map(|m| {
                let table = (numbers(m), numbers(m * (m - 1) / 2))
                    .prop_map(|(biases, couplings)| energies(&biases, &couplings));
                (table, numbers(m))
            })
        ) {
            in_every_width!(posterior_holds(&table, &shifts));
        }

        #[test]
        fn blocks_agree_with_rows(
            (m, biases, couplings, shifts, weights) in (1..7_usize).prop_flat_map(|m| {
                let weights = prop::collection::vec(0.0..2.0_f64, 16);
                (Just(m), numbers(m), numbers(m * (m - 1) / 2), numbers(m * 16), weights)
            })
        ) {
            let prior = BoltzmannLatent::new(biases, couplings).unwrap();
            let tilted = prior.tilt(&DMatrix::zeros(m, m)).unwrap();
            let stop = AtomicBool::new(false);
            let mut scratch = Scratch::new(&stop);
            let rows = Rows::new(&shifts, m, 16, 11);
            let mut cache = vec![f64::NAN; tilted.cache_len(16)];
            let (mut logs, mut means) = (vec![f64::NAN; 16], vec![f64::NAN; m * 16]);
            tilted.evaluate(&rows, &mut logs, &mut cache, &mut scratch);
            tilted.leading_mean(&rows, &mut cache, &mut means, &mut scratch);
            let mut sums = vec![0.0; prior.size()];
            tilted.accumulate(&rows, &weights, &mut cache, &mut sums, &mut scratch);
            let total: f64 = weights[..11].iter().sum();
            prop_assert!((sums[0] - total).abs() < 1e-12);
            for i in 0..m {
                let run = &means[i * 16..(i + 1) * 16];
                let exact: f64 = run[..11].iter().zip(&weights).map(|(m, w)| m * w).sum();
                prop_assert!((sums[1 + i] - exact).abs() < 1e-12);
                // rows of padding have numbers too, of no weight
                prop_assert!(run[11..].iter().all(|m| *m == 0.0));
            }
            prop_assert!(logs.iter().all(|l| l.is_finite()));
        }
    }

    #[test]
    fn without_shifts_the_posterior_is_the_prior() {
        let prior = BoltzmannLatent::new(vec![0.4, -1.0], vec![0.8]).unwrap();
        let exact = [0.0_f64, 0.4, -1.0, 0.2].map(f64::exp);
        let total: f64 = exact.iter().sum();
        assert!((prior.mean()[0] - (exact[1] + exact[3]) / total).abs() < 1e-15);
        assert!((prior.mean()[1] - (exact[2] + exact[3]) / total).abs() < 1e-15);
    }
}
