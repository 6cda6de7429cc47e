//! Smoothed states, exact draws of paths given the rows, and simulation.

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::kalman_arrays::{Matrix, add_scaled, dot};
use crate::kernels::sequences::kalman_backward::{Posterior, Sweep, Visit, cross_covariance};
use crate::kernels::sequences::kalman_forward::{Data, look, predict};
use crate::kernels::sequences::kalman_model::Model;
use crate::kernels::sequences::kalman_moments::improper;
use crate::kernels::sequences::kalman_random::Stream;
use crate::kernels::sequences::kalman_steps::{Step, covariance};

/// What a smoother may be asked for; what is empty is not.
#[derive(Default)]
pub struct Smoothed<'a> {
    /// Log density of each row given those before.
    pub log_densities: &'a mut [f64],
    /// Means of the states, rows × states.
    pub means: &'a mut [f64],
    /// Their covariances.
    pub covariances: &'a mut [f64],
    /// Covariances of each state (rows) and the one before it (columns); zero for first rows.
    pub lag_one: &'a mut [f64],
}

impl<'a> Smoothed<'a> {
    /// Cut off what belongs to the first `rows` rows; nothing is cut off nothing.
    #[must_use]
    pub fn take(&mut self, rows: usize, states: usize) -> Smoothed<'a> {
        Smoothed {
            log_densities: self.log_densities.split_off_mut(..rows).unwrap_or_default(),
            means: self
                .means
                .split_off_mut(..rows * states)
                .unwrap_or_default(),
            covariances: self
                .covariances
                .split_off_mut(..rows * states * states)
                .unwrap_or_default(),
            lag_one: self
                .lag_one
                .split_off_mut(..rows * states * states)
                .unwrap_or_default(),
        }
    }
}

/// Posteriors of all states given all rows of their sequences.
///
/// # Errors
/// On interruption, and where the state outgrows the numbers.
pub fn smooth(
    model: &Model,
    data: Data<'_>,
    length: usize,
    out: &mut Smoothed<'_>,
    scratch: &Scratch<'_>,
) -> Result<(), KernelError> {
    let d = model.states();
    let start = data.offsets[0];
    let mut posterior = Posterior::new();
    let mut sweep = Sweep::new(model, length);
    for ends in data.offsets.windows(2) {
        posterior.restart();
        let mut density = |t: usize, value: f64| {
            if !out.log_densities.is_empty() {
                out.log_densities[t - start] = value;
            }
        };
        let mut visit = |visit: &Visit<'_>| {
            let at = visit.t - start;
            let later = posterior.come(visit, &mut out.means[at * d..(at + 1) * d], None);
            let node = posterior.get();
            if !out.covariances.is_empty() {
                covariance(
                    &node.covariance_root,
                    &node.state_flat,
                    &mut out.covariances[at * d * d..(at + 1) * d * d],
                );
            }
            if let Some(later) = later
                && !out.lag_one.is_empty()
            {
                let node = posterior.node(later);
                cross_covariance(
                    &node.state,
                    &node.earlier,
                    (&node.state_flat, &node.earlier_flat),
                    &mut out.lag_one[(at + 1) * d * d..(at + 2) * d * d],
                );
            }
            Ok(())
        };
        sweep.run(data, (ends[0], ends[1]), scratch, &mut density, &mut visit)?;
    }
    Ok(())
}

/// The draws of paths in the coordinates of one row.
struct Draws {
    n: usize,
    streams: Vec<Stream>,
    coordinates: Vec<Vec<f64>>,
    before: Vec<Vec<f64>>,
    normals: Vec<f64>,
}

impl Draws {
    fn last(&mut self, step: &Step) {
        let r = step.filtered.root.columns();
        for (own, stream) in self.coordinates.iter_mut().zip(&mut self.streams) {
            stream.fill(own, r);
        }
    }

    /// Carry the draws back: `out = map · from + noise · fresh normals + shift`.
    fn carry(&mut self, map: &Matrix, noise: &Matrix, shift: &[f64], before: bool) {
        for i in 0..self.n {
            let stream = &mut self.streams[i];
            let (from, out) = if before {
                (&self.coordinates[i], &mut self.before[i])
            } else {
                (&self.before[i], &mut self.coordinates[i])
            };
            stream.fill(&mut self.normals, noise.columns());
            out.clear();
            for j in 0..map.rows() {
                let moved = dot(map.row(j), from) + dot(noise.row(j), &self.normals);
                out.push(moved + shift.get(j).copied().unwrap_or(0.0));
            }
        }
    }
}

/// Draws of whole paths from their posterior: paths `first..first + n` of a sequence, each into
/// `paths[i]`, rows × states.
///
/// # Errors
/// As [`smooth`]; where the posterior is improper.
pub fn sample_paths(
    model: &Model,
    data: Data<'_>,
    length: usize,
    (seed, first): (u64, u64),
    paths: &mut [&mut [f64]],
    scratch: &Scratch<'_>,
) -> Result<(), KernelError> {
    let d = model.states();
    let (from, to) = (data.offsets[0], data.offsets[1]);
    let n = paths.len();
    let mut draws = Draws {
        n,
        streams: (0..n as u64)
            .map(|i| Stream::new(seed, first + i))
            .collect(),
        coordinates: vec![Vec::new(); n],
        before: vec![Vec::new(); n],
        normals: Vec::new(),
    };
    let mut shift = Vec::new();
    let mut visit = |visit: &Visit<'_>| {
        let step = visit.step();
        if visit.t + 1 == to {
            if step.filtered.diffuse.columns() > 0 {
                return Err(improper(visit.t));
            }
            draws.last(step);
        } else {
            draws.carry(&step.moved.map, &step.moved.noise, &[], false);
        }
        let at = visit.t - from;
        for (path, own) in paths.iter_mut().zip(&draws.coordinates) {
            step.filtered
                .at(visit.filtered_mean, own, &mut path[at * d..(at + 1) * d]);
        }
        let measured = &step.measured;
        shift.clear();
        shift.resize(measured.map.rows(), 0.0);
        for (i, &innovation) in visit.innovations.iter().enumerate() {
            add_scaled(&mut shift, innovation, measured.shift.row(i));
        }
        draws.carry(&measured.map, &measured.noise, &shift, true);
        Ok(())
    };
    Sweep::new(model, length).run(data, (from, to), scratch, &mut |_, _| {}, &mut visit)
}

/// Simulate a sequence: `inputs.len() / k` rows (or as many as `x` has) of states and observations.
///
/// # Errors
/// On interruption.
pub fn simulate(
    model: &Model,
    noise_root: &Matrix,
    inputs: &[f64],
    mut stream: Stream,
    (states, x): (&mut [f64], &mut [f64]),
    scratch: &Scratch<'_>,
) -> Result<(), KernelError> {
    let (d, p, k) = (model.states(), model.observed(), model.inputs());
    let mut normals = Vec::new();
    for t in 0..x.len() / p {
        look(scratch, t)?;
        let input = &inputs[t * k..(t + 1) * k];
        let (done, state) = states.split_at_mut(t * d);
        let state = &mut state[..d];
        let root = if t == 0 {
            state.copy_from_slice(&model.initial_mean);
            &model.initial_root
        } else {
            predict(model, &done[(t - 1) * d..], input, state);
            &model.transition_root
        };
        stream.fill(&mut normals, root.columns());
        for (i, z) in state.iter_mut().enumerate() {
            *z += dot(root.row(i), &normals);
        }
        stream.fill(&mut normals, noise_root.columns());
        for (i, value) in x[t * p..(t + 1) * p].iter_mut().enumerate() {
            *value = model.mean[i]
                + dot(model.loadings.row(i), state)
                + dot(model.observation_inputs.row(i), input)
                + dot(noise_root.row(i), &normals);
        }
    }
    Ok(())
}
