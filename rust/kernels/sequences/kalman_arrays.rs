//! Small matrices, row by row, and the orthogonal transformations that square-root filters are
//! made of. Nothing here allocates once its buffers have grown.

/// Relative size below which what is left of a row after cancellation is rounding.
pub const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// A dense matrix, row by row, whose buffer is used again and again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    data: Vec<f64>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            data: vec![0.0; rows * columns],
            rows,
            columns,
        }
    }

    /// A matrix of these numbers, row by row.
    pub fn from_rows(rows: usize, columns: usize, data: &[f64]) -> Self {
        debug_assert_eq!(data.len(), rows * columns);
        Self {
            data: data.to_vec(),
            rows,
            columns,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All numbers, row by row.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// One row.
    #[inline]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// One row, to be written.
    #[inline]
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// Become zeros of another shape.
    pub fn reset(&mut self, rows: usize, columns: usize) {
        self.data.clear();
        self.data.resize(rows * columns, 0.0);
        (self.rows, self.columns) = (rows, columns);
    }

    /// Become a copy.
    pub fn copy_from(&mut self, other: &Self) {
        self.data.clone_from(&other.data);
        (self.rows, self.columns) = (other.rows, other.columns);
    }

    /// Copy `part` to where its first entry is (`row`, `column`).
    pub fn place(&mut self, row: usize, column: usize, part: &Self) {
        for i in 0..part.rows {
            self.row_mut(row + i)[column..column + part.columns].copy_from_slice(part.row(i));
        }
    }

    /// Become `a b`.
    pub fn product(&mut self, a: &Self, b: &Self) {
        self.reset(a.rows, b.columns);
        for i in 0..a.rows {
            let out = &mut self.data[i * b.columns..(i + 1) * b.columns];
            for (l, &scale) in a.row(i).iter().enumerate() {
                add_scaled(out, scale, b.row(l));
            }
        }
    }

    /// Become `a bᵀ`.
    pub fn outer_product(&mut self, a: &Self, b: &Self) {
        self.reset(a.rows, b.rows);
        for i in 0..a.rows {
            for j in 0..b.rows {
                self.data[i * b.rows + j] = dot(a.row(i), b.row(j));
            }
        }
    }

    /// Keep the first `columns` columns.
    pub fn keep_columns(&mut self, columns: usize) {
        if columns < self.columns {
            for i in 0..self.rows {
                let from = i * self.columns;
                self.data.copy_within(from..from + columns, i * columns);
            }
            self.columns = columns;
            self.data.truncate(self.rows * columns);
        }
    }

    /// Drop the first column.
    pub fn drop_first_column(&mut self) {
        for i in 0..self.rows {
            let from = i * self.columns + 1;
            let to = i * (self.columns - 1);
            self.data.copy_within(from..from + self.columns - 1, to);
        }
        self.columns -= 1;
        self.data.truncate(self.rows * self.columns);
    }
}

/// `a · b`.
#[inline]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `out += scale · x`.
#[inline]
pub fn add_scaled(out: &mut [f64], scale: f64, x: &[f64]) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o += scale * x;
    }
}

/// `√(x · x)`, of numbers whose squares neither overflow nor vanish by more than they may.
#[inline]
pub fn norm(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    if largest > 1e-140 && largest < 1e140 {
        return dot(x, x).sqrt();
    }
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * x.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
}

/// A reflection `I − β v vᵀ` that turns a vector into `(norm, 0, …, 0)`.
#[derive(Debug, Clone, Default)]
pub struct Reflection {
    v: Vec<f64>,
    beta: f64,
}

impl Reflection {
    /// Find the reflection of `x`; returns its norm (Golub and Van Loan, algorithm 5.1.1).
    pub fn of(&mut self, x: &[f64]) -> f64 {
        let (first, tail) = (x[0], &x[1..]);
        let norm = norm(x);
        self.v.clear();
        if norm == 0.0 || !norm.is_finite() {
            self.v.resize(x.len(), 0.0);
            self.beta = 0.0;
            return norm;
        }
        // in units of the norm nothing overflows
        let (a, scale) = (first / norm, 1.0 / norm);
        self.v.push(0.0);
        self.v.extend(tail.iter().map(|x| x * scale));
        let sigma = dot(&self.v, &self.v);
        self.v[0] = if a <= 0.0 {
            a - 1.0
        } else {
            -sigma / (a + 1.0)
        };
        let length = self.v[0] * self.v[0] + sigma;
        self.beta = if length > 0.0 { 2.0 / length } else { 0.0 };
        norm
    }

    /// Reflect a row from its entry `from` on.
    #[inline]
    pub fn apply(&self, row: &mut [f64], from: usize) {
        if self.beta != 0.0 {
            let part = &mut row[from..from + self.v.len()];
            let scale = -self.beta * dot(part, &self.v);
            add_scaled(part, scale, &self.v);
        }
    }
}

impl Reflection {
    /// Reflect `(0, row)`, without its first entry, which is returned.
    #[inline]
    pub fn tail_of(&self, row: &mut [f64]) -> f64 {
        let tail = &self.v[1..];
        let scale = -self.beta * dot(row, tail);
        add_scaled(row, scale, tail);
        scale * self.v[0]
    }
}

/// Rotate columns until the first `rows` rows are in echelon form, lower triangular where they are
/// independent, with positive leading entries; returns how many columns they then need.
///
/// What is left of a row below `ROUNDING` of `reference` is taken for zero.
pub fn echelon(
    matrix: &mut Matrix,
    rows: usize,
    reference: &[f64],
    reflection: &mut Reflection,
) -> usize {
    let (all, columns) = (matrix.rows(), matrix.columns());
    let mut rank = 0;
    for i in 0..rows {
        if rank == columns {
            break;
        }
        let row = &mut matrix.row_mut(i)[rank..];
        let left = norm(row);
        if left <= ROUNDING * reference[i] {
            row.fill(0.0);
            continue;
        }
        reflection.of(row);
        row.fill(0.0);
        row[0] = left;
        for j in i + 1..all {
            reflection.apply(matrix.row_mut(j), rank);
        }
        rank += 1;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gram(matrix: &Matrix) -> Matrix {
        let mut out = Matrix::default();
        out.outer_product(matrix, matrix);
        out
    }

    proptest! {
        #[test]
        fn echelon_forms_keep_the_gram_matrix(
            rows in 1..7_usize,
            columns in 1..9_usize,
            data in prop::collection::vec(-3.0..3.0_f64, 63),
            blank in 0..7_usize,
        ) {
            let mut matrix = Matrix::from_rows(rows, columns, &data[..rows * columns]);
            if blank < rows {
                matrix.row_mut(blank).fill(0.0);
            }
            let before = gram(&matrix);
            let reference: Vec<f64> = (0..rows).map(|i| norm(matrix.row(i))).collect();
            let rank = echelon(&mut matrix, rows, &reference, &mut Reflection::default());
            prop_assert!(rank <= rows.min(columns));
            for i in 0..rows {
                prop_assert!(matrix.row(i)[rank..].iter().all(|x| *x == 0.0));
                prop_assert!(matrix.row(i)[(i + 1).min(columns)..].iter().all(|x| *x == 0.0));
            }
            matrix.keep_columns(rank);
            for (a, b) in gram(&matrix).data().iter().zip(before.data()) {
                prop_assert!((a - b).abs() < 1e-12);
            }
        }

        #[test]
        fn reflections_turn_a_vector_to_the_first_axis(
            data in prop::collection::vec(-1.0..1.0_f64, 1..8),
            exponent in -300..300_i32,
        ) {
            let x: Vec<f64> = data.iter().map(|x| x * 10.0_f64.powi(exponent)).collect();
            let mut reflection = Reflection::default();
            let length = reflection.of(&x);
            let mut turned = x.clone();
            reflection.apply(&mut turned, 0);
            prop_assert!((turned[0] - length).abs() <= 1e-14 * length);
            prop_assert!(turned[1..].iter().all(|t| t.abs() <= 1e-14 * length));
        }
    }
}
