//! The covariances' own recursion, which does not depend on the data but through which of them
//! are missing: a step that has been met before is looked up, so that a filter whose gain has
//! converged, or cycles with a calendar, costs no more than the means.

use std::collections::HashMap;

use crate::kernels::sequences::kalman_arrays::{
    Matrix, ROUNDING, Reflection, add_scaled, dot, echelon, norm,
};
use crate::kernels::sequences::kalman_model::{Model, Pattern, Patterns};

/// A measurement without noise whose standard deviation is below this share of its terms is known
/// beforehand.
const KNOWN: f64 = 1e-11;
/// A diffuse direction is met where what is left of its terms is above this share.
const DIFFUSE: f64 = 1e-10;
/// Steps that are remembered.
const REMEMBERED: usize = 1024;

/// What is uncertain in a state `z = m + T δ + S ξ`: `δ` flat, `ξ` standard normal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Factor {
    /// `T`.
    pub diffuse: Matrix,
    /// `S`.
    pub root: Matrix,
}

impl Factor {
    /// How many coordinates `(δ, ξ)` there are.
    pub fn width(&self) -> usize {
        self.diffuse.columns() + self.root.columns()
    }

    /// `out = base + T δ + S ξ` for the coordinates.
    pub fn at(&self, base: &[f64], coordinates: &[f64], out: &mut [f64]) {
        let q = self.diffuse.columns();
        for (i, o) in out.iter_mut().enumerate() {
            *o = base[i]
                + dot(self.diffuse.row(i), &coordinates[..q])
                + dot(self.root.row(i), &coordinates[q..]);
        }
    }

    /// `out = [T S] coordinates`, for a matrix of coordinates.
    pub fn times(&self, coordinates: &Matrix, out: &mut Matrix) {
        let q = self.diffuse.columns();
        out.reset(self.root.rows(), coordinates.columns());
        for i in 0..self.root.rows() {
            for (l, &scale) in self.diffuse.row(i).iter().enumerate() {
                add_scaled(out.row_mut(i), scale, coordinates.row(l));
            }
            for (l, &scale) in self.root.row(i).iter().enumerate() {
                add_scaled(out.row_mut(i), scale, coordinates.row(q + l));
            }
        }
    }

    /// The covariance, infinite where diffuse.
    pub fn covariance(&self, out: &mut [f64]) {
        covariance(&self.root, &self.diffuse, out);
    }

    fn copy_from(&mut self, other: &Self) {
        self.diffuse.copy_from(&other.diffuse);
        self.root.copy_from(&other.root);
    }

    fn hash(&self, hash: u64) -> u64 {
        hash_of(&self.root, hash_of(&self.diffuse, hash))
    }
}

/// `root rootᵀ`, and infinite with its sign where `diffuse diffuseᵀ` is not zero.
pub fn covariance(root: &Matrix, diffuse: &Matrix, out: &mut [f64]) {
    let d = root.rows();
    for i in 0..d {
        for j in 0..=i {
            let mut value = dot(root.row(i), root.row(j));
            if diffuse.columns() > 0 {
                let (a, b) = (diffuse.row(i), diffuse.row(j));
                let flat = dot(a, b);
                if flat.abs() > DIFFUSE * norm(a) * norm(b) {
                    value = f64::INFINITY.copysign(flat);
                }
            }
            out[i * d + j] = value;
            out[j * d + i] = value;
        }
    }
}

/// Mix the bits of a matrix into a hash.
pub fn hash_of(matrix: &Matrix, mut hash: u64) -> u64 {
    for value in matrix.data() {
        hash = (hash ^ value.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    hash
}

/// What a scalar measurement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its prediction has a density.
    Regular,
    /// It settles a diffuse direction.
    Diffuse,
    /// It was known beforehand.
    Known,
}

/// A scalar measurement of a row, after those before it.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// What it does.
    pub kind: Kind,
    /// Reciprocal of its standard deviation; of the diffuse loading where it settles one.
    pub precision: f64,
    /// Its part of the log density that does not depend on the data.
    pub constant: f64,
    /// What rounding may make of a value known beforehand.
    pub reference: f64,
}

/// How the coordinates before a step follow from those after it:
/// `before = map · after + noise · standard normals (+ shift · innovations)`.
#[derive(Debug, Clone, Default)]
pub struct Backward {
    /// Before × after.
    pub map: Matrix,
    /// Before × fresh normals.
    pub noise: Matrix,
    /// Innovations × before.
    pub shift: Matrix,
    /// Of a transition: its disturbance from the coordinates `ξ` after it, and from the fresh.
    pub disturbance: Matrix,
    /// As `disturbance`, from the fresh normals.
    pub disturbance_noise: Matrix,
}

/// One step: a row's measurements, then the transition to the next row.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Pattern of the row.
    pub pattern: usize,
    /// Before the row.
    pub predicted: Factor,
    /// After the row.
    pub filtered: Factor,
    /// Before the next row.
    pub next: Factor,
    /// The row's measurements.
    pub measurements: Vec<Measurement>,
    /// A row of gains for each.
    pub gains: Matrix,
    /// From filtered to predicted coordinates.
    pub measured: Backward,
    /// From the next row's predicted to filtered coordinates.
    pub moved: Backward,
    follower: Option<(usize, usize)>,
}

/// Buffers of a step.
#[derive(Debug, Default)]
struct Work {
    reflection: Reflection,
    array: Matrix,
    phi: Vec<f64>,
    reference: Vec<f64>,
    spread: Vec<f64>,
    old: Matrix,
    product: Matrix,
    local: Backward,
}

/// The steps met so far.
pub struct Steps<'a> {
    model: &'a Model,
    backward: bool,
    patterns: Patterns,
    all: Vec<Step>,
    used: usize,
    places: HashMap<u64, usize>,
    work: Work,
}

impl<'a> Steps<'a> {
    /// No steps yet; `backward`: whether they will be followed back.
    pub fn new(model: &'a Model, backward: bool) -> Self {
        Self {
            model,
            backward,
            patterns: Patterns::default(),
            all: Vec::new(),
            used: 0,
            places: HashMap::new(),
            work: Work::default(),
        }
    }

    /// The step at a place.
    pub fn get(&self, place: usize) -> &Step {
        &self.all[place]
    }

    /// The pattern at a place.
    pub fn pattern(&self, place: usize) -> &Pattern {
        self.patterns.get(place)
    }

    /// How many steps are remembered.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Forget all steps.
    pub fn clear(&mut self) {
        self.patterns.clear();
        self.places.clear();
        self.used = 0;
    }

    /// The factor that the first row of a sequence meets.
    pub fn initial(&self) -> Factor {
        let mut root = self.model.initial_root.clone();
        let d = root.rows();
        if root.columns() > d {
            let reference: Vec<f64> = (0..d).map(|i| norm(root.row(i))).collect();
            let rank = echelon(&mut root, d, &reference, &mut Reflection::default());
            root.keep_columns(rank);
        }
        Factor {
            diffuse: self.model.diffuse.clone(),
            root,
        }
    }

    /// The step of a row that meets `predicted`.
    pub fn first(&mut self, predicted: &Factor, row: &[f64]) -> usize {
        self.make_room();
        let pattern = self.patterns.of(self.model, row);
        self.find(predicted, pattern)
    }

    /// The step of the row after that of step `place`.
    pub fn after(&mut self, place: usize, row: &[f64]) -> usize {
        let pattern = self.patterns.of(self.model, row);
        if let Some((known, follower)) = self.all[place].follower
            && known == pattern
        {
            return follower;
        }
        let next = std::mem::take(&mut self.all[place].next);
        if self.make_room() {
            // all places are new; the buffer of the old one is lost, which is no matter
            let pattern = self.patterns.of(self.model, row);
            return self.find(&next, pattern);
        }
        let follower = self.find(&next, pattern);
        self.all[place].next = next;
        self.all[place].follower = Some((pattern, follower));
        follower
    }

    /// Whether steps had to be forgotten; steps that will be followed back are all kept.
    fn make_room(&mut self) -> bool {
        let full = !self.backward && self.used >= REMEMBERED;
        if full {
            self.clear();
        }
        full
    }

    fn find(&mut self, predicted: &Factor, pattern: usize) -> usize {
        let key = predicted.hash(pattern as u64);
        if let Some(&place) = self.places.get(&key) {
            let step = &self.all[place];
            if step.pattern == pattern && step.predicted == *predicted {
                return place;
            }
        }
        let place = self.used;
        if place == self.all.len() {
            self.all.push(Step::default());
        }
        self.used += 1;
        self.places.insert(key, place);
        let step = &mut self.all[place];
        step.pattern = pattern;
        step.follower = None;
        step.predicted.copy_from(predicted);
        measure(
            step,
            self.patterns.get(pattern),
            self.backward,
            &mut self.work,
        );
        advance(step, self.model, self.backward, &mut self.work);
        place
    }
}

/// The measurements of a row, one scalar after another.
fn measure(step: &mut Step, pattern: &Pattern, backward: bool, work: &mut Work) {
    let d = step.predicted.root.rows();
    step.filtered.copy_from(&step.predicted);
    step.measurements.clear();
    step.gains.reset(pattern.rows.rows(), d);
    if backward {
        let width = step.predicted.width();
        identity(&mut step.measured.map, width);
        step.measured.noise.reset(width, 0);
        step.measured.shift.reset(pattern.rows.rows(), width);
    }
    for i in 0..pattern.rows.rows() {
        let (row, variance) = (pattern.rows.row(i), pattern.variances[i]);
        work.spread.clear();
        let terms: f64 = (0..d)
            .map(|j| {
                let length = norm(step.filtered.root.row(j));
                work.spread.push(length);
                row[j].abs() * length
            })
            .sum();
        loadings(row, &step.filtered.diffuse, &mut work.phi);
        let flat = norm(&work.phi);
        let flat_terms: f64 = (0..d)
            .map(|j| row[j].abs() * norm(step.filtered.diffuse.row(j)))
            .sum();
        let measurement = if flat > DIFFUSE * flat_terms {
            settle(step, i, row, variance, backward, work)
        } else {
            loadings(row, &step.filtered.root, &mut work.phi);
            let known = variance == 0.0 && norm(&work.phi) <= KNOWN * terms;
            if known {
                Measurement {
                    kind: Kind::Known,
                    precision: 0.0,
                    constant: 0.0,
                    reference: terms,
                }
            } else {
                update(step, i, variance, backward, work)
            }
        };
        step.measurements.push(measurement);
    }
}

/// `row · matrix`.
fn loadings(row: &[f64], matrix: &Matrix, out: &mut Vec<f64>) {
    out.clear();
    out.resize(matrix.columns(), 0.0);
    for (l, &scale) in row.iter().enumerate() {
        add_scaled(out, scale, matrix.row(l));
    }
}

fn identity(matrix: &mut Matrix, n: usize) {
    matrix.reset(n, n);
    for i in 0..n {
        matrix.row_mut(i)[i] = 1.0;
    }
}

/// Condition the root on a measurement whose loadings on `ξ` are in `work.phi`.
fn update(
    step: &mut Step,
    i: usize,
    variance: f64,
    backward: bool,
    work: &mut Work,
) -> Measurement {
    let q = step.filtered.diffuse.columns();
    let noisy = variance > 0.0;
    if noisy {
        work.phi.insert(0, variance.sqrt());
    }
    let deviation = work.reflection.of(&work.phi);
    let precision = 1.0 / deviation;
    // with noise, its coordinate comes first: a column of zeros of the root
    let rotate = |matrix: &mut Matrix, from: usize, first: &mut dyn FnMut(usize, f64)| {
        for j in 0..matrix.rows() {
            let row = &mut matrix.row_mut(j)[from..];
            if noisy {
                first(j, work.reflection.tail_of(row));
            } else {
                work.reflection.apply(row, 0);
                first(j, row[0]);
            }
        }
    };
    let gain = step.gains.row_mut(i);
    rotate(&mut step.filtered.root, 0, &mut |j, value| {
        gain[j] = value * precision;
    });
    if backward {
        let shift = step.measured.shift.row_mut(i);
        rotate(&mut step.measured.map, q, &mut |j, value| {
            shift[j] = value * precision;
        });
    }
    if !noisy {
        step.filtered.root.drop_first_column();
        clean(&mut step.filtered.root, &work.spread);
        if backward {
            drop_column(&mut step.measured.map, q);
        }
    }
    Measurement {
        kind: Kind::Regular,
        precision,
        constant: -deviation.ln() - HALF_LOG_TAU,
        reference: 0.0,
    }
}

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Let a measurement settle the diffuse direction whose loadings on `δ` are in `work.phi`.
fn settle(
    step: &mut Step,
    i: usize,
    row: &[f64],
    variance: f64,
    backward: bool,
    work: &mut Work,
) -> Measurement {
    let d = row.len();
    let (diffuse, root) = (&mut step.filtered.diffuse, &mut step.filtered.root);
    let r = root.columns();
    let length = work.reflection.of(&work.phi);
    // δ = reflection (δ₁, δ'): the measurement settles δ₁
    let gain = step.gains.row_mut(i);
    work.reference.clear();
    for j in 0..d {
        let own = diffuse.row_mut(j);
        work.reference.push(norm(own));
        work.reflection.apply(own, 0);
        gain[j] = own[0] / length;
    }
    let q = diffuse.columns();
    diffuse.drop_first_column();
    clean(diffuse, &work.reference);
    // what is left of the root, with the measurement's own noise; then what δ₁ takes of both,
    // then all old coordinates, in terms of the new
    let wide = r + 1;
    let deviation = variance.sqrt();
    loadings(row, root, &mut work.phi);
    work.array.reset(d + 1 + wide, wide);
    work.reference.clear();
    for j in 0..d {
        let own = work.array.row_mut(j);
        own[..r].copy_from_slice(root.row(j));
        add_scaled(&mut own[..r], -gain[j], &work.phi);
        own[r] = -gain[j] * deviation;
        work.reference
            .push(norm(root.row(j)) + gain[j].abs() * (norm(&work.phi) + deviation));
    }
    let own = work.array.row_mut(d);
    own[..r].copy_from_slice(&work.phi);
    own[r] = deviation;
    for j in 0..wide {
        work.array.row_mut(d + 1 + j)[j] = 1.0;
    }
    let mut turn = Reflection::default();
    let rank = echelon(&mut work.array, d, &work.reference, &mut turn);
    root.reset(d, rank);
    for j in 0..d {
        root.row_mut(j).copy_from_slice(&work.array.row(j)[..rank]);
    }
    if backward {
        let fresh = wide - rank;
        let (map, noise) = (&mut work.local.map, &mut work.local.noise);
        map.reset(q + r, q - 1 + rank);
        noise.reset(q + r, fresh);
        let shift = &mut work.phi;
        shift.clear();
        shift.resize(q + r, 0.0);
        for l in 0..q {
            // row l of the reflection: how δ_l follows from (δ₁, δ')
            let mut turned = vec![0.0; q];
            turned[l] = 1.0;
            work.reflection.apply(&mut turned, 0);
            let first = turned[0] / length;
            map.row_mut(l)[..q - 1].copy_from_slice(&turned[1..]);
            shift[l] = first;
            let taken = work.array.row(d);
            add_scaled(&mut map.row_mut(l)[q - 1..], -first, &taken[..rank]);
            add_scaled(noise.row_mut(l), -first, &taken[rank..]);
        }
        for l in 0..r {
            let taken = work.array.row(d + 1 + l);
            map.row_mut(q + l)[q - 1..].copy_from_slice(&taken[..rank]);
            noise.row_mut(q + l).copy_from_slice(&taken[rank..]);
        }
        compose(&mut step.measured, i, work);
    }
    Measurement {
        kind: Kind::Diffuse,
        precision: 1.0 / length,
        constant: -length.ln() - HALF_LOG_TAU,
        reference: 0.0,
    }
}

/// Let the coordinates so far follow from those after one more measurement.
fn compose(so_far: &mut Backward, i: usize, work: &mut Work) {
    let shift = so_far.shift.row_mut(i);
    for j in 0..so_far.map.rows() {
        shift[j] = dot(so_far.map.row(j), &work.phi);
    }
    work.product.product(&so_far.map, &work.local.noise);
    work.old.copy_from(&so_far.noise);
    let columns = work.old.columns();
    so_far
        .noise
        .reset(work.old.rows(), columns + work.product.columns());
    so_far.noise.place(0, 0, &work.old);
    so_far.noise.place(0, columns, &work.product);
    work.product.product(&so_far.map, &work.local.map);
    so_far.map.copy_from(&work.product);
}

/// Set to zero what is rounding beside the lengths that rows had.
fn clean(matrix: &mut Matrix, reference: &[f64]) {
    for (j, &length) in reference.iter().enumerate() {
        for value in matrix.row_mut(j) {
            if value.abs() <= ROUNDING * length {
                *value = 0.0;
            }
        }
    }
}

fn drop_column(matrix: &mut Matrix, column: usize) {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let mut out = Matrix::zeros(rows, columns - 1);
    for j in 0..rows {
        let (row, own) = (matrix.row(j), out.row_mut(j));
        own[..column].copy_from_slice(&row[..column]);
        own[column..].copy_from_slice(&row[column + 1..]);
    }
    *matrix = out;
}

/// The transition to the next row.
fn advance(step: &mut Step, model: &Model, backward: bool, work: &mut Work) {
    let d = model.states();
    let (filtered, next) = (&step.filtered, &mut step.next);
    let (q, r) = (filtered.diffuse.columns(), filtered.root.columns());
    let m = model.transition_root.columns();
    next.diffuse.product(&model.transition, &filtered.diffuse);
    if q > 0 {
        for i in 0..d {
            for l in 0..q {
                let terms: f64 = (0..d)
                    .map(|j| (model.transition.row(i)[j] * filtered.diffuse.row(j)[l]).abs())
                    .sum();
                let value = &mut next.diffuse.row_mut(i)[l];
                if value.abs() <= ROUNDING * terms {
                    *value = 0.0;
                }
            }
        }
    }
    let wide = r + m;
    work.array.reset(if backward { d + wide } else { d }, wide);
    work.product.product(&model.transition, &filtered.root);
    work.array.place(0, 0, &work.product);
    work.array.place(0, r, &model.transition_root);
    work.spread.clear();
    work.spread
        .extend((0..d).map(|j| norm(filtered.root.row(j))));
    work.reference.clear();
    for i in 0..d {
        let terms: f64 = model
            .transition
            .row(i)
            .iter()
            .zip(&work.spread)
            .map(|(a, s)| a.abs() * s)
            .sum();
        work.reference
            .push(terms + norm(model.transition_root.row(i)));
    }
    if backward {
        for j in 0..wide {
            work.array.row_mut(d + j)[j] = 1.0;
        }
    }
    let rank = echelon(&mut work.array, d, &work.reference, &mut work.reflection);
    next.root.reset(d, rank);
    for i in 0..d {
        next.root
            .row_mut(i)
            .copy_from_slice(&work.array.row(i)[..rank]);
    }
    if backward {
        let moved = &mut step.moved;
        let fresh = wide - rank;
        moved.map.reset(q + r, q + rank);
        moved.noise.reset(q + r, fresh);
        for l in 0..q {
            moved.map.row_mut(l)[l] = 1.0;
        }
        for l in 0..r {
            let taken = work.array.row(d + l);
            moved.map.row_mut(q + l)[q..].copy_from_slice(&taken[..rank]);
            moved.noise.row_mut(q + l).copy_from_slice(&taken[rank..]);
        }
        moved.disturbance.reset(d, q + rank);
        moved.disturbance_noise.reset(d, fresh);
        for i in 0..d {
            for (l, &scale) in model.transition_root.row(i).iter().enumerate() {
                let taken = work.array.row(d + r + l);
                add_scaled(
                    &mut moved.disturbance.row_mut(i)[q..],
                    scale,
                    &taken[..rank],
                );
                add_scaled(moved.disturbance_noise.row_mut(i), scale, &taken[rank..]);
            }
        }
    }
}
