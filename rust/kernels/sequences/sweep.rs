//! A sweep over one sequence, forwards or backwards.

use std::ops::Range;
use std::sync::Mutex;

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::chain::{Chain, Sequences, carve};
use crate::kernels::sequences::message::{Emission, LEAST, Message, carry, meet, through};
use crate::kernels::simd::exp_slice;
use crate::kernels::workers::{self, Watch, lock};

/// Rows whose densities are worked out together.
const BLOCK: usize = 128;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Predictions of each row's state from the rows before it.
    Forwards,
    /// How probable the rows after each row are, given its state.
    Backwards,
}

/// Messages of all rows, rows × states, each in probabilities or in logarithms.
pub struct Messages {
    /// The entries.
    pub values: Vec<f64>,
    /// Whether a row's are logarithms.
    pub in_logs: Vec<bool>,
}

impl Messages {
    fn new(rows: usize, k: usize) -> Self {
        Self {
            values: vec![0.0; rows * k],
            in_logs: vec![false; rows],
        }
    }

    /// The message of a row.
    pub fn get(&self, row: usize, k: usize) -> Message<'_> {
        Message {
            values: &self.values[row * k..(row + 1) * k],
            in_logs: self.in_logs[row],
        }
    }
}

/// A message that a sweep starts from in place of the chain's own.
#[derive(Clone, Copy)]
pub struct Start<'a>(pub Message<'a>);

/// Where a sweep writes: its own rows' messages, and their log norms.
struct Target<'a> {
    values: &'a mut [f64],
    in_logs: &'a mut [bool],
    /// The log of each product of message and emission; what forwards is a predictive density.
    norms: Option<&'a mut [f64]>,
}

/// Relative densities of a block of rows, with their maxima.
pub struct Densities {
    values: Vec<f64>,
    tops: Vec<f64>,
}

impl Densities {
    /// Room for blocks of rows of `k` states, and a row more.
    pub fn new(k: usize) -> Self {
        Self {
            values: vec![0.0; (BLOCK + 1) * k],
            tops: vec![0.0; BLOCK + 1],
        }
    }

    /// Work out the densities of these rows: a block and one row at most.
    pub fn look(&mut self, logs: &[f64], k: usize) {
        let n = logs.len() / k;
        for ((row, values), top) in logs
            .chunks_exact(k)
            .zip(self.values.chunks_exact_mut(k))
            .zip(&mut self.tops)
        {
            let mut largest = f64::NEG_INFINITY;
            for &l in row {
                largest = if l > largest { l } else { largest };
            }
            *top = largest;
            let finite = largest.max(f64::MIN);
            for (v, &l) in values.iter_mut().zip(row) {
                *v = l - finite;
            }
        }
        exp_slice(&mut self.values[..n * k]);
    }

    /// The emission of the `i`-th row of those looked at, whose log densities are `logs`.
    pub fn get<'a>(&'a self, i: usize, logs: &'a [f64]) -> Emission<'a> {
        let k = logs.len();
        Emission {
            logs,
            densities: &self.values[i * k..(i + 1) * k],
            top: self.tops[i],
        }
    }

    /// Blocks of rows, in order.
    pub fn blocks(rows: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
        (0..rows.div_ceil(BLOCK)).map(move |b| b * BLOCK..rows.min((b + 1) * BLOCK))
    }
}

/// Sweep over one sequence with these log densities; the row within it that is impossible.
fn sweep(
    chain: &Chain,
    logs: &[f64],
    direction: Direction,
    start: Option<Start<'_>>,
    target: &mut Target<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<Option<usize>, KernelError> {
    let k = chain.k;
    let rows = logs.len() / k;
    let forwards = direction == Direction::Forwards;
    let carrier = if forwards {
        &chain.forwards
    } else {
        &chain.backwards
    };
    let mut now = vec![1.0; k];
    let mut product = vec![0.0; k];
    let mut densities = Densities::new(k);
    let fast = through(k);
    let mut in_logs = match start {
        Some(Start(message)) => {
            now.copy_from_slice(message.values);
            message.in_logs
        }
        None if forwards => first_prediction(&chain.initial, &mut now),
        None => false,
    };
    let first = if forwards { 0 } else { rows - 1 };
    target.values[first * k..(first + 1) * k].copy_from_slice(&now);
    target.in_logs[first] = in_logs;
    let mut blocks: Vec<_> = Densities::blocks(rows).collect();
    if !forwards {
        blocks.reverse();
    }
    for block in blocks {
        if scratch.stopped() {
            return Err(KernelError::Interrupted);
        }
        densities.look(&logs[block.start * k..block.end * k], k);
        for step in 0..block.len() {
            let i = if forwards {
                step
            } else {
                block.len() - 1 - step
            };
            let t = block.start + i;
            let emission = densities.get(i, &logs[t * k..(t + 1) * k]);
            let message = Message {
                values: &now,
                in_logs,
            };
            let next = if forwards { t + 1 } else { t.wrapping_sub(1) };
            let last = next >= rows; // nobody asks for what comes then
            if !in_logs && emission.top > f64::NEG_INFINITY {
                let (sum, least) = fast(&carrier.columns, &now, emission.densities, &mut product);
                if least >= LEAST || last {
                    if let Some(norms) = &mut target.norms {
                        norms[t] = emission.top + sum.ln();
                    }
                    if !last {
                        target.values[next * k..(next + 1) * k].copy_from_slice(&product);
                        std::mem::swap(&mut now, &mut product);
                    }
                    continue;
                }
            }
            let Some(norm) = meet(message, emission, &mut product) else {
                return Ok(Some(t));
            };
            if let Some(norms) = &mut target.norms {
                norms[t] = norm.0 + norm.1.ln();
            }
            if last {
                continue;
            }
            let out = &mut target.values[next * k..(next + 1) * k];
            in_logs = carry(carrier, message, emission, &mut product, norm, out);
            target.in_logs[next] = in_logs;
            now.copy_from_slice(out);
        }
    }
    Ok(None)
}

/// The initial probabilities, in logarithms where one is all but zero.
fn first_prediction(initial: &[f64], out: &mut [f64]) -> bool {
    let in_logs = initial.iter().any(|p| *p < LEAST);
    for (o, &p) in out.iter_mut().zip(initial) {
        *o = if in_logs { p.ln() } else { p };
    }
    in_logs
}

/// Messages of every sequence in each of some directions, and the log norms of those forwards:
/// log predictive densities. Each starts from the message given, else from the chain's own.
///
/// # Errors
/// When a row is impossible in every state that can be reached, and on interruption.
pub fn sweeps<const N: usize>(
    chain: &Chain,
    sequences: Sequences<'_>,
    directions: [(Direction, Option<Start<'_>>); N],
    watch: &mut Watch<'_>,
) -> Result<([Messages; N], Vec<f64>), KernelError> {
    let (k, rows) = (chain.k, sequences.rows());
    let groups = sequences.groups();
    let mut messages: [Messages; N] = std::array::from_fn(|_| Messages::new(rows, k));
    let mut norms = vec![0.0; rows];
    let sizes = || {
        groups
            .iter()
            .map(|group| sequences.rows_of_group(group).len())
    };
    let mut own_norms = carve(&mut norms, sizes(), 1);
    let mut tasks = Vec::new();
    for (one, (direction, start)) in messages.iter_mut().zip(directions) {
        let values = carve(&mut one.values, sizes(), k);
        let in_logs = carve(&mut one.in_logs, sizes(), 1);
        for (g, (values, in_logs)) in values.into_iter().zip(in_logs).enumerate() {
            let norms =
                (direction == Direction::Forwards).then(|| std::mem::take(&mut own_norms[g]));
            let target = Target {
                values,
                in_logs,
                norms,
            };
            tasks.push((g, direction, start, Mutex::new(target)));
        }
    }
    let cost = rows as f64 * (k * k + 20 * k) as f64;
    let found = workers::run(tasks.len(), cost, watch, |i, scratch| {
        let (g, direction, start, target) = &tasks[i];
        let mut target = lock(target);
        sweep_group(
            chain,
            sequences,
            &groups[*g],
            *direction,
            *start,
            &mut target,
            scratch,
        )
    })?;
    drop(tasks);
    if let Some(row) = found.into_iter().flatten().next() {
        return Err(KernelError::Impossible(row));
    }
    Ok((messages, norms))
}

/// Sweep over a group of sequences; the first row that is impossible.
fn sweep_group(
    chain: &Chain,
    sequences: Sequences<'_>,
    group: &Range<usize>,
    direction: Direction,
    start: Option<Start<'_>>,
    target: &mut Target<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<Option<usize>, KernelError> {
    let (k, origin) = (chain.k, sequences.rows_of_group(group).start);
    for sequence in group.clone() {
        let rows = sequences.rows_of(sequence);
        let (a, b) = (rows.start - origin, rows.end - origin);
        let mut own = Target {
            values: &mut target.values[a * k..b * k],
            in_logs: &mut target.in_logs[a..b],
            norms: target.norms.as_deref_mut().map(|norms| &mut norms[a..b]),
        };
        let logs = sequences.logs_of(&rows);
        if let Some(row) = sweep(chain, logs, direction, start, &mut own, scratch)? {
            return Ok(Some(rows.start + row));
        }
    }
    Ok(None)
}
