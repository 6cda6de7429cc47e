//! What both sweeps say together: posteriors of states, of pairs of neighbours, filters.

use std::ops::Range;
use std::sync::Mutex;

use crate::kernels::error::{KernelError, require};
use crate::kernels::sequences::chain::{Chain, Sequences, carve};
use crate::kernels::sequences::message::{Emission, LEAST_SUM, Message, meet};
use crate::kernels::sequences::sweep::{Densities, Direction, Messages, Start, sweeps};
use crate::kernels::workers::{self, Watch, lock};

/// The work is cut into about this many pieces, of at least so many rows.
const PIECES: usize = 16;
const PIECE_ROWS: usize = 2048;

/// Filtered states.
pub struct Filtered {
    /// Probabilities given the rows up to each row, rows × states.
    pub states: Vec<f64>,
    /// Log density of each row given those before it in its sequence.
    pub log_predictive: Vec<f64>,
}

/// Smoothed states.
pub struct Smoothed {
    /// Probabilities given the whole sequence, rows × states, times its weight.
    pub states: Vec<f64>,
    /// Log density of each row given those before it in its sequence.
    pub log_predictive: Vec<f64>,
    /// Expected numbers of transitions over all sequences, weighted, states × states.
    pub transitions: Vec<f64>,
    /// Probabilities of the states of each row (but a sequence's last) and the next, if asked
    /// for: rows × states × states.
    pub pairs: Vec<f64>,
    /// The backward messages: how probable the rest of its sequence is from each row.
    pub backwards: Messages,
}

/// What is asked of [`smooth`] besides the states.
#[derive(Default, Clone, Copy)]
pub struct Options<'a> {
    /// A weight for each sequence.
    pub weights: Option<&'a [f64]>,
    /// Whether to list the pairs of every row.
    pub pairs: bool,
    /// The prediction of the first row, in place of the initial probabilities.
    pub first: Option<Start<'a>>,
    /// The backward message of the last row, in place of ones.
    pub last: Option<Start<'a>>,
}

/// Runs of rows of about the same length: where they begin depends on the data alone.
fn pieces(rows: usize) -> Vec<Range<usize>> {
    let step = rows.div_ceil(PIECES).max(PIECE_ROWS);
    (0..rows.div_ceil(step))
        .map(|i| i * step..rows.min((i + 1) * step))
        .collect()
}

/// Probabilities of states given the rows so far, and log predictive densities.
///
/// # Errors
/// As [`sweeps`].
pub fn filter(
    chain: &Chain,
    sequences: Sequences<'_>,
    watch: &mut Watch<'_>,
) -> Result<Filtered, KernelError> {
    let k = chain.k;
    let ([mut predicted], log_predictive) =
        sweeps(chain, sequences, [(Direction::Forwards, None)], watch)?;
    let pieces = pieces(sequences.rows());
    let in_logs = &predicted.in_logs;
    let targets: Vec<_> = carve(&mut predicted.values, pieces.iter().map(Range::len), k)
        .into_iter()
        .map(Mutex::new)
        .collect();
    let cost = (sequences.rows() * k) as f64 * 10.0;
    workers::run(pieces.len(), cost, watch, |i, scratch| {
        let (rows, mut values) = (&pieces[i], lock(&targets[i]));
        let logs = sequences.logs_of(rows);
        let mut densities = Densities::new(k);
        let mut product = vec![0.0; k];
        for block in Densities::blocks(rows.len()) {
            if scratch.stopped() {
                return Err(KernelError::Interrupted);
            }
            densities.look(&logs[block.start * k..block.end * k], k);
            for t in block.clone() {
                let own = t * k..(t + 1) * k;
                let message = Message {
                    values: &values[own.clone()],
                    in_logs: in_logs[rows.start + t],
                };
                let emission = densities.get(t - block.start, &logs[own.clone()]);
                // the sweep has found every row possible
                meet(message, emission, &mut product);
                values[own].copy_from_slice(&product);
            }
        }
        Ok(())
    })?;
    drop(targets);
    Ok(Filtered {
        states: predicted.values,
        log_predictive,
    })
}

/// Probabilities of states, and of pairs of neighbours, given the whole sequences.
///
/// # Errors
/// When lengths do not fit; as [`sweeps`].
pub fn smooth(
    chain: &Chain,
    sequences: Sequences<'_>,
    options: Options<'_>,
    watch: &mut Watch<'_>,
) -> Result<Smoothed, KernelError> {
    let (k, rows) = (chain.k, sequences.rows());
    if let Some(weights) = options.weights {
        require(weights.len() == sequences.len(), || {
            "weights: not one for each sequence".into()
        })?;
    }
    let directions = [
        (Direction::Forwards, options.first),
        (Direction::Backwards, options.last),
    ];
    let ([mut predicted, backwards], log_predictive) = sweeps(chain, sequences, directions, watch)?;
    let mut pairs = vec![0.0; if options.pairs { rows * k * k } else { 0 }];
    let pieces = pieces(rows);
    let sizes = || pieces.iter().map(Range::len);
    let in_logs = &predicted.in_logs;
    let targets: Vec<_> = carve(&mut predicted.values, sizes(), k)
        .into_iter()
        .zip(carve(
            &mut pairs,
            sizes(),
            if options.pairs { k * k } else { 0 },
        ))
        .map(Mutex::new)
        .collect();
    let joint = Joint {
        chain,
        sequences,
        weights: options.weights,
        in_logs,
        backwards: &backwards,
    };
    let cost = rows as f64 * (2 * k * k + 20 * k) as f64;
    let sums = workers::run(pieces.len(), cost, watch, |i, scratch| {
        let mut target = lock(&targets[i]);
        let (states, pairs) = &mut *target;
        joint.piece(&pieces[i], states, pairs, &|| scratch.stopped())
    })?;
    drop(targets);
    let mut transitions = vec![0.0; k * k];
    for sum in sums {
        for (t, s) in transitions.iter_mut().zip(sum) {
            *t += s;
        }
    }
    Ok(Smoothed {
        states: predicted.values,
        log_predictive,
        transitions,
        pairs,
        backwards,
    })
}

/// What both sweeps have left, to be joined piece by piece.
struct Joint<'a> {
    chain: &'a Chain,
    sequences: Sequences<'a>,
    weights: Option<&'a [f64]>,
    in_logs: &'a [bool],
    backwards: &'a Messages,
}

impl Joint<'_> {
    /// Replace the predictions of a piece by posteriors; the piece's sums of pairs.
    fn piece(
        &self,
        rows: &Range<usize>,
        states: &mut [f64],
        pairs: &mut [f64],
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<f64>, KernelError> {
        let k = self.chain.k;
        let mut sums = Pairs::new(self.chain);
        let mut densities = Densities::new(k);
        let mut sequence = self.sequences.offsets.partition_point(|&o| o <= rows.start) - 1;
        let mut joined = vec![0.0; k];
        for block in Densities::blocks(rows.len()) {
            if stopped() {
                return Err(KernelError::Interrupted);
            }
            let all = rows.start + block.start..rows.start + block.end;
            let looked = all.start..self.sequences.rows().min(all.end + 1);
            densities.look(self.sequences.logs_of(&looked), k);
            for t in all.clone() {
                while self.sequences.offsets[sequence + 1] <= t {
                    sequence += 1;
                }
                let weight = self.weights.map_or(1.0, |w| w[sequence]);
                let emission =
                    |t: usize| densities.get(t - all.start, self.sequences.logs_of(&(t..t + 1)));
                let own = (t - rows.start) * k..(t - rows.start + 1) * k;
                let here = Side {
                    message: Message {
                        values: &states[own.clone()],
                        in_logs: self.in_logs[t],
                    },
                    emission: emission(t),
                };
                let after = self.backwards.get(t, k);
                if t + 1 < self.sequences.offsets[sequence + 1] {
                    let next = Side {
                        message: self.backwards.get(t + 1, k),
                        emission: emission(t + 1),
                    };
                    sums.add(here, after, next, weight, &mut joined);
                    if !pairs.is_empty() {
                        let place = (t - rows.start) * k * k..(t - rows.start + 1) * k * k;
                        sums.take_last(&mut pairs[place]);
                    }
                } else {
                    join(here, after, &mut joined);
                }
                for (s, &p) in states[own].iter_mut().zip(&joined) {
                    *s = weight * p;
                }
            }
        }
        Ok(sums.total())
    }
}

/// A message and the emission of its row.
#[derive(Clone, Copy)]
struct Side<'a> {
    message: Message<'a>,
    emission: Emission<'a>,
}

impl Side<'_> {
    /// The logarithm of an entry of their product.
    fn log(&self, i: usize) -> f64 {
        self.message.log(i) + self.emission.logs[i]
    }
}

/// The normalised product of both messages of a row and its emission.
fn join(here: Side<'_>, after: Message<'_>, out: &mut [f64]) {
    let mut sum = 0.0;
    if here.message.in_logs || after.in_logs {
        let mut top = f64::NEG_INFINITY;
        for (i, o) in out.iter_mut().enumerate() {
            *o = here.log(i) + after.log(i);
            top = top.max(*o);
        }
        for o in out.iter_mut() {
            *o = (*o - top).exp();
            sum += *o;
        }
    } else {
        for (i, o) in out.iter_mut().enumerate() {
            *o = here.message.values[i] * here.emission.densities[i] * after.values[i];
            sum += *o;
        }
    }
    let scale = 1.0 / sum;
    for o in out.iter_mut() {
        *o *= scale;
    }
}

/// Sums over pairs of neighbours.
struct Pairs<'a> {
    chain: &'a Chain,
    /// Sums of `from × to`, which the transition probability still multiplies.
    open: Vec<f64>,
    /// Sums that have it already, made of logarithms.
    closed: Vec<f64>,
    from: Vec<f64>,
    to: Vec<f64>,
    /// The last pair, where it was made of logarithms.
    logs: Vec<f64>,
    last_in_logs: bool,
}

impl<'a> Pairs<'a> {
    fn new(chain: &'a Chain) -> Self {
        let k = chain.k;
        Self {
            chain,
            open: vec![0.0; k * k],
            closed: vec![0.0; k * k],
            from: vec![0.0; k],
            to: vec![0.0; k],
            logs: vec![0.0; k * k],
            last_in_logs: false,
        }
    }

    /// Add the posterior of a row's state and the next one's; that of the row's own to `joined`.
    fn add(
        &mut self,
        here: Side<'_>,
        after: Message<'_>,
        next: Side<'_>,
        weight: f64,
        joined: &mut [f64],
    ) {
        let in_logs = here.message.in_logs || after.in_logs || next.message.in_logs;
        self.last_in_logs = in_logs && !self.weigh(here, next, joined);
        if self.last_in_logs {
            self.add_in_logs(here, next, weight, joined);
            return;
        }
        if !in_logs {
            // the backward message is the matrix times the next row's normalised product
            let mut norm = 0.0;
            for (i, j) in joined.iter_mut().enumerate() {
                self.from[i] = here.message.values[i] * here.emission.densities[i];
                *j = self.from[i] * after.values[i];
                norm += *j;
            }
            let mut sum = 0.0;
            for (i, t) in self.to.iter_mut().enumerate() {
                *t = next.message.values[i] * next.emission.densities[i];
                sum += *t;
            }
            let (scale, own) = (1.0 / norm, 1.0 / (norm * sum));
            for (f, j) in self.from.iter_mut().zip(joined.iter_mut()) {
                *f *= own;
                *j *= scale;
            }
        }
        add_outer(&mut self.open, &self.from, &self.to, weight);
    }

    /// Both sides of a pair as normalised probabilities; false where these have lost digits.
    fn weigh(&mut self, here: Side<'_>, next: Side<'_>, joined: &mut [f64]) -> bool {
        meet(here.message, here.emission, &mut self.from);
        meet(next.message, next.emission, &mut self.to);
        let rows = self.chain.forwards.columns.chunks_exact(self.chain.k);
        let mut norm = 0.0;
        for ((row, &f), j) in rows.zip(&self.from).zip(joined.iter_mut()) {
            let mut reached = 0.0;
            for (&a, &t) in row.iter().zip(&self.to) {
                reached += a * t;
            }
            *j = f * reached;
            norm += *j;
        }
        if norm < LEAST_SUM {
            return false;
        }
        let scale = 1.0 / norm;
        for (f, j) in self.from.iter_mut().zip(joined.iter_mut()) {
            *f *= scale;
            *j *= scale;
        }
        true
    }

    #[cold]
    fn add_in_logs(&mut self, here: Side<'_>, next: Side<'_>, weight: f64, joined: &mut [f64]) {
        let k = self.chain.k;
        let mut top = f64::NEG_INFINITY;
        for i in 0..k {
            let from = here.log(i);
            for j in 0..k {
                let log = from + self.chain.log_transition(i, j) + next.log(j);
                self.logs[i * k + j] = log;
                top = top.max(log);
            }
        }
        let mut sum = 0.0;
        for l in &mut self.logs {
            *l = (*l - top).exp();
            sum += *l;
        }
        for (c, l) in self.closed.iter_mut().zip(&mut self.logs) {
            *l /= sum;
            *c += weight * *l;
        }
        for (j, row) in joined.iter_mut().zip(self.logs.chunks_exact(k)) {
            *j = row.iter().sum();
        }
    }

    /// The posterior of the pair that was added last.
    fn take_last(&self, out: &mut [f64]) {
        if self.last_in_logs {
            out.copy_from_slice(&self.logs);
            return;
        }
        let k = self.chain.k;
        let rows = out
            .chunks_exact_mut(k)
            .zip(self.chain.forwards.columns.chunks_exact(k));
        for ((out, row), &f) in rows.zip(&self.from) {
            for ((o, &a), &t) in out.iter_mut().zip(row).zip(&self.to) {
                *o = f * a * t;
            }
        }
    }

    fn total(self) -> Vec<f64> {
        let probabilities = &self.chain.forwards.columns;
        self.open
            .iter()
            .zip(&self.closed)
            .zip(probabilities)
            .map(|((open, closed), p)| if *p > 0.0 { open * p + closed } else { *closed })
            .collect()
    }
}

/// Add `weight × from × to` to a matrix.
fn add_outer(sums: &mut [f64], from: &[f64], to: &[f64], weight: f64) {
    match to.len() {
        2 => add_outer_fixed::<2>(sums, from, to, weight),
        3 => add_outer_fixed::<3>(sums, from, to, weight),
        4 => add_outer_fixed::<4>(sums, from, to, weight),
        5 => add_outer_fixed::<5>(sums, from, to, weight),
        6 => add_outer_fixed::<6>(sums, from, to, weight),
        7 => add_outer_fixed::<7>(sums, from, to, weight),
        8 => add_outer_fixed::<8>(sums, from, to, weight),
        k => {
            for (row, &f) in sums.chunks_exact_mut(k).zip(from) {
                let f = f * weight;
                for (s, &t) in row.iter_mut().zip(to) {
                    *s += f * t;
                }
            }
        }
    }
}

fn add_outer_fixed<const K: usize>(sums: &mut [f64], from: &[f64], to: &[f64], weight: f64) {
    let (from, to) = (&from[..K], &to[..K]);
    for (i, row) in sums.chunks_exact_mut(K).enumerate() {
        let f = from[i] * weight;
        for j in 0..K {
            row[j] += f * to[j];
        }
    }
}
