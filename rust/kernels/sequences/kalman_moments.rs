//! What EM needs of the sequences: expected second moments of states, disturbances and noise.
//!
//! Disturbances and noise are taken at the model's present parameters. What is regressed is then
//! what the present parameters leave, and nothing cancels where they leave little.

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::kalman_arrays::{Matrix, add_scaled, dot};
use crate::kernels::sequences::kalman_backward::{Node, Posterior, Sweep, Visit};
use crate::kernels::sequences::kalman_forward::{Data, Row, is_correlated};
use crate::kernels::sequences::kalman_model::{Model, Pattern};

/// Rows whose sums are added up before they join the others, to keep rounding small.
const BLOCK: usize = 512;

/// Where each part of the sums begins. Regressors are `(z, 1, u)`, `w = z_t − o − A z_{t−1} − B u_t`,
/// `v = x − c − C z − D u`.
#[derive(Debug, Clone)]
pub struct Layout {
    states: usize,
    columns: usize,
    regressors: usize,
    correlated: bool,
    /// Groups of columns that are observed together: one, or each column.
    groups: usize,
    transition_gram: usize,
    transition_cross: usize,
    transition_square: usize,
    counts: usize,
    grams: usize,
    cross: usize,
    square: usize,
    initial: usize,
    initial_square: usize,
    /// Numbers in all.
    pub size: usize,
}

impl Layout {
    /// Of a model, and whether values are missing.
    ///
    /// In order: weighted log density; number of transitions, regressors' second moments, moments
    /// of disturbances and regressors, disturbances' second moments; for each group of columns the
    /// number of rows, then the regressors' second moments; moments of noise and regressors; noise's
    /// second moments, squares only where columns are independent; number of sequences, their first
    /// states less the initial mean, second moments of these.
    pub fn new(model: &Model, missing: bool) -> Self {
        let (d, p) = (model.states(), model.observed());
        let n = d + 1 + model.inputs();
        let correlated = is_correlated(model);
        let groups = if missing && !correlated { p } else { 1 };
        let transition_gram = 2;
        let transition_cross = transition_gram + n * n;
        let transition_square = transition_cross + d * n;
        let counts = transition_square + d * d;
        let grams = counts + groups;
        let cross = grams + groups * n * n;
        let square = cross + p * n;
        let initial = square + if correlated { p * p } else { p };
        let initial_square = initial + 1 + d;
        Self {
            states: d,
            columns: p,
            regressors: n,
            correlated,
            groups,
            transition_gram,
            transition_cross,
            transition_square,
            counts,
            grams,
            cross,
            square,
            initial,
            initial_square,
            size: initial_square + d * d,
        }
    }
}

/// A row's posterior and buffers.
struct Collector<'a> {
    model: &'a Model,
    layout: &'a Layout,
    sums: Vec<f64>,
    block: Vec<f64>,
    mean: Vec<f64>,
    disturbance: Vec<f64>,
    covariance: Matrix,
    regressors: Vec<f64>,
    noise: Vec<f64>,
    row: Row,
    /// `C P` and `C P Cᵀ` of observed columns.
    loaded: Matrix,
    twice: Matrix,
    completed: Matrix,
}

impl Collector<'_> {
    fn flush(&mut self) {
        for (sum, part) in self.sums.iter_mut().zip(&mut self.block) {
            *sum += *part;
            *part = 0.0;
        }
    }

    fn regress(&mut self, input: &[f64]) {
        self.regressors.clear();
        self.regressors.extend_from_slice(&self.mean);
        self.regressors.push(1.0);
        self.regressors.extend_from_slice(input);
    }

    /// A transition: the earlier state's posterior, and that of the disturbance.
    fn transition(&mut self, weight: f64, node: &Node, input: &[f64]) {
        let (d, n) = (self.layout.states, self.layout.regressors);
        self.regress(input);
        self.block[1] += weight;
        let gram = &mut self.block[self.layout.transition_gram..];
        add_outer(gram, weight, &self.regressors, &self.regressors);
        add_top(gram, n, weight, &self.covariance);
        let cross = &mut self.block[self.layout.transition_cross..];
        add_outer(cross, weight, &self.disturbance, &self.regressors);
        add_top(cross, n, weight, &node.disturbance_state);
        let square = &mut self.block[self.layout.transition_square..];
        add_outer(square, weight, &self.disturbance, &self.disturbance);
        add_top(square, d, weight, &node.disturbance);
    }

    /// A row's noise and state.
    fn observation(&mut self, weight: f64, pattern: &Pattern, x: &[f64], input: &[f64]) {
        if pattern.observed.is_empty() {
            return;
        }
        let (layout, model) = (self.layout, self.model);
        let n = layout.regressors;
        self.row.centre(model, pattern, x, input);
        self.noise.clear();
        let centred = &self.row.centred;
        for (&column, &value) in pattern.observed.iter().zip(centred) {
            self.noise
                .push(value - dot(model.loadings.row(column), &self.mean));
        }
        self.load(pattern);
        self.regress(input);
        if layout.correlated {
            self.correlated(weight, pattern);
            return;
        }
        for group in 0..layout.groups {
            if layout.groups > 1 && x[group].is_nan() {
                continue;
            }
            self.block[layout.counts + group] += weight;
            let gram = &mut self.block[layout.grams + group * n * n..];
            add_outer(gram, weight, &self.regressors, &self.regressors);
            add_top(gram, n, weight, &self.covariance);
        }
        for (i, &column) in pattern.observed.iter().enumerate() {
            let cross = &mut self.block[layout.cross + column * n..][..n];
            add_scaled(cross, weight * self.noise[i], &self.regressors);
            add_scaled(cross, -weight, self.loaded.row(i));
            self.block[layout.square + column] +=
                weight * (self.noise[i] * self.noise[i] + self.twice.row(i)[i]);
        }
    }

    /// `C P` and `C P Cᵀ`.
    fn load(&mut self, pattern: &Pattern) {
        let observed = &pattern.observed;
        self.loaded.reset(observed.len(), self.layout.states);
        self.twice.reset(observed.len(), observed.len());
        for (i, &column) in observed.iter().enumerate() {
            let row = self.model.loadings.row(column);
            for (l, &scale) in row.iter().enumerate() {
                add_scaled(self.loaded.row_mut(i), scale, self.covariance.row(l));
            }
            for (j, &other) in observed.iter().enumerate() {
                if self.layout.correlated || i == j {
                    self.twice.row_mut(i)[j] =
                        dot(self.loaded.row(i), self.model.loadings.row(other));
                }
            }
        }
    }

    /// As the end of `observation`, where the noise of missing columns follows that of the others.
    fn correlated(&mut self, weight: f64, pattern: &Pattern) {
        let layout = self.layout;
        let (p, n) = (layout.columns, layout.regressors);
        self.block[layout.counts] += weight;
        let gram = &mut self.block[layout.grams..];
        add_outer(gram, weight, &self.regressors, &self.regressors);
        add_top(gram, n, weight, &self.covariance);
        let Some((gain, left)) = &pattern.completion else {
            let cross = &mut self.block[layout.cross..];
            add_outer(cross, weight, &self.noise, &self.regressors);
            add_top(cross, n, -weight, &self.loaded);
            let square = &mut self.block[layout.square..];
            add_outer(square, weight, &self.noise, &self.noise);
            add_top(square, p, weight, &self.twice);
            return;
        };
        let completed: Vec<f64> = (0..p).map(|i| dot(gain.row(i), &self.noise)).collect();
        let cross = &mut self.block[layout.cross..];
        add_outer(cross, weight, &completed, &self.regressors);
        self.completed.product(gain, &self.loaded);
        add_top(cross, n, -weight, &self.completed);
        let square = &mut self.block[layout.square..];
        add_outer(square, weight, &completed, &completed);
        add_top(square, p, weight, left);
        self.completed.product(gain, &self.twice);
        self.loaded.outer_product(&self.completed, gain);
        add_top(square, p, weight, &self.loaded);
    }

    /// A sequence's first state.
    fn first(&mut self, weight: f64) {
        let (d, layout) = (self.layout.states, self.layout);
        self.regressors.clear();
        let initial = &self.model.initial_mean;
        self.regressors
            .extend(self.mean.iter().zip(initial).map(|(z, m)| z - m));
        self.block[layout.initial] += weight;
        add_scaled(
            &mut self.block[layout.initial + 1..][..d],
            weight,
            &self.regressors,
        );
        let square = &mut self.block[layout.initial_square..];
        add_outer(square, weight, &self.regressors, &self.regressors);
        add_top(square, d, weight, &self.covariance);
    }
}

/// Add `weight a bᵀ`.
fn add_outer(out: &mut [f64], weight: f64, a: &[f64], b: &[f64]) {
    for (run, &value) in out.chunks_exact_mut(b.len()).zip(a) {
        add_scaled(run, weight * value, b);
    }
}

/// Add a matrix to the leading rows and columns of one of `columns` columns.
fn add_top(out: &mut [f64], columns: usize, weight: f64, matrix: &Matrix) {
    for i in 0..matrix.rows() {
        add_scaled(
            &mut out[i * columns..][..matrix.columns()],
            weight,
            matrix.row(i),
        );
    }
}

/// The sums of the sequences that `data.offsets` delimits.
///
/// # Errors
/// On interruption; where the state outgrows the numbers, or its posterior is improper.
pub fn moments(
    model: &Model,
    data: Data<'_>,
    layout: &Layout,
    length: usize,
    scratch: &Scratch<'_>,
) -> Result<Vec<f64>, KernelError> {
    let d = model.states();
    let mut posterior = Posterior::new();
    let mut sweep = Sweep::new(model, length);
    let mut collector = Collector {
        model,
        layout,
        sums: vec![0.0; layout.size],
        block: vec![0.0; layout.size],
        mean: vec![0.0; d],
        disturbance: vec![0.0; d],
        covariance: Matrix::default(),
        regressors: Vec::new(),
        noise: Vec::new(),
        row: Row::default(),
        loaded: Matrix::default(),
        twice: Matrix::default(),
        completed: Matrix::default(),
    };
    for (sequence, ends) in data.offsets.windows(2).enumerate() {
        let weight = data.weights.map_or(1.0, |w| w[sequence]);
        if weight == 0.0 {
            continue;
        }
        posterior.restart();
        let mut log_density = 0.0;
        let mut density = |_, value: f64| log_density += value;
        let mut visit = |visit: &Visit<'_>| {
            let t = visit.t;
            let later =
                posterior.come(visit, &mut collector.mean, Some(&mut collector.disturbance));
            let node = posterior.get();
            if node.state_flat.data().iter().any(|v| *v != 0.0) {
                return Err(improper(t));
            }
            let root = &node.covariance_root;
            collector.covariance.outer_product(root, root);
            if let Some(later) = later {
                let node = posterior.node(later);
                collector.transition(weight, node, data.input(model, t + 1));
            }
            let pattern = visit.steps.pattern(visit.step().pattern);
            collector.observation(weight, pattern, data.row(model, t), data.input(model, t));
            if t == ends[0] {
                collector.first(weight);
            }
            if t.is_multiple_of(BLOCK) || t == ends[0] {
                collector.flush();
            }
            Ok(())
        };
        sweep.run(data, (ends[0], ends[1]), scratch, &mut density, &mut visit)?;
        collector.sums[0] += weight * log_density;
    }
    Ok(collector.sums)
}

/// What to say of a state that the rows do not settle.
pub fn improper(t: usize) -> KernelError {
    KernelError::Shape(format!(
        "row {t}: the posterior of the state is improper: no row settles all directions of the \
         diffuse initial state; give these a proper prior"
    ))
}
