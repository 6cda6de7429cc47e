//! Chains, tables of emissions, and how sequences are shared out.

use std::ops::Range;

use crate::kernels::error::{KernelError, require};

/// Initial and transition probabilities of `k` states.
pub struct Chain {
    /// How many states.
    pub k: usize,
    /// Initial probabilities.
    pub initial: Vec<f64>,
    /// What carries a message forwards: the transposed transition matrix.
    pub forwards: Carrier,
    /// What carries a message backwards: the transition matrix.
    pub backwards: Carrier,
}

/// A matrix that is applied to messages: column `j` is what entry `j` of a message adds.
pub struct Carrier {
    /// Column after column.
    pub columns: Vec<f64>,
    /// Their logarithms.
    pub logs: Vec<f64>,
}

impl Carrier {
    fn new(columns: Vec<f64>) -> Self {
        let logs = columns.iter().map(|p| p.ln()).collect();
        Self { columns, logs }
    }
}

impl Chain {
    /// A chain of `initial` (k) and `transition` (k × k, from row to column) probabilities.
    ///
    /// # Errors
    /// When lengths do not fit, or an entry is no probability.
    pub fn new(initial: Vec<f64>, transition: &[f64]) -> Result<Self, KernelError> {
        let k = initial.len();
        require(k > 0, || "initial: no states".into())?;
        require(transition.len() == k * k, || {
            "transition: not states × states".into()
        })?;
        require(
            initial
                .iter()
                .chain(transition)
                .all(|p| (0.0..=1.0 + 1e-6).contains(p)),
            || "initial, transition: not probabilities".into(),
        )?;
        let mut transposed = vec![0.0; k * k];
        for i in 0..k {
            for j in 0..k {
                transposed[j * k + i] = transition[i * k + j];
            }
        }
        Ok(Self {
            k,
            initial,
            forwards: Carrier::new(transition.to_vec()),
            backwards: Carrier::new(transposed),
        })
    }

    /// The log probability of a transition.
    pub fn log_transition(&self, from: usize, to: usize) -> f64 {
        self.forwards.logs[from * self.k + to]
    }
}

/// Emission log densities of sequences one below the other.
#[derive(Clone, Copy)]
pub struct Sequences<'a> {
    /// Rows × states.
    pub logs: &'a [f64],
    /// How many states.
    pub k: usize,
    /// Where each sequence begins, and where the last one ends.
    pub offsets: &'a [usize],
}

/// Sequences are handed out in groups of at least this many rows.
const GROUP_ROWS: usize = 4096;

impl<'a> Sequences<'a> {
    /// Sequences that tile the table.
    ///
    /// # Errors
    /// When they do not, or one is empty.
    pub fn new(logs: &'a [f64], k: usize, offsets: &'a [usize]) -> Result<Self, KernelError> {
        require(k > 0 && logs.len().is_multiple_of(k), || {
            "log densities: not rows × states".into()
        })?;
        let tiled = offsets.first() == Some(&0)
            && offsets.last() == Some(&(logs.len() / k))
            && offsets.windows(2).all(|pair| pair[0] < pair[1]);
        require(tiled, || {
            "offsets: the sequences do not tile the rows".into()
        })?;
        Ok(Self { logs, k, offsets })
    }

    /// Rows of all sequences.
    pub fn rows(&self) -> usize {
        self.logs.len() / self.k
    }

    /// How many sequences.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a sequence.
    pub fn rows_of(&self, sequence: usize) -> Range<usize> {
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// The log densities of some rows.
    pub fn logs_of(&self, rows: &Range<usize>) -> &'a [f64] {
        &self.logs[rows.start * self.k..rows.end * self.k]
    }

    /// Groups of neighbouring sequences with enough rows to be worth a task.
    pub fn groups(&self) -> Vec<Range<usize>> {
        let mut groups = Vec::new();
        let mut first = 0;
        for sequence in 0..self.len() {
            if self.offsets[sequence + 1] - self.offsets[first] >= GROUP_ROWS {
                groups.push(first..sequence + 1);
                first = sequence + 1;
            }
        }
        if first < self.len() {
            groups.push(first..self.len());
        }
        groups
    }

    /// The rows of a group of sequences.
    pub fn rows_of_group(&self, group: &Range<usize>) -> Range<usize> {
        self.offsets[group.start]..self.offsets[group.end]
    }
}

/// Cut a slice into pieces of these numbers of rows, `width` numbers a row.
pub fn carve<T>(
    mut all: &mut [T],
    rows: impl Iterator<Item = usize>,
    width: usize,
) -> Vec<&mut [T]> {
    let mut out = Vec::new();
    for n in rows {
        let (piece, rest) = all.split_at_mut(n * width);
        out.push(piece);
        all = rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_tile_the_sequences(lengths in prop::collection::vec(1..6000_usize, 1..20)) {
            let mut offsets = vec![0];
            for n in &lengths {
                offsets.push(offsets[offsets.len() - 1] + n);
            }
            let logs = vec![0.0; offsets[lengths.len()]];
            let sequences = Sequences::new(&logs, 1, &offsets).unwrap();
            let groups = sequences.groups();
            let mut next = 0;
            for (i, group) in groups.iter().enumerate() {
                prop_assert_eq!(group.start, next);
                next = group.end;
                let rows = sequences.rows_of_group(group);
                prop_assert!(rows.len() >= GROUP_ROWS || i + 1 == groups.len());
            }
            prop_assert_eq!(next, lengths.len());
        }
    }

    #[test]
    fn what_is_no_chain_and_no_sequence() {
        assert!(Chain::new(vec![], &[]).is_err());
        assert!(Chain::new(vec![1.0], &[0.5, 0.5]).is_err());
        assert!(Chain::new(vec![f64::NAN], &[1.0]).is_err());
        assert!(Chain::new(vec![1.0], &[-0.1]).is_err());
        for offsets in [&[0, 2][..], &[1, 3], &[0, 1, 1, 3], &[0], &[]] {
            assert!(
                Sequences::new(&[0.0; 3], 1, offsets).is_err(),
                "{offsets:?}"
            );
        }
        assert!(Sequences::new(&[0.0; 3], 2, &[0, 1]).is_err());
    }
}
