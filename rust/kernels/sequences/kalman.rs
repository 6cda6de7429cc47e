//! Linear state-space models: square-root filter and smoother, exact for diffuse starts, missing
//! values and zero noise.
//!
//! * `kalman_arrays`: small matrices and reflections;
//! * `kalman_model`: the model, and patterns of missing values;
//! * `kalman_steps`: the covariances' recursion, remembered;
//! * `kalman_forward`, `kalman_backward`: the means' recursion, and what all rows say of a state;
//! * `kalman_moments`, `kalman_paths`: what EM needs; smoothed states, draws, simulation;
//! * `kalman_jobs`, `kalman_random`: threads, and random numbers.

use crate::kernels::error::{KernelError, require};
use crate::kernels::sequences::kalman_jobs::{cut, run};
use crate::kernels::sequences::{kalman_forward, kalman_moments, kalman_paths};
use crate::kernels::workers::Watch;

pub use crate::kernels::sequences::kalman_arrays::Matrix;
pub use crate::kernels::sequences::kalman_forward::{Data, Filtered};
pub use crate::kernels::sequences::kalman_model::{Model, Noise};
pub use crate::kernels::sequences::kalman_moments::Layout;
pub use crate::kernels::sequences::kalman_paths::Smoothed;
pub use crate::kernels::sequences::kalman_random::Stream;

fn check(model: &Model, data: &Data<'_>) -> Result<usize, KernelError> {
    model.check()?;
    let rows = data.offsets.last().copied().unwrap_or(0);
    let steps = data.offsets.windows(2).all(|w| w[0] < w[1]);
    require(
        data.offsets.len() > 1 && data.offsets[0] == 0 && steps,
        || "offsets: row numbers from 0 on, rising".into(),
    )?;
    require(data.x.len() == rows * model.observed(), || {
        format!("x: {} numbers for {rows} rows", data.x.len())
    })?;
    require(data.inputs.len() == rows * model.inputs(), || {
        format!("inputs: {} numbers for {rows} rows", data.inputs.len())
    })?;
    require(
        data.weights
            .is_none_or(|w| w.len() + 1 == data.offsets.len()),
        || "weights: one for each sequence".into(),
    )?;
    Ok(rows)
}

/// About how many operations so many rows take at most.
fn cost(model: &Model, rows: usize) -> f64 {
    let d = model.states() as f64;
    rows as f64 * (40.0 * d * d * d + 100.0)
}

fn part<'a>(data: &Data<'a>, (begin, end): (usize, usize)) -> Data<'a> {
    Data {
        offsets: &data.offsets[begin..=end],
        weights: data.weights.map(|w| &w[begin..end]),
        ..*data
    }
}

/// Filter all sequences.
///
/// # Errors
/// When shapes do not fit, a state outgrows the numbers, or on interruption.
pub fn filter(
    model: &Model,
    data: Data<'_>,
    mut out: Filtered<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), KernelError> {
    let rows = check(model, &data)?;
    let jobs = cut(data.offsets)
        .into_iter()
        .map(|job| {
            let n = data.offsets[job.1] - data.offsets[job.0];
            (job, out.take(n, model.states()))
        })
        .collect();
    run(jobs, cost(model, rows), watch, |(job, mut out), scratch| {
        kalman_forward::filter(model, part(&data, job), &mut out, scratch)
    })?;
    Ok(())
}

/// Smooth all sequences, with steps of `length` rows kept at a time.
///
/// # Errors
/// As [`filter`].
pub fn smooth(
    model: &Model,
    data: Data<'_>,
    length: usize,
    mut out: Smoothed<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), KernelError> {
    let rows = check(model, &data)?;
    let jobs = cut(data.offsets)
        .into_iter()
        .map(|job| {
            let n = data.offsets[job.1] - data.offsets[job.0];
            (job, out.take(n, model.states()))
        })
        .collect();
    run(jobs, cost(model, rows), watch, |(job, mut out), scratch| {
        kalman_paths::smooth(model, part(&data, job), length.max(1), &mut out, scratch)
    })?;
    Ok(())
}

/// The sums that EM needs, in the order of the layout.
///
/// # Errors
/// As [`filter`]; where a posterior is improper.
pub fn moments(
    model: &Model,
    data: Data<'_>,
    length: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>, KernelError> {
    let rows = check(model, &data)?;
    let missing = data.x.chunks(1024).any(|c| c.iter().any(|x| x.is_nan()));
    let layout = Layout::new(model, missing);
    let mut sums = vec![0.0; layout.size];
    let parts = run(
        cut(data.offsets),
        cost(model, rows),
        watch,
        |job, scratch| {
            kalman_moments::moments(model, part(&data, job), &layout, length.max(1), scratch)
        },
    )?;
    for part in parts {
        for (sum, own) in sums.iter_mut().zip(&part) {
            *sum += own;
        }
    }
    Ok(sums)
}

/// Draws of the paths of all sequences given their rows: `n` × rows × states, into `paths`.
///
/// # Errors
/// As [`moments`].
pub fn sample_paths(
    model: &Model,
    data: Data<'_>,
    length: usize,
    (seed, n): (u64, usize),
    paths: &mut [f64],
    watch: &mut Watch<'_>,
) -> Result<(), KernelError> {
    let rows = check(model, &data)?;
    let d = model.states();
    require(paths.len() == n * rows * d, || {
        format!("paths: {} numbers", paths.len())
    })?;
    // by sequence, then by path
    let sequences = data.offsets.len() - 1;
    let mut pieces: Vec<Vec<&mut [f64]>> = (0..sequences).map(|_| Vec::with_capacity(n)).collect();
    let mut left = paths;
    for _ in 0..n {
        for (piece, ends) in pieces.iter_mut().zip(data.offsets.windows(2)) {
            let (head, tail) = std::mem::take(&mut left).split_at_mut((ends[1] - ends[0]) * d);
            piece.push(head);
            left = tail;
        }
    }
    let jobs = pieces.into_iter().enumerate().collect();
    run(
        jobs,
        cost(model, rows * n),
        watch,
        |(i, mut paths): (usize, Vec<_>), scratch| {
            let one = part(&data, (i, i + 1));
            let streams = (seed, (i * n) as u64);
            kalman_paths::sample_paths(model, one, length.max(1), streams, &mut paths, scratch)
        },
    )?;
    Ok(())
}

/// Simulate all sequences: states (rows × states) and observations (rows × columns).
///
/// # Errors
/// As [`filter`].
pub fn simulate(
    model: &Model,
    noise_root: &Matrix,
    (offsets, inputs): (&[usize], &[f64]),
    seed: u64,
    (mut states, mut x): (&mut [f64], &mut [f64]),
    watch: &mut Watch<'_>,
) -> Result<(), KernelError> {
    let (d, p, k) = (model.states(), model.observed(), model.inputs());
    let data = Data {
        x,
        inputs,
        offsets,
        weights: None,
    };
    let rows = check(model, &data)?;
    require(states.len() == rows * d && noise_root.rows() == p, || {
        "states, noise_root: of another shape than the model".into()
    })?;
    let jobs = offsets
        .windows(2)
        .enumerate()
        .map(|(i, ends)| {
            let n = ends[1] - ends[0];
            let own = &inputs[ends[0] * k..ends[1] * k];
            let out = (
                states.split_off_mut(..n * d).unwrap_or_default(),
                x.split_off_mut(..n * p).unwrap_or_default(),
            );
            (i as u64, own, out)
        })
        .collect();
    run(
        jobs,
        cost(model, rows),
        watch,
        |(i, inputs, out), scratch| {
            kalman_paths::simulate(
                model,
                noise_root,
                inputs,
                Stream::new(seed, i),
                out,
                scratch,
            )
        },
    )?;
    Ok(())
}
