//! The expectation pass: rows in blocks that stay in cache, threads that share the blocks,
//! sums that are merged in one fixed order.
//!
//! Where blocks begin and how their sums are merged depends on the data alone, so the
//! result is the same to the last bit for any number of threads. Threads are scoped: there
//! is no pool that a fork could leave without workers, and no idle thread spins.

use std::collections::BTreeMap;

use crate::kernels::error::{KernelError, require};
use crate::kernels::rows::{LANES, RowIndices, Rows, gather};
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::Stack;
use crate::kernels::workers;
pub use crate::kernels::workers::Watch;

/// A pass is cut into about this many pieces.
const PIECES: usize = 16;
const PIECE_ROWS: usize = 512;

/// A C-contiguous table, NaN where a value is missing, with a weight for each row.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// `rows * columns` numbers.
    pub data: &'a [f64],
    /// Columns.
    pub columns: usize,
    /// A weight for every row, or none for weight 1.
    pub weights: Option<&'a [f64]>,
}

impl Table<'_> {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.columns
    }

    fn check(&self, stack: &dyn Stack) -> Result<(), KernelError> {
        require(self.columns == stack.features() && self.columns > 0, || {
            format!(
                "x: {} columns, the model has {}",
                self.columns,
                stack.features()
            )
        })?;
        if let Some(weights) = self.weights {
            require(weights.len() == self.rows(), || {
                format!("weights: {} for {} rows", weights.len(), self.rows())
            })?;
        }
        Ok(())
    }
}

/// Sums and the log-likelihood of a table.
pub struct Totals {
    /// `Σ w log q(x)`.
    pub log_likelihood: f64,
    /// The stack's sums.
    pub sums: Vec<f64>,
}

/// Rows with the same observed columns.
struct Group {
    observed: Option<Vec<usize>>,
    list: Option<Vec<usize>>,
    len: usize,
}

impl Group {
    fn indices(&self) -> RowIndices<'_> {
        match &self.list {
            Some(list) => RowIndices::List(list),
            None => RowIndices::Run {
                start: 0,
                len: self.len,
            },
        }
    }
}

/// Whether any number is NaN.
fn has_missing(data: &[f64]) -> bool {
    // a chunk without an early end is as fast as memory
    data.chunks(1024)
        .any(|chunk| chunk.iter().fold(false, |any, x| any | x.is_nan()))
}

/// Rows by pattern of missing columns: complete rows first, then in order of pattern.
fn groups(table: &Table<'_>) -> Vec<Group> {
    let n = table.rows();
    if !has_missing(table.data) {
        return vec![Group {
            observed: None,
            list: None,
            len: n,
        }];
    }
    let mut patterns: BTreeMap<Vec<bool>, Vec<usize>> = BTreeMap::new();
    for (t, row) in table.data.chunks_exact(table.columns).enumerate() {
        let missing: Vec<bool> = row.iter().map(|x| x.is_nan()).collect();
        patterns.entry(missing).or_default().push(t);
    }
    patterns
        .into_iter()
        .map(|(missing, list)| {
            let observed = missing
                .iter()
                .any(|m| *m)
                .then(|| (0..missing.len()).filter(|&f| !missing[f]).collect());
            Group {
                observed,
                len: list.len(),
                list: Some(list),
            }
        })
        .collect()
}

/// A piece of work: parts of groups, as (group, first row, rows).
type Piece = Vec<(usize, usize, usize)>;

fn pieces(groups: &[Group], n: usize) -> Vec<Piece> {
    let target = (n.div_ceil(PIECES)).max(PIECE_ROWS);
    let mut all = Vec::new();
    let mut current: Piece = Vec::new();
    let mut room = target;
    for (g, group) in groups.iter().enumerate() {
        let mut from = 0;
        while from < group.len {
            let len = room.min(group.len - from);
            current.push((g, from, len));
            from += len;
            room -= len;
            if room == 0 {
                all.push(std::mem::take(&mut current));
                room = target;
            }
        }
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

/// Rows of a block: few enough that its buffers stay in cache.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small positive numbers
fn block_rows(stack: &dyn Stack) -> usize {
    let per_row = stack.features() * 3 + stack.cache_len(LANES) / LANES + stack.count();
    let fitting = 24_000 / per_row.max(1);
    let quick = (2e7 / stack.cost()) as usize;
    // strides of powers of two would put every feature in the same few lines of the cache
    let rows = fitting.min(quick).clamp(LANES, 256) / LANES;
    (rows - (rows + 1) % 2).max(1) * LANES
}

/// What a worker does with each evaluated block.
trait Collector: Sync {
    type Out: Send;
    fn start(&self) -> Self::Out;
    #[allow(clippy::too_many_arguments)] // one block and all that is known of it
    fn block(
        &self,
        out: &mut Self::Out,
        sums: &mut [f64],
        stack: &dyn Stack,
        rows: &Rows<'_>,
        indices: RowIndices<'_>,
        logs: &[f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    );
    fn wants_sums(&self) -> bool;
    /// Whether log densities are asked for, and not only what evaluation leaves in the cache.
    fn wants_logs(&self) -> bool {
        true
    }
    fn lift(&self, out: &mut Self::Out, stack: &dyn Stack, sums: &[f64]);
}

/// Add the log base measure, which all members share, to each one's log densities.
fn add_base_measure(
    stack: &dyn Stack,
    rows: &Rows<'_>,
    logs: &mut [f64],
    scratch: &mut Scratch<'_>,
) {
    if stack.count() == 1 {
        stack.add_log_base_measure(rows, logs);
        return;
    }
    let mut base = scratch.take(rows.stride);
    stack.add_log_base_measure(rows, &mut base);
    for logs in logs.chunks_exact_mut(rows.stride) {
        for (log, b) in logs.iter_mut().zip(base.iter()) {
            *log += b;
        }
    }
    scratch.give(base);
}

fn run_piece<C: Collector>(
    stack: &dyn Stack,
    table: &Table<'_>,
    groups: &[Group],
    piece: &Piece,
    collector: &C,
    scratch: &mut Scratch,
) -> Result<C::Out, KernelError> {
    let mut out = collector.start();
    for &(g, from, len) in piece {
        let group = &groups[g];
        let restricted;
        let all: Vec<usize>;
        let (stack, columns): (&dyn Stack, &[usize]) = if let Some(observed) = &group.observed {
            restricted = stack.restrict(observed)?;
            (restricted.as_ref(), observed)
        } else {
            all = (0..table.columns).collect();
            (stack, &all)
        };
        let indices = group.indices().slice(from, len);
        let step = block_rows(stack);
        let width = columns.len();
        let size = if collector.wants_sums() {
            stack.size() * stack.count()
        } else {
            0
        };
        let mut sums = scratch.take(size);
        let mut data = scratch.take_any(width * step);
        let mut logs = scratch.take_any(stack.count() * step);
        let mut cache = scratch.take_any(stack.cache_len(step));
        let mut at = 0;
        while at < len {
            if scratch.stopped() {
                return Err(KernelError::Interrupted);
            }
            let here = step.min(len - at);
            let stride = here.div_ceil(LANES) * LANES;
            let indices = indices.slice(at, here);
            gather(
                table.data,
                table.columns,
                indices,
                columns,
                stride,
                &mut data,
            );
            let rows = Rows::new(&data, width, stride, here);
            let logs = &mut logs[..stack.count() * stride];
            let cache = &mut cache[..stack.cache_len(stride)];
            if collector.wants_logs() || !cache.is_empty() {
                stack.evaluate(&rows, logs, cache, scratch);
            }
            if collector.wants_logs() {
                add_base_measure(stack, &rows, logs, scratch);
            }
            collector.block(
                &mut out, &mut sums, stack, &rows, indices, logs, cache, scratch,
            );
            at += here;
        }
        collector.lift(&mut out, stack, &sums);
        for buffer in [sums, data, logs, cache] {
            scratch.give(buffer);
        }
    }
    if scratch.stopped() {
        return Err(KernelError::Interrupted);
    }
    Ok(out)
}

/// Run every piece, on several threads when it is worth it; results in order of pieces.
fn run<C: Collector>(
    stack: &dyn Stack,
    table: &Table<'_>,
    collector: &C,
    watch: &mut Watch<'_>,
) -> Result<Vec<C::Out>, KernelError> {
    let groups = groups(table);
    let pieces = pieces(&groups, table.rows());
    let cost = stack.cost() * table.rows() as f64;
    workers::run(pieces.len(), cost, watch, |i, scratch| {
        run_piece(stack, table, &groups, &pieces[i], collector, scratch)
    })
}

/// `Σ w l` in a fixed order; a row of weight zero does not count, however impossible.
fn weighted_sum(weights: &[f64], logs: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    for (weights, logs) in weights.chunks_exact(8).zip(logs.chunks_exact(8)) {
        for ((part, &w), &l) in parts.iter_mut().zip(weights).zip(logs) {
            *part += if w == 0.0 { 0.0 } else { w * l };
        }
    }
    parts.iter().sum()
}

struct Summing<'a> {
    table: Table<'a>,
    size: usize,
}

impl Collector for Summing<'_> {
    type Out = Totals;

    fn start(&self) -> Totals {
        Totals {
            log_likelihood: 0.0,
            sums: vec![0.0; self.size],
        }
    }

    fn block(
        &self,
        out: &mut Totals,
        sums: &mut [f64],
        stack: &dyn Stack,
        rows: &Rows<'_>,
        indices: RowIndices<'_>,
        logs: &[f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let mut weights = scratch.take_any(rows.stride);
        let (own, padding) = weights.split_at_mut(rows.len);
        for (t, w) in own.iter_mut().enumerate() {
            *w = self.table.weights.map_or(1.0, |w| w[indices.get(t)]);
        }
        padding.fill(0.0);
        out.log_likelihood += weighted_sum(&weights, &logs[..rows.stride]);
        stack.accumulate(rows, &weights, cache, sums, scratch);
        scratch.give(weights);
    }

    fn wants_sums(&self) -> bool {
        true
    }

    fn lift(&self, out: &mut Totals, stack: &dyn Stack, sums: &[f64]) {
        stack.lift(sums, &mut out.sums);
    }
}

/// The expectation step of a stack of one member over a table.
///
/// # Errors
/// When shapes do not fit, the model has no kernel for missing values, or on interruption.
pub fn expectation(
    stack: &dyn Stack,
    table: Table<'_>,
    watch: &mut Watch<'_>,
) -> Result<Totals, KernelError> {
    table.check(stack)?;
    require(stack.count() == 1, || "a pass is over one model".into())?;
    let collector = Summing {
        table,
        size: stack.size(),
    };
    let mut total = collector.start();
    for part in run(stack, &table, &collector, watch)? {
        total.log_likelihood += part.log_likelihood;
        for (t, p) in total.sums.iter_mut().zip(&part.sums) {
            *t += p;
        }
    }
    Ok(total)
}

/// Sums of all members, each under weights of its own.
struct Weighing<'a> {
    /// A weight for every row and member, rows × members.
    weights: &'a [f64],
    count: usize,
    size: usize,
}

impl Collector for Weighing<'_> {
    type Out = Vec<f64>;

    fn start(&self) -> Vec<f64> {
        vec![0.0; self.size * self.count]
    }

    fn block(
        &self,
        _out: &mut Vec<f64>,
        sums: &mut [f64],
        stack: &dyn Stack,
        rows: &Rows<'_>,
        indices: RowIndices<'_>,
        _logs: &[f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let mut weights = scratch.take(rows.stride * self.count);
        for t in 0..rows.len {
            let row = indices.get(t) * self.count;
            for (k, &w) in self.weights[row..row + self.count].iter().enumerate() {
                weights[k * rows.stride + t] = w;
            }
        }
        stack.accumulate(rows, &weights, cache, sums, scratch);
        scratch.give(weights);
    }

    fn wants_sums(&self) -> bool {
        true
    }

    fn wants_logs(&self) -> bool {
        false
    }

    fn lift(&self, out: &mut Vec<f64>, stack: &dyn Stack, sums: &[f64]) {
        stack.lift(sums, out);
    }
}

/// Sums of a table under `weights` of rows × members, one member after another.
///
/// # Errors
/// As [`expectation`].
pub fn accumulate(
    stack: &dyn Stack,
    table: &Table<'_>,
    weights: &[f64],
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, KernelError> {
    table.check(stack)?;
    require(weights.len() == table.rows() * stack.count(), || {
        "weights: not rows × members".into()
    })?;
    let collector = Weighing {
        weights,
        count: stack.count(),
        size: stack.size(),
    };
    let mut total = collector.start();
    for part in run(stack, table, &collector, watch)? {
        for (t, p) in total.iter_mut().zip(&part) {
            *t += p;
        }
    }
    Ok(total)
}

/// Numbers for each row, kept with the row's place.
struct Listing {
    width: usize,
    latent: bool,
}

impl Collector for Listing {
    type Out = (Vec<usize>, Vec<f64>);

    fn start(&self) -> Self::Out {
        (Vec::new(), Vec::new())
    }

    fn block(
        &self,
        out: &mut Self::Out,
        _sums: &mut [f64],
        stack: &dyn Stack,
        rows: &Rows<'_>,
        indices: RowIndices<'_>,
        logs: &[f64],
        cache: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let stride = rows.stride;
        let mut values = scratch.take_any(if self.latent { self.width * stride } else { 0 });
        let found: &[f64] = if self.latent {
            stack.latent(rows, cache, &mut values, scratch);
            &values
        } else {
            logs
        };
        let (places, numbers) = out;
        places.extend((0..rows.len).map(|t| indices.get(t)));
        let start = numbers.len();
        numbers.resize(start + rows.len * self.width, 0.0);
        for (i, run) in found.chunks_exact(stride).take(self.width).enumerate() {
            let column = numbers[start + i..].iter_mut().step_by(self.width);
            for (number, &value) in column.zip(&run[..rows.len]) {
                *number = value;
            }
        }
        scratch.give(values);
    }

    fn wants_sums(&self) -> bool {
        false
    }

    fn lift(&self, _out: &mut Self::Out, _stack: &dyn Stack, _sums: &[f64]) {}
}

fn list(
    stack: &dyn Stack,
    table: &Table<'_>,
    listing: &Listing,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, KernelError> {
    table.check(stack)?;
    let mut out = vec![0.0; table.rows() * listing.width];
    for (places, values) in run(stack, table, listing, watch)? {
        for (place, values) in places.iter().zip(values.chunks_exact(listing.width)) {
            out[place * listing.width..(place + 1) * listing.width].copy_from_slice(values);
        }
    }
    Ok(out)
}

/// Log densities, rows × members.
///
/// # Errors
/// As [`expectation`].
pub fn log_densities(
    stack: &dyn Stack,
    table: &Table<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, KernelError> {
    let listing = Listing {
        width: stack.count(),
        latent: false,
    };
    list(stack, table, &listing, watch)
}

/// Posteriors of the latent variable (shares or means), rows × width.
///
/// # Errors
/// As [`expectation`]; also when the model has no latent variable.
pub fn latents(
    stack: &dyn Stack,
    table: &Table<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, KernelError> {
    let width = stack.latent_width() * stack.count();
    require(width > 0, || "the model has no latent variable".into())?;
    let listing = Listing {
        width,
        latent: true,
    };
    list(stack, table, &listing, watch)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::kernels::stack::mixture::MixtureStack;
    use crate::kernels::stack::normal::{Covariance, NormalStack};

    /// Parameters of a mixture of normals, factors lower triangular.
    #[derive(Debug, Clone)]
    struct Normals {
        d: usize,
        log_weights: Vec<f64>,
        means: Vec<f64>,
        factors: Vec<f64>,
    }

    impl Normals {
        fn stack(&self) -> MixtureStack {
            let (means, factors) = (self.means.clone(), self.factors.clone());
            let normals = NormalStack::new(Covariance::Full, self.d, means, factors).unwrap();
            let k = self.log_weights.len();
            MixtureStack::new(self.log_weights.clone(), k, Arc::new(normals)).unwrap()
        }

        /// Log density of each component with its weight.
        fn logs(&self, row: &[f64]) -> Vec<f64> {
            let d = self.d;
            (0..self.log_weights.len())
                .map(|k| {
                    let factor = &self.factors[k * d * d..(k + 1) * d * d];
                    let mean = &self.means[k * d..(k + 1) * d];
                    let (mut norm, mut log) = (0.0, self.log_weights[k]);
                    for i in 0..d {
                        let white: f64 = (0..=i)
                            .map(|j| factor[i * d + j] * (row[j] - mean[j]))
                            .sum();
                        norm += white * white;
                        log += factor[i * d + i].ln() - 0.5 * (2.0 * std::f64::consts::PI).ln();
                    }
                    log - 0.5 * norm
                })
                .collect()
        }

        /// The expectation, row by row.
        fn expectation(&self, data: &[f64], weights: &[f64]) -> Totals {
            let (d, size) = (self.d, 1 + self.d + self.d * (self.d + 1) / 2);
            let mut totals = Totals {
                log_likelihood: 0.0,
                sums: vec![0.0; size * self.log_weights.len()],
            };
            for (row, weight) in data.chunks_exact(d).zip(weights) {
                let logs = self.logs(row);
                let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let log = top + logs.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
                totals.log_likelihood += weight * log;
                for (k, sums) in totals.sums.chunks_exact_mut(size).enumerate() {
                    let share = weight * (logs[k] - log).exp();
                    let deviation = |i: usize| row[i] - self.means[k * d + i];
                    sums[0] += share;
                    let mut at = 1 + d;
                    for i in 0..d {
                        sums[1 + i] += share * deviation(i);
                        for j in 0..=i {
                            sums[at] += share * deviation(i) * deviation(j);
                            at += 1;
                        }
                    }
                }
            }
            totals
        }
    }

    fn numbers(n: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-2.0..2.0_f64, n)
    }

    fn normals(
        d: impl Strategy<Value = usize>,
        k: impl Strategy<Value = usize>,
    ) -> impl Strategy<Value = Normals> {
        (d, k)
            .prop_flat_map(|(d, k)| (Just(d), numbers(k), numbers(k * d), numbers(k * d * d)))
            .prop_map(|(d, log_weights, means, mut factors)| {
                for factor in factors.chunks_exact_mut(d * d) {
                    for i in 0..d {
                        factor[i * d + i] = 1.0 + factor[i * d + i].abs();
                        factor[i * d + i + 1..(i + 1) * d].fill(0.0);
                    }
                }
                Normals {
                    d,
                    log_weights,
                    means,
                    factors,
                }
            })
    }

    fn pass(stack: &dyn Stack, data: &[f64], weights: Option<&[f64]>, threads: usize) -> Totals {
        let table = Table {
            data,
            columns: stack.features(),
            weights,
        };
        let mut watch = Watch {
            threads,
            interrupted: &mut || false,
        };
        expectation(stack, table, &mut watch).unwrap()
    }

    fn close(value: f64, exact: f64, scale: f64) -> bool {
        (value - exact).abs() <= 1e-11 * (scale + exact.abs())
    }

    proptest! {
        #[test]
        fn the_pass_of_a_mixture_agrees_with_plain_loops(
            (model, data, weights) in normals(1..6_usize, 1..5_usize).prop_flat_map(|model| {
                let n = 1..400_usize;
                (Just(model), n).prop_flat_map(|(model, n)| {
                    let (d, weights) = (model.d, prop::collection::vec(0.0..2.0_f64, n));
                    (Just(model), numbers(n * d), weights)
                })
            })
        ) {
            let (stack, n) = (model.stack(), weights.len());
            let ones = vec![1.0; n];
            for (given, weights) in [(Some(&weights[..]), &weights), (None, &ones)] {
                let exact = model.expectation(&data, weights);
                let found = pass(&stack, &data, given, 1);
                let scale = n as f64;
                prop_assert!(close(found.log_likelihood, exact.log_likelihood, 10.0 * scale));
                for (value, exact) in found.sums.iter().zip(&exact.sums) {
                    prop_assert!(close(*value, *exact, 10.0 * scale), "{value} {exact}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn threads_do_not_change_a_bit(
            model in normals(6..9_usize, 6..9_usize),
            data in numbers(14_001 * 8),
            missing in any::<bool>(),
        ) {
            let stack = model.stack();
            let n = data.len() / 8;
            let mut data = data[..n * model.d].to_vec();
            if missing {
                data.iter_mut().step_by(777).for_each(|x| *x = f64::NAN);
            }
            // enough work for the threads that are asked for
            prop_assert!(stack.cost() * n as f64 > workers::PARALLEL_COST);
            let alone = pass(&stack, &data, None, 1);
            for threads in [2, 3, 8] {
                let together = pass(&stack, &data, None, threads);
                prop_assert!(together.log_likelihood.to_bits() == alone.log_likelihood.to_bits());
                for (a, b) in together.sums.iter().zip(&alone.sums) {
                    prop_assert!(a.to_bits() == b.to_bits());
                }
            }
        }
    }

    #[test]
    fn rows_of_weight_zero_do_not_count_however_impossible() {
        let logs = [
            f64::NEG_INFINITY,
            -1.0,
            f64::NEG_INFINITY,
            -2.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ];
        let weights = [0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(weighted_sum(&weights, &logs), -4.0);
    }

    #[test]
    fn a_missing_value_is_found_anywhere() {
        for at in [0, 1023, 1024, 4999] {
            let mut data = vec![1.0; 5000];
            assert!(!has_missing(&data));
            data[at] = f64::NAN;
            assert!(has_missing(&data));
        }
    }

    #[test]
    fn blocks_hold_an_odd_number_of_lanes() {
        for d in [1, 3, 8, 32, 100, 1000] {
            let factors = vec![1.0; d];
            let stack = NormalStack::new(Covariance::Diagonal, d, vec![0.0; d], factors).unwrap();
            let rows = block_rows(&stack);
            assert!(rows % (2 * LANES) == LANES && rows <= 256, "{d}: {rows}");
        }
    }
}
