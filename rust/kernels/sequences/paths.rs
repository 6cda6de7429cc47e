//! Exact draws of paths from their posterior: forwards once, then backwards for each draw.

use std::sync::Mutex;

use crate::kernels::error::{KernelError, require};
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::chain::{Chain, Sequences, carve};
use crate::kernels::sequences::message::{Emission, LEAST_SUM, Message, meet};
use crate::kernels::sequences::sweep::{Densities, Messages};
use crate::kernels::workers::{self, Watch, lock};

/// Draw a path of every sequence for each row of `uniforms` (draws × rows, in [0, 1)), given the
/// forward messages. Draws × rows.
///
/// # Errors
/// When lengths do not fit, and on interruption.
pub fn draw_paths(
    chain: &Chain,
    sequences: Sequences<'_>,
    predicted: &Messages,
    uniforms: &[f64],
    watch: &mut Watch<'_>,
) -> Result<Vec<i64>, KernelError> {
    let (k, rows) = (chain.k, sequences.rows());
    require(uniforms.len().is_multiple_of(rows), || {
        "uniforms: not draws × rows".into()
    })?;
    require(
        predicted.values.len() == rows * k && predicted.in_logs.len() == rows,
        || "predicted: not rows × states".into(),
    )?;
    let draws = uniforms.len() / rows;
    let groups = sequences.groups();
    // rows × draws, so that a group's are side by side
    let mut states = vec![0_i64; rows * draws];
    let sizes = groups
        .iter()
        .map(|group| sequences.rows_of_group(group).len());
    let targets: Vec<_> = carve(&mut states, sizes, draws)
        .into_iter()
        .map(Mutex::new)
        .collect();
    let cost = rows as f64 * (20 * k * k + 20 * draws) as f64;
    workers::run(groups.len(), cost, watch, |i, scratch| {
        let mut target = lock(&targets[i]);
        let origin = sequences.rows_of_group(&groups[i]).start;
        for sequence in groups[i].clone() {
            let range = sequences.rows_of(sequence);
            let own = (range.start - origin) * draws..(range.end - origin) * draws;
            let mut drawer = Drawer::new(chain, draws);
            drawer.sequence(
                sequences,
                predicted,
                range,
                uniforms,
                &mut target[own],
                scratch,
            )?;
        }
        Ok(())
    })?;
    drop(targets);
    let mut out = vec![0; rows * draws];
    for (t, row) in states.chunks_exact(draws.max(1)).enumerate() {
        for (draw, &state) in row.iter().enumerate() {
            out[draw * rows + t] = state;
        }
    }
    Ok(out)
}

struct Drawer<'a> {
    chain: &'a Chain,
    /// The states that the draws are in.
    now: Vec<usize>,
    filtered: Vec<f64>,
    /// Cumulative weights of the states before, for each state after.
    tables: Vec<f64>,
}

impl<'a> Drawer<'a> {
    fn new(chain: &'a Chain, draws: usize) -> Self {
        Self {
            chain,
            now: vec![0; draws],
            filtered: vec![0.0; chain.k],
            tables: vec![0.0; chain.k * chain.k],
        }
    }

    fn sequence(
        &mut self,
        sequences: Sequences<'_>,
        predicted: &Messages,
        range: std::ops::Range<usize>,
        uniforms: &[f64],
        out: &mut [i64],
        scratch: &Scratch<'_>,
    ) -> Result<(), KernelError> {
        let (k, rows, draws) = (self.chain.k, sequences.rows(), self.now.len());
        let mut densities = Densities::new(k);
        for block in Densities::blocks(range.len()).rev() {
            if scratch.stopped() {
                return Err(KernelError::Interrupted);
            }
            let all = range.start + block.start..range.start + block.end;
            densities.look(sequences.logs_of(&all), k);
            for t in all.clone().rev() {
                let emission = densities.get(t - all.start, sequences.logs_of(&(t..t + 1)));
                let message = predicted.get(t, k);
                meet(message, emission, &mut self.filtered);
                let last = t + 1 == range.end;
                self.tabulate(message, emission, last);
                for draw in 0..draws {
                    let after = if last { 0 } else { self.now[draw] };
                    let table = &self.tables[after * k..(after + 1) * k];
                    let place = uniforms[draw * rows + t] * table[k - 1];
                    let state = table.partition_point(|c| *c <= place).min(k - 1);
                    self.now[draw] = state;
                    #[allow(clippy::cast_possible_wrap)] // a number of states
                    let number = state as i64;
                    out[(t - range.start) * draws + draw] = number;
                }
            }
        }
        Ok(())
    }

    /// Cumulative weights of this row's state for every state of the next; for the last row of
    /// a sequence only the first table, of the filtered probabilities.
    fn tabulate(&mut self, message: Message<'_>, emission: Emission<'_>, last: bool) {
        let k = self.chain.k;
        if last {
            accumulate(self.filtered.iter().copied(), &mut self.tables[..k]);
            return;
        }
        for after in 0..k {
            let table = &mut self.tables[after * k..(after + 1) * k];
            let reached = &self.chain.backwards.columns[after * k..(after + 1) * k];
            let weights = self.filtered.iter().zip(reached).map(|(f, a)| f * a);
            let total = accumulate(weights, table);
            if total < LEAST_SUM {
                let log = |i: usize| {
                    message.log(i) + emission.logs[i] + self.chain.log_transition(i, after)
                };
                let top = (0..k).map(log).fold(f64::NEG_INFINITY, f64::max);
                if top > f64::NEG_INFINITY {
                    accumulate((0..k).map(|i| (log(i) - top).exp()), table);
                }
            }
        }
    }
}

fn accumulate(weights: impl Iterator<Item = f64>, out: &mut [f64]) -> f64 {
    let mut total = 0.0;
    for (o, w) in out.iter_mut().zip(weights) {
        total += w;
        *o = total;
    }
    total
}
