//! The most probable path (Viterbi, 1967).

use crate::kernels::error::{KernelError, require};
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::chain::{Chain, Sequences};
use crate::kernels::workers::{self, Watch};

/// How often a sweep asks whether to go on.
const BLOCK: usize = 256;

/// A path of states for every row, and the log probability of each sequence's.
pub struct Paths {
    /// States, the lowest where several are as probable.
    pub states: Vec<i64>,
    /// Log densities of path and sequence together.
    pub log_probabilities: Vec<f64>,
}

/// The most probable path of every sequence.
///
/// # Errors
/// When a row is impossible in every state that can be reached, when there are more states than
/// 65,536, and on interruption.
pub fn most_probable_paths(
    chain: &Chain,
    sequences: Sequences<'_>,
    watch: &mut Watch<'_>,
) -> Result<Paths, KernelError> {
    let k = chain.k;
    require(k <= 1 << 16, || {
        "most probable path: too many states".into()
    })?;
    let groups = sequences.groups();
    let cost = sequences.rows() as f64 * (3 * k * k) as f64;
    let found = workers::run(groups.len(), cost, watch, |i, scratch| {
        let (mut states, mut logs) = (Vec::new(), Vec::new());
        for sequence in groups[i].clone() {
            let rows = sequences.rows_of(sequence);
            match best(chain, sequences.logs_of(&rows), &mut states, scratch)? {
                Ok(log) => logs.push(log),
                Err(row) => return Ok(Err(rows.start + row)),
            }
        }
        Ok(Ok((states, logs)))
    })?;
    let mut out = Paths {
        states: Vec::with_capacity(sequences.rows()),
        log_probabilities: Vec::with_capacity(sequences.len()),
    };
    for part in found {
        let (states, logs) = part.map_err(KernelError::Impossible)?;
        out.states.extend(states);
        out.log_probabilities.extend(logs);
    }
    Ok(out)
}

/// Append the best path of one sequence; its log probability, or the row that is impossible.
fn best(
    chain: &Chain,
    logs: &[f64],
    states: &mut Vec<i64>,
    scratch: &Scratch<'_>,
) -> Result<Result<f64, usize>, KernelError> {
    let k = chain.k;
    let rows = logs.len() / k;
    let mut from = vec![0_u16; rows * k];
    let mut now: Vec<f64> = chain.initial.iter().map(|p| p.ln()).collect();
    let mut next = vec![0.0; k];
    let mut origin = vec![0_u16; k];
    let mut total = Compensated::default();
    for t in 0..rows {
        if t % BLOCK == 0 && scratch.stopped() {
            return Err(KernelError::Interrupted);
        }
        if t > 0 {
            next.fill(f64::NEG_INFINITY);
            origin.fill(0);
            for i in 0..k {
                let row = &chain.forwards.logs[i * k..(i + 1) * k];
                let (start, i) = (now[i], u16::try_from(i).unwrap_or(u16::MAX));
                for ((n, o), &a) in next.iter_mut().zip(&mut origin).zip(row) {
                    let candidate = start + a;
                    let better = candidate > *n;
                    *n = if better { candidate } else { *n };
                    *o = if better { i } else { *o };
                }
            }
            from[t * k..(t + 1) * k].copy_from_slice(&origin);
            std::mem::swap(&mut now, &mut next);
        }
        let mut top = f64::NEG_INFINITY;
        for (n, &l) in now.iter_mut().zip(&logs[t * k..(t + 1) * k]) {
            *n += l;
            top = top.max(*n);
        }
        if top == f64::NEG_INFINITY {
            return Ok(Err(t));
        }
        // relative to the best so far, so that a long sequence costs no digits
        for n in &mut now {
            *n -= top;
        }
        total.add(top);
    }
    let mut state = now.iter().position(|n| *n == 0.0).unwrap_or(0);
    let start = states.len();
    states.resize(start + rows, 0);
    for t in (0..rows).rev() {
        #[allow(clippy::cast_possible_wrap)] // at most 65,535
        let number = state as i64;
        states[start + t] = number;
        state = usize::from(from[t * k + state]);
    }
    Ok(Ok(total.value()))
}

/// A sum that keeps what rounding takes (Neumaier, 1974).
#[derive(Default)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        self.lost += if self.sum.abs() >= x.abs() {
            (self.sum - sum) + x
        } else {
            (x - sum) + self.sum
        };
        self.sum = sum;
    }

    fn value(&self) -> f64 {
        self.sum + self.lost
    }
}
