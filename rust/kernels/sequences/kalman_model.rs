//! A linear state-space model, and what of it each pattern of missing values meets.

use std::collections::HashMap;

use crate::kernels::error::{KernelError, require};
use crate::kernels::sequences::kalman_arrays::{Matrix, ROUNDING};

/// The covariance of what is added to the observations.
#[derive(Debug, Clone)]
pub enum Noise {
    /// Independent columns: their variances.
    Diagonal(Vec<f64>),
    /// A covariance matrix.
    Full(Matrix),
}

/// `z₁ = m + T δ + S ξ`, `z_t = o + A z_{t−1} + B u_t + G w`, `x_t = c + C z_t + D u_t + v`;
/// `ξ`, `w` standard normal, `δ` flat, `v` of the given noise.
#[derive(Debug, Clone)]
pub struct Model {
    /// `m`.
    pub initial_mean: Vec<f64>,
    /// `S`: states × any.
    pub initial_root: Matrix,
    /// `T`: states × diffuse directions.
    pub diffuse: Matrix,
    /// `A`.
    pub transition: Matrix,
    /// `o`.
    pub offset: Vec<f64>,
    /// `B`: states × inputs.
    pub transition_inputs: Matrix,
    /// `G`: states × any.
    pub transition_root: Matrix,
    /// `C`: columns × states.
    pub loadings: Matrix,
    /// `c`.
    pub mean: Vec<f64>,
    /// `D`: columns × inputs.
    pub observation_inputs: Matrix,
    /// The law of `v`.
    pub noise: Noise,
}

impl Model {
    /// Dimension of the state.
    pub fn states(&self) -> usize {
        self.transition.rows()
    }

    /// Columns of an observation.
    pub fn observed(&self) -> usize {
        self.loadings.rows()
    }

    /// Columns of the inputs.
    pub fn inputs(&self) -> usize {
        self.transition_inputs.columns()
    }

    /// Check that all shapes fit.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self) -> Result<(), KernelError> {
        let (d, p, k) = (self.states(), self.observed(), self.inputs());
        let noise = match &self.noise {
            Noise::Diagonal(variances) => variances.len() == p,
            Noise::Full(matrix) => matrix.rows() == p && matrix.columns() == p,
        };
        let fits = [
            ("initial_mean", self.initial_mean.len() == d),
            ("initial_root", self.initial_root.rows() == d),
            ("diffuse", self.diffuse.rows() == d),
            ("transition", self.transition.columns() == d),
            ("offset", self.offset.len() == d),
            ("transition_inputs", self.transition_inputs.rows() == d),
            ("transition_root", self.transition_root.rows() == d),
            ("loadings", self.loadings.columns() == d && d * p > 0),
            ("mean", self.mean.len() == p),
            (
                "observation_inputs",
                self.observation_inputs.rows() == p && self.observation_inputs.columns() == k,
            ),
            ("noise", noise),
        ];
        for (name, fit) in fits {
            require(fit, || {
                format!("{name}: of another shape than {d} states, {p} columns and {k} inputs ask")
            })?;
        }
        Ok(())
    }
}

/// What a row with certain columns observed meets: independent scalar measurements, one after
/// another.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Observed columns.
    pub observed: Vec<usize>,
    /// Unit lower triangular: makes the noise of what is observed independent; none if it is.
    pub whitening: Option<Matrix>,
    /// Whitened rows of the loadings.
    pub rows: Matrix,
    /// Variances of the whitened noise.
    pub variances: Vec<f64>,
    /// Where noise is correlated and columns are missing: expectation of the noise of all columns
    /// given that of the observed (columns × observed), and its covariance.
    pub completion: Option<(Matrix, Matrix)>,
}

impl Pattern {
    fn new(model: &Model, observed: Vec<usize>) -> Self {
        let n = observed.len();
        let mut rows = Matrix::zeros(n, model.states());
        for (i, &column) in observed.iter().enumerate() {
            rows.row_mut(i).copy_from_slice(model.loadings.row(column));
        }
        match &model.noise {
            Noise::Diagonal(variances) => Self {
                variances: observed.iter().map(|&i| variances[i]).collect(),
                observed,
                whitening: None,
                rows,
                completion: None,
            },
            Noise::Full(noise) => {
                let p = model.observed();
                let missing = (0..p).filter(|i| !observed.contains(i));
                let order: Vec<usize> = observed.iter().copied().chain(missing).collect();
                let (lower, pivots) = factor(noise, &order);
                let whitening = inverse(&lower, n);
                let mut whitened = Matrix::default();
                whitened.product(&whitening, &rows);
                Self {
                    completion: (n < p).then(|| completion(&lower, &pivots, &whitening, &order)),
                    rows: whitened,
                    variances: pivots[..n].to_vec(),
                    whitening: Some(whitening),
                    observed,
                }
            }
        }
    }
}

/// `L D Lᵀ` of a covariance whose rows are taken in some order; pivots that are rounding are zero.
fn factor(noise: &Matrix, order: &[usize]) -> (Matrix, Vec<f64>) {
    let p = order.len();
    let mut lower = Matrix::zeros(p, p);
    let mut pivots = vec![0.0; p];
    for j in 0..p {
        let own = noise.row(order[j])[order[j]];
        let explained: f64 = (0..j).map(|l| lower.row(j)[l].powi(2) * pivots[l]).sum();
        let left = own - explained;
        pivots[j] = if left > ROUNDING * p as f64 * own {
            left
        } else {
            0.0
        };
        lower.row_mut(j)[j] = 1.0;
        if pivots[j] > 0.0 {
            for i in j + 1..p {
                let explained: f64 = (0..j)
                    .map(|l| lower.row(i)[l] * pivots[l] * lower.row(j)[l])
                    .sum();
                lower.row_mut(i)[j] = (noise.row(order[i])[order[j]] - explained) / pivots[j];
            }
        }
    }
    (lower, pivots)
}

/// The inverse of the leading `n` rows and columns of a unit lower triangular matrix.
fn inverse(lower: &Matrix, n: usize) -> Matrix {
    let mut out = Matrix::zeros(n, n);
    for j in 0..n {
        out.row_mut(j)[j] = 1.0;
        for i in j + 1..n {
            let sum: f64 = (j..i).map(|l| lower.row(i)[l] * out.row(l)[j]).sum();
            out.row_mut(i)[j] = -sum;
        }
    }
    out
}

fn completion(
    lower: &Matrix,
    pivots: &[f64],
    whitening: &Matrix,
    order: &[usize],
) -> (Matrix, Matrix) {
    let (p, n) = (order.len(), whitening.rows());
    let (mut gain, mut left) = (Matrix::zeros(p, n), Matrix::zeros(p, p));
    for (i, &column) in order.iter().enumerate() {
        if i < n {
            gain.row_mut(column)[i] = 1.0;
            continue;
        }
        for j in 0..n {
            gain.row_mut(column)[j] = (j..n).map(|l| lower.row(i)[l] * whitening.row(l)[j]).sum();
        }
        for (j, &other) in order.iter().enumerate().skip(n) {
            left.row_mut(column)[other] = (n..=i.min(j))
                .map(|l| lower.row(i)[l] * pivots[l] * lower.row(j)[l])
                .sum();
        }
    }
    (gain, left)
}

/// The patterns met so far.
#[derive(Debug, Default)]
pub struct Patterns {
    all: Vec<Pattern>,
    places: HashMap<Vec<u64>, usize>,
    key: Vec<u64>,
    /// That of nothing missing, which is met most.
    complete: Option<usize>,
}

impl Patterns {
    /// The pattern of a row, NaN where missing.
    pub fn of(&mut self, model: &Model, row: &[f64]) -> usize {
        let complete = !row.iter().any(|x| x.is_nan());
        if complete && let Some(place) = self.complete {
            return place;
        }
        self.key.clear();
        self.key.resize(row.len().div_ceil(64), 0);
        for (i, x) in row.iter().enumerate() {
            self.key[i / 64] |= u64::from(!x.is_nan()) << (i % 64);
        }
        if let Some(&place) = self.places.get(&self.key) {
            return place;
        }
        let observed = (0..row.len()).filter(|&i| !row[i].is_nan()).collect();
        self.all.push(Pattern::new(model, observed));
        let place = self.all.len() - 1;
        self.places.insert(self.key.clone(), place);
        if complete {
            self.complete = Some(place);
        }
        place
    }

    /// The pattern at a place.
    pub fn get(&self, place: usize) -> &Pattern {
        &self.all[place]
    }

    /// Forget all.
    pub fn clear(&mut self) {
        self.all.clear();
        self.places.clear();
        self.complete = None;
    }
}
