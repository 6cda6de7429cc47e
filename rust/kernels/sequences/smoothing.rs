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
        // of the products that still lack the transition probability, and of those that have it
        let mut sums = Pairs::new(k);
        let (mut here, mut there) = (Densities::new(k), Densities::new(k));
        let mut sequence = self.sequences.offsets.partition_point(|&o| o <= rows.start) - 1;
        let mut joined = vec![0.0; k];
        for block in Densities::blocks(rows.len()) {
            if stopped() {
                return Err(KernelError::Interrupted);
            }
            let all = rows.start + block.start..rows.start + block.end;
            let next = all.start + 1..self.sequences.rows().min(all.end + 1);
            here.look(self.sequences.logs_of(&all), k);
            there.look(self.sequences.logs_of(&next), k);
            for t in all.clone() {
                while self.sequences.offsets[sequence + 1] <= t {
                    sequence += 1;
                }
                let weight = self.weights.map_or(1.0, |w| w[sequence]);
                let own = (t - rows.start) * k..(t - rows.start + 1) * k;
                let message = Message {
                    values: &states[own.clone()],
                    in_logs: self.in_logs[t],
                };
                let emission = here.get(t - all.start, self.sequences.logs_of(&(t..t + 1)));
                let after = self.backwards.get(t, k);
                if t + 1 < self.sequences.offsets[sequence + 1] {
                    let beyond = self.sequences.logs_of(&(t + 1..t + 2));
                    sums.add(
                        self.chain,
                        (message, emission),
                        (
                            self.backwards.get(t + 1, k),
                            there.get(t - all.start, beyond),
                        ),
                        weight,
                    );
                    if !pairs.is_empty() {
                        let place = (t - rows.start) * k * k..(t - rows.start + 1) * k * k;
                        sums.take_last(self.chain, &mut pairs[place]);
                    }
                }
                join(message, emission, after, &mut joined);
                for (s, &p) in states[own].iter_mut().zip(&joined) {
                    *s = weight * p;
                }
            }
        }
        Ok(sums.total(self.chain))
    }
}

/// The normalised product of both messages of a row and its emission.
fn join(before: Message<'_>, emission: Emission<'_>, after: Message<'_>, out: &mut [f64]) {
    let mut sum = 0.0;
    if before.in_logs || after.in_logs {
        let mut top = f64::NEG_INFINITY;
        for (i, o) in out.iter_mut().enumerate() {
            *o = before.log(i) + emission.logs[i] + after.log(i);
            top = top.max(*o);
        }
        for o in out.iter_mut() {
            *o = (*o - top).exp();
            sum += *o;
        }
    } else {
        for (i, o) in out.iter_mut().enumerate() {
            *o = before.values[i] * emission.densities[i] * after.values[i];
            sum += *o;
        }
    }
    let scale = 1.0 / sum;
    for o in out.iter_mut() {
        *o *= scale;
    }
}

/// Sums over pairs of neighbours.
struct Pairs {
    k: usize,
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

impl Pairs {
    fn new(k: usize) -> Self {
        Self {
            k,
            open: vec![0.0; k * k],
            closed: vec![0.0; k * k],
            from: vec![0.0; k],
            to: vec![0.0; k],
            logs: vec![0.0; k * k],
            last_in_logs: false,
        }
    }

    /// Add the posterior of a row's state and the next one's.
    fn add(
        &mut self,
        chain: &Chain,
        here: (Message<'_>, Emission<'_>),
        next: (Message<'_>, Emission<'_>),
        weight: f64,
    ) {
        meet(here.0, here.1, &mut self.from);
        meet(next.0, next.1, &mut self.to);
        let mut norm = 0.0;
        for (row, &f) in chain.forwards.columns.chunks_exact(self.k).zip(&self.from) {
            let mut reached = 0.0;
            for (&a, &t) in row.iter().zip(&self.to) {
                reached += a * t;
            }
            norm += f * reached;
        }
        self.last_in_logs = norm < LEAST_SUM;
        if self.last_in_logs {
            self.add_in_logs(chain, here, next, weight);
            return;
        }
        let scale = 1.0 / norm;
        for f in &mut self.from {
            *f *= scale;
        }
        for (row, &f) in self.open.chunks_exact_mut(self.k).zip(&self.from) {
            let f = f * weight;
            for (o, &t) in row.iter_mut().zip(&self.to) {
                *o += f * t;
            }
        }
    }

    #[cold]
    fn add_in_logs(
        &mut self,
        chain: &Chain,
        here: (Message<'_>, Emission<'_>),
        next: (Message<'_>, Emission<'_>),
        weight: f64,
    ) {
        let k = self.k;
        let mut top = f64::NEG_INFINITY;
        for i in 0..k {
            let from = here.0.log(i) + here.1.logs[i];
            for j in 0..k {
                let log = from + chain.log_transition(i, j) + next.0.log(j) + next.1.logs[j];
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
    }

    /// The posterior of the pair that was added last.
    fn take_last(&self, chain: &Chain, out: &mut [f64]) {
        if self.last_in_logs {
            out.copy_from_slice(&self.logs);
            return;
        }
        let rows = out
            .chunks_exact_mut(self.k)
            .zip(chain.forwards.columns.chunks_exact(self.k));
        for ((out, row), &f) in rows.zip(&self.from) {
            for ((o, &a), &t) in out.iter_mut().zip(row).zip(&self.to) {
                *o = f * a * t;
            }
        }
    }

    fn total(self, chain: &Chain) -> Vec<f64> {
        let probabilities = &chain.forwards.columns;
        self.open
            .iter()
            .zip(&self.closed)
            .zip(probabilities)
            .map(|((open, closed), p)| if *p > 0.0 { open * p + closed } else { *closed })
            .collect()
    }
}
