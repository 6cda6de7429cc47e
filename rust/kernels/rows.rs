//! A block of rows stored one feature after another, so that loops run over rows.

/// Blocks hold a multiple of this many rows; the last rows of a table are padded.
pub const LANES: usize = 16;

/// A borrowed block: feature `f` of row `t` is `data[f * stride + t]`.
///
/// Rows `len..stride` are padding: copies of a real row, to be given weight zero.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `features * stride` numbers.
    pub data: &'a [f64],
    /// How many features.
    pub features: usize,
    /// Rows in the block with padding, a multiple of [`LANES`].
    pub stride: usize,
    /// Rows in the block without padding.
    pub len: usize,
}

impl<'a> Rows<'a> {
    /// A view of `data` as `features` runs of `stride` numbers.
    pub fn new(data: &'a [f64], features: usize, stride: usize, len: usize) -> Self {
        debug_assert!(data.len() >= features * stride);
        Self {
            data: &data[..features * stride],
            features,
            stride,
            len,
        }
    }

    /// All rows of one feature.
    pub fn feature(&self, feature: usize) -> &'a [f64] {
        &self.data[feature * self.stride..(feature + 1) * self.stride]
    }
}

/// Copy the rows `indices` of a C-contiguous table into `out`, feature by feature,
/// keeping the columns `columns` only; the last row is repeated up to `stride`, a multiple
/// of eight.
pub fn gather(
    table: &[f64],
    n_columns: usize,
    indices: RowIndices<'_>,
    columns: &[usize],
    stride: usize,
    out: &mut [f64],
) {
    let last = indices.len() - 1;
    for t in (0..stride).step_by(8) {
        // eight rows at a time fill a line of the cache for each feature
        let rows: [&[f64]; 8] = std::array::from_fn(|i| {
            let row = indices.get((t + i).min(last));
            &table[row * n_columns..(row + 1) * n_columns]
        });
        for (run, &column) in out.chunks_exact_mut(stride).zip(columns) {
            for (o, row) in run[t..t + 8].iter_mut().zip(&rows) {
                *o = row[column];
            }
        }
    }
}

/// Rows of a table: a run of neighbours, or a list.
#[derive(Clone, Copy)]
pub enum RowIndices<'a> {
    /// Rows `start..start + len`.
    Run {
        /// First row.
        start: usize,
        /// How many.
        len: usize,
    },
    /// Rows by number.
    List(&'a [usize]),
}

impl RowIndices<'_> {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Run { len, .. } => *len,
            Self::List(list) => list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the `t`-th row.
    pub fn get(&self, t: usize) -> usize {
        match self {
            Self::Run { start, .. } => start + t,
            Self::List(list) => list[t],
        }
    }

    /// Rows `from..from + len` of these.
    #[must_use]
    pub fn slice(&self, from: usize, len: usize) -> Self {
        match self {
            Self::Run { start, .. } => Self::Run {
                start: start + from,
                len,
            },
            Self::List(list) => Self::List(&list[from..from + len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gathered_rows_are_those_of_the_table(
            n in 1..60_usize,
            n_columns in 1..9_usize,
            mask in 0..512_usize,
            list in prop::collection::vec(0..1000_usize, 1..60),
            run in any::<bool>(),
        ) {
            let table: Vec<f64> = (0..n * n_columns).map(|i| i as f64).collect();
            let columns: Vec<usize> = (0..n_columns).filter(|c| mask >> c & 1 == 1).collect();
            let list: Vec<usize> = list.iter().map(|row| row % n).collect();
            let indices = if run {
                RowIndices::Run { start: n / 3, len: n - n / 3 }
            } else {
                RowIndices::List(&list)
            };
            let stride = indices.len().div_ceil(LANES) * LANES;
            let mut out = vec![f64::NAN; columns.len() * stride];
            gather(&table, n_columns, indices, &columns, stride, &mut out);
            for (f, &column) in columns.iter().enumerate() {
                for t in 0..stride {
                    let row = indices.get(t.min(indices.len() - 1));
                    prop_assert_eq!(out[f * stride + t], table[row * n_columns + column]);
                }
            }
        }
    }
}
