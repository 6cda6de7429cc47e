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
/// keeping the columns `columns` only.
pub fn gather(
    table: &[f64],
    n_columns: usize,
    indices: RowIndices<'_>,
    columns: &[usize],
    stride: usize,
    out: &mut [f64],
) {
    let len = indices.len();
    for t in 0..stride {
        let row = indices.get(t.min(len - 1));
        let source = &table[row * n_columns..(row + 1) * n_columns];
        for (f, &column) in columns.iter().enumerate() {
            out[f * stride + t] = source[column];
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
