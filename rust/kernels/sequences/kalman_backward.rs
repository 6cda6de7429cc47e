//! Backward in time, by orthogonal transformations alone: no covariance is inverted or subtracted,
//! so that zero noise, singular transitions and diffuse starts need no care of their own.
//!
//! A state is its mean and a factor times coordinates, `z = m + T δ + S ξ`. Each step of the filter
//! tells how the coordinates before it follow from those after it and from fresh standard normals;
//! what all rows say of the last coordinates is thus carried back to the first.

use std::collections::HashMap;
use std::ops::Range;

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::kalman_arrays::{
    Matrix, Reflection, add_scaled, dot, echelon, norm,
};
use crate::kernels::sequences::kalman_forward::{Data, Row, check_row, look, predict};
use crate::kernels::sequences::kalman_model::Model;
use crate::kernels::sequences::kalman_steps::{Factor, Step, Steps, hash_of};

/// Posterior covariances that are remembered.
const REMEMBERED: usize = 1024;

/// A row on the way back.
pub struct Visit<'a> {
    /// Its number in the table.
    pub t: usize,
    /// Steps of this part of the sequence; `renewed` when places of the last visit are void.
    pub steps: &'a Steps<'a>,
    /// Whether the steps are others than at the last visit.
    pub renewed: bool,
    /// The row's step.
    pub place: usize,
    /// Mean of the state given rows up to this.
    pub filtered_mean: &'a [f64],
    /// The row's innovations.
    pub innovations: &'a [f64],
}

impl Visit<'_> {
    /// The row's step.
    pub fn step(&self) -> &Step {
        self.steps.get(self.place)
    }
}

/// What a sweep calls with each row's log density.
pub type Density<'a> = dyn FnMut(usize, f64) + 'a;
/// What a sweep calls with each row on the way back.
pub type Visitor<'a> = dyn FnMut(&Visit<'_>) -> Result<(), KernelError> + 'a;

/// Filters sequences, then visits their rows from the last to the first.
pub struct Sweep<'a> {
    model: &'a Model,
    length: usize,
    forward: Steps<'a>,
    steps: Steps<'a>,
    row: Row,
    mean: Vec<f64>,
    next: Vec<f64>,
    /// Predictions where parts begin.
    starts: Vec<(Vec<f64>, Factor)>,
    places: Vec<usize>,
    means: Vec<f64>,
    innovations: Vec<f64>,
    ends: Vec<usize>,
}

impl<'a> Sweep<'a> {
    /// Steps of `length` rows will be kept at a time; where a sequence is longer, its parts are
    /// filtered a second time on the way back, from the predictions at their beginnings.
    pub fn new(model: &'a Model, length: usize) -> Self {
        let forward = Steps::new(model, false);
        let starts = vec![(model.initial_mean.clone(), forward.initial())];
        Self {
            model,
            length,
            forward,
            steps: Steps::new(model, true),
            row: Row::default(),
            mean: vec![0.0; model.states()],
            next: vec![0.0; model.states()],
            starts,
            places: Vec::new(),
            means: Vec::new(),
            innovations: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Rows `from..to`, a sequence: tell each row's log density, then visit them backward.
    pub fn run(
        &mut self,
        data: Data<'_>,
        (from, to): (usize, usize),
        scratch: &Scratch<'_>,
        density: &mut Density<'_>,
        visit: &mut Visitor<'_>,
    ) -> Result<(), KernelError> {
        let parts = (to - from).div_ceil(self.length);
        self.starts.truncate(1);
        if parts > 1 {
            self.predict_starts(data, from..from + (parts - 1) * self.length, scratch)?;
        }
        for part in (0..parts).rev() {
            let first = from + part * self.length;
            let rows = first..(first + self.length).min(to);
            let renewed = parts > 1 || self.steps.len() >= REMEMBERED;
            if renewed {
                self.steps.clear();
            }
            self.filter(data, part, rows.clone(), scratch, density)?;
            self.go_back(rows, renewed, scratch, visit)?;
        }
        Ok(())
    }

    /// Find the predictions at the beginnings of all parts but the first.
    fn predict_starts(
        &mut self,
        data: Data<'_>,
        rows: Range<usize>,
        scratch: &Scratch<'_>,
    ) -> Result<(), KernelError> {
        let model = self.model;
        self.mean.copy_from_slice(&model.initial_mean);
        let mut place = 0;
        for t in rows.clone() {
            look(scratch, t)?;
            let (x, input) = (data.row(model, t), data.input(model, t));
            place = if t == rows.start {
                self.forward.first(&self.starts[0].1, x)
            } else {
                self.forward.after(place, x)
            };
            let step = self.forward.get(place);
            let pattern = self.forward.pattern(step.pattern);
            let mean = &mut self.mean;
            let log_density = self.row.observe(model, pattern, step, x, input, mean);
            check_row(t, mean, log_density)?;
            predict(model, mean, data.input(model, t + 1), &mut self.next);
            std::mem::swap(&mut self.mean, &mut self.next);
            if (t + 1 - rows.start).is_multiple_of(self.length) {
                self.starts.push((self.mean.clone(), step.next.clone()));
            }
        }
        Ok(())
    }

    fn filter(
        &mut self,
        data: Data<'_>,
        part: usize,
        rows: Range<usize>,
        scratch: &Scratch<'_>,
        density: &mut Density<'_>,
    ) -> Result<(), KernelError> {
        let (model, first) = (self.model, rows.start);
        self.places.clear();
        self.means.clear();
        self.innovations.clear();
        self.ends.clear();
        self.mean.copy_from_slice(&self.starts[part].0);
        for t in rows {
            look(scratch, t)?;
            let (x, input) = (data.row(model, t), data.input(model, t));
            let place = if t == first {
                self.steps.first(&self.starts[part].1, x)
            } else {
                predict(model, &self.mean, input, &mut self.next);
                std::mem::swap(&mut self.mean, &mut self.next);
                self.steps.after(self.places[t - 1 - first], x)
            };
            let step = self.steps.get(place);
            let pattern = self.steps.pattern(step.pattern);
            let mean = &mut self.mean;
            let log_density = self.row.observe(model, pattern, step, x, input, mean);
            check_row(t, mean, log_density)?;
            density(t, log_density);
            self.places.push(place);
            self.means.extend_from_slice(mean);
            self.innovations.extend_from_slice(&self.row.innovations);
            self.ends.push(self.innovations.len());
        }
        Ok(())
    }

    fn go_back(
        &self,
        rows: Range<usize>,
        renewed: bool,
        scratch: &Scratch<'_>,
        visit: &mut Visitor<'_>,
    ) -> Result<(), KernelError> {
        let d = self.model.states();
        for t in rows.clone().rev() {
            look(scratch, t)?;
            let i = t - rows.start;
            let begin = if i == 0 { 0 } else { self.ends[i - 1] };
            visit(&Visit {
                t,
                steps: &self.steps,
                renewed: renewed && t + 1 == rows.end,
                place: self.places[i],
                filtered_mean: &self.means[i * d..(i + 1) * d],
                innovations: &self.innovations[begin..self.ends[i]],
            })?;
        }
        Ok(())
    }
}

/// What all rows say of a row's coordinates, but for what depends on the data.
#[derive(Debug, Default)]
pub struct Node {
    place: usize,
    /// Coordinates after the row: factor of their covariance, and what stays flat.
    root: Matrix,
    flat: Matrix,
    /// As both, of the coordinates before the row.
    before: Matrix,
    before_flat: Matrix,
    /// Factor of the state's covariance, in the normals of `before`; what of it stays flat.
    pub state: Matrix,
    /// What stays flat of the state.
    pub state_flat: Matrix,
    /// Factor of the state's covariance.
    pub covariance_root: Matrix,
    link: Option<(usize, usize)>,
    /// The state before, in the normals of `before`.
    pub earlier: Matrix,
    /// What stays flat of the state before.
    pub earlier_flat: Matrix,
    /// Cov(w, w) of the disturbance between the state before and this one.
    pub disturbance: Matrix,
    /// Cov(w, z) of it and the state before.
    pub disturbance_state: Matrix,
}

/// The coordinates' posterior, carried from row to row.
pub struct Posterior {
    nodes: Vec<Node>,
    used: usize,
    places: HashMap<u64, usize>,
    /// The node of the present row.
    node: usize,
    coordinates: Vec<f64>,
    before: Vec<f64>,
    work: Matrix,
    other: Matrix,
    reflection: Reflection,
}

impl Posterior {
    /// Before the last row of a sequence.
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            used: 0,
            places: HashMap::new(),
            node: usize::MAX,
            coordinates: Vec::new(),
            before: Vec::new(),
            work: Matrix::default(),
            other: Matrix::default(),
            reflection: Reflection::default(),
        }
    }

    /// The node of the present row.
    pub fn get(&self) -> &Node {
        &self.nodes[self.node]
    }

    /// The node at a place.
    pub fn node(&self, place: usize) -> &Node {
        &self.nodes[place]
    }

    /// Another sequence begins, from its end.
    pub fn restart(&mut self) {
        self.node = usize::MAX;
    }

    /// Come to a row. Afterwards `mean` is that of its state; the node of the row before, if there
    /// was one, has been told of its earlier state, and `disturbance` is the mean of that between.
    pub fn come(
        &mut self,
        visit: &Visit<'_>,
        mean: &mut [f64],
        disturbance: Option<&mut [f64]>,
    ) -> Option<usize> {
        let step = visit.step();
        let mut later = None;
        if self.node == usize::MAX {
            self.forget(visit.renewed);
            let (q, r) = (
                step.filtered.diffuse.columns(),
                step.filtered.root.columns(),
            );
            self.work.reset(q + r, r);
            for l in 0..r {
                self.work.row_mut(q + l)[l] = 1.0;
            }
            self.other.reset(q + r, q);
            for l in 0..q {
                self.other.row_mut(l)[l] = 1.0;
            }
            self.coordinates.clear();
            self.coordinates.resize(q + r, 0.0);
            self.node = self.find(visit);
        } else {
            if let Some(disturbance) = disturbance {
                for (i, w) in disturbance.iter_mut().enumerate() {
                    *w = dot(step.moved.disturbance.row(i), &self.before);
                }
            }
            self.coordinates.clear();
            let map = &step.moved.map;
            self.coordinates
                .extend((0..map.rows()).map(|i| dot(map.row(i), &self.before)));
            later = Some(self.follow(visit));
        }
        step.filtered
            .at(visit.filtered_mean, &self.coordinates, mean);
        let measured = &step.measured;
        self.before.clear();
        self.before
            .extend((0..measured.map.rows()).map(|i| dot(measured.map.row(i), &self.coordinates)));
        for (i, &innovation) in visit.innovations.iter().enumerate() {
            add_scaled(&mut self.before, innovation, measured.shift.row(i));
        }
        later
    }

    /// Go from the node of the later row to that of this; returns where the later one is.
    fn follow(&mut self, visit: &Visit<'_>) -> usize {
        let later = self.node;
        if !visit.renewed
            && let Some((place, node)) = self.nodes[later].link
            && place == visit.place
        {
            self.node = node;
            return later;
        }
        let step = visit.step();
        let node = &mut self.nodes[later];
        // the state before, and the disturbance, from the coordinates before the later row
        let moved = &step.moved;
        self.work.product(&moved.map, &node.before);
        step.filtered.times(&self.work, &mut node.earlier);
        self.other.product(&moved.map, &node.before_flat);
        step.filtered.times(&self.other, &mut node.earlier_flat);
        let (mut own, mut fresh) = (Matrix::default(), Matrix::default());
        own.product(&moved.disturbance, &node.before);
        step.filtered.times(&moved.noise, &mut fresh);
        add_products(
            &mut node.disturbance,
            (&own, &own),
            (&moved.disturbance_noise, &moved.disturbance_noise),
        );
        add_products(
            &mut node.disturbance_state,
            (&own, &node.earlier),
            (&moved.disturbance_noise, &fresh),
        );
        let rows = self.work.rows();
        own.copy_from(&self.work);
        self.work.reset(rows, own.columns() + moved.noise.columns());
        self.work.place(0, 0, &own);
        self.work.place(0, own.columns(), &moved.noise);
        compress(&mut self.work, rows, &mut self.reflection);
        let mut later = later;
        if visit.renewed || self.used >= REMEMBERED {
            self.nodes.swap(0, later);
            later = 0;
            self.used = 1;
            self.places.clear();
        }
        self.node = self.find(visit);
        self.nodes[later].link = (later != 0 || !visit.renewed).then_some((visit.place, self.node));
        later
    }

    fn forget(&mut self, renewed: bool) {
        if renewed || self.used >= REMEMBERED {
            self.used = 0;
            self.places.clear();
        }
    }

    /// The node of a row whose coordinates' factor is in `work`, and what stays flat in `other`.
    fn find(&mut self, visit: &Visit<'_>) -> usize {
        let key = hash_of(&self.other, hash_of(&self.work, visit.place as u64));
        if let Some(&found) = self.places.get(&key) {
            let node = &self.nodes[found];
            if node.place == visit.place && node.root == self.work && node.flat == self.other {
                return found;
            }
        }
        if self.used == self.nodes.len() {
            self.nodes.push(Node::default());
        }
        let place = self.used;
        self.used += 1;
        self.places.insert(key, place);
        let node = &mut self.nodes[place];
        let step = visit.step();
        node.place = visit.place;
        node.link = None;
        node.root.copy_from(&self.work);
        node.flat.copy_from(&self.other);
        step.filtered.times(&node.root, &mut node.covariance_root);
        step.filtered.times(&node.flat, &mut node.state_flat);
        let measured = &step.measured;
        node.before_flat.product(&measured.map, &node.flat);
        self.work.product(&measured.map, &node.root);
        if measured.noise.columns() == 0 {
            node.before.copy_from(&self.work);
            node.state.copy_from(&node.covariance_root);
            return place;
        }
        let (rows, d) = (self.work.rows(), node.covariance_root.rows());
        let columns = self.work.columns();
        let mut both = Matrix::zeros(rows + d, columns + measured.noise.columns());
        both.place(0, 0, &self.work);
        both.place(0, columns, &measured.noise);
        both.place(rows, 0, &node.covariance_root);
        compress(&mut both, rows, &mut self.reflection);
        node.before.reset(rows, both.columns());
        node.state.reset(d, both.columns());
        for i in 0..rows {
            node.before.row_mut(i).copy_from_slice(both.row(i));
        }
        for i in 0..d {
            node.state.row_mut(i).copy_from_slice(both.row(rows + i));
        }
        place
    }
}

/// `out = a₁ a₂ᵀ + b₁ b₂ᵀ`.
fn add_products(out: &mut Matrix, a: (&Matrix, &Matrix), b: (&Matrix, &Matrix)) {
    out.outer_product(a.0, a.1);
    for i in 0..out.rows() {
        for j in 0..out.columns() {
            out.row_mut(i)[j] += dot(b.0.row(i), b.1.row(j));
        }
    }
}

/// Rotate columns so that the first `rows` rows need the fewest.
pub fn compress(matrix: &mut Matrix, rows: usize, reflection: &mut Reflection) {
    let reference: Vec<f64> = (0..rows).map(|i| norm(matrix.row(i))).collect();
    let rank = echelon(matrix, rows, &reference, reflection);
    matrix.keep_columns(rank);
}

/// `a bᵀ`, infinite with its sign where the flat parts' product is not zero.
pub fn cross_covariance(a: &Matrix, b: &Matrix, flat: (&Matrix, &Matrix), out: &mut [f64]) {
    let d = b.rows();
    for i in 0..a.rows() {
        for j in 0..d {
            let both = dot(flat.0.row(i), flat.1.row(j));
            let terms = norm(flat.0.row(i)) * norm(flat.1.row(j));
            out[i * d + j] = if both.abs() > 1e-10 * terms {
                f64::INFINITY.copysign(both)
            } else {
                dot(a.row(i), b.row(j))
            };
        }
    }
}
