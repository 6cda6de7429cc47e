//! The expectation pass: rows in blocks that stay in cache, threads that share the blocks,
//! sums that are merged in one fixed order.
//!
//! Where blocks begin and how their sums are merged depends on the data alone, so the
//! result is the same to the last bit for any number of threads. Threads are scoped: there
//! is no pool that a fork could leave without workers, and no idle thread spins.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::kernels::error::{KernelError, require};
use crate::kernels::rows::{LANES, RowIndices, Rows, gather};
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::Stack;

/// Below this many operations a pass runs on the calling thread: starting one costs ~80 µs.
const PARALLEL_COST: f64 = 4e6;
/// A pass is cut into about this many pieces.
const PIECES: usize = 16;
const PIECE_ROWS: usize = 512;
/// How often the calling thread asks whether to go on.
const POLL: Duration = Duration::from_millis(20);

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

/// How a caller watches over the work.
pub struct Watch<'a> {
    /// How many threads may work.
    pub threads: usize,
    /// Asked about fifty times a second from the calling thread; true ends the work.
    pub interrupted: &'a mut dyn FnMut() -> bool,
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

/// Rows by pattern of missing columns: complete rows first, then in order of pattern.
fn groups(table: &Table<'_>) -> Vec<Group> {
    let n = table.rows();
    if !table.data.iter().any(|x| x.is_nan()) {
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
    (fitting.min(quick) / LANES * LANES).clamp(LANES, 256)
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
    fn lift(&self, out: &mut Self::Out, stack: &dyn Stack, sums: &[f64]);
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
        let mut data = scratch.take(width * step);
        let mut logs = scratch.take(stack.count() * step);
        let mut cache = scratch.take(stack.cache_len(step));
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
            stack.evaluate(&rows, logs, cache, scratch);
            stack.add_log_base_measure(&rows, &mut logs[..stride]);
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
    let stop = AtomicBool::new(false);
    let cost = stack.cost() * table.rows() as f64;
    if cost < PARALLEL_COST {
        let mut scratch = Scratch::new(&stop);
        return pieces
            .iter()
            .map(|piece| run_piece(stack, table, &groups, piece, collector, &mut scratch))
            .collect();
    }
    let next = AtomicUsize::new(0);
    let results: Slots<C::Out> = Mutex::new(pieces.iter().map(|_| None).collect());
    let finished = (Mutex::new(0_usize), Condvar::new());
    let n_workers = watch.threads.clamp(1, pieces.len());
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                // whatever happens, a panic included, the waiting caller is told
                let _guard = Finished(&finished);
                let mut scratch = Scratch::new(&stop);
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= pieces.len() {
                        break;
                    }
                    let result =
                        run_piece(stack, table, &groups, &pieces[i], collector, &mut scratch);
                    let failed = result.is_err();
                    if let Ok(mut results) = results.lock() {
                        results[i] = Some(result);
                    }
                    if failed {
                        next.store(pieces.len(), Ordering::Relaxed);
                        break;
                    }
                }
            });
        }
        let mut done = finished
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        while *done < n_workers {
            let (guard, _) = finished
                .1
                .wait_timeout(done, POLL)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            done = guard;
            if *done < n_workers && !stop.load(Ordering::Relaxed) {
                drop(done);
                if (watch.interrupted)() {
                    stop.store(true, Ordering::Relaxed);
                }
                done = finished
                    .0
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
            }
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(KernelError::Interrupted);
    }
    let results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut error = None;
    let mut out = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Some(Ok(value)) => out.push(value),
            Some(Err(e)) => error = error.or(Some(e)),
            None => {}
        }
    }
    error.map_or(Ok(out), Err)
}

/// One place for each piece's result.
type Slots<T> = Mutex<Vec<Option<Result<T, KernelError>>>>;

/// Counts a worker as finished when dropped.
struct Finished<'a>(&'a (Mutex<usize>, Condvar));

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        let mut done = self
            .0
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *done += 1;
        self.0.1.notify_all();
    }
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
        let mut weights = scratch.take(rows.stride);
        for t in 0..rows.len {
            let weight = self.table.weights.map_or(1.0, |w| w[indices.get(t)]);
            weights[t] = weight;
            // a row of weight zero does not count, however impossible
            if weight != 0.0 {
                out.log_likelihood += weight * logs[t];
            }
        }
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
        let mut values = scratch.take(self.width * stride);
        if self.latent {
            stack.latent(rows, cache, &mut values, scratch);
        } else {
            values.copy_from_slice(&logs[..self.width * stride]);
        }
        for t in 0..rows.len {
            out.0.push(indices.get(t));
            out.1
                .extend((0..self.width).map(|i| values[i * stride + t]));
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
    require(stack.count() == 1, || "a pass is over one model".into())?;
    let listing = Listing {
        width: 1,
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
