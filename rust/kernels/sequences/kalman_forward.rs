//! The means' recursion forward in time: predictions, filtered states, log densities.

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::sequences::kalman_arrays::{add_scaled, dot};
use crate::kernels::sequences::kalman_model::{Model, Noise, Pattern};
use crate::kernels::sequences::kalman_steps::{Kind, Step, Steps};

/// Rows between two looks at the scratch flag.
const LOOK: usize = 1024;
/// A value known beforehand may differ from what was known by this share of its terms.
const AGREEMENT: f64 = 1e-8;

/// Sequences one below the other.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// Rows × columns, NaN where missing.
    pub x: &'a [f64],
    /// Rows × inputs.
    pub inputs: &'a [f64],
    /// Where sequences begin, and where the last one ends.
    pub offsets: &'a [usize],
    /// A weight for each sequence, or none for weight 1.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    /// The observation of row `t`.
    pub fn row(&self, model: &Model, t: usize) -> &'a [f64] {
        let p = model.observed();
        &self.x[t * p..(t + 1) * p]
    }

    /// The inputs of row `t`.
    pub fn input(&self, model: &Model, t: usize) -> &'a [f64] {
        let k = model.inputs();
        &self.inputs[t * k..(t + 1) * k]
    }
}

/// Buffers of a row.
#[derive(Debug, Default)]
pub struct Row {
    /// Observation less its constant part, observed columns only.
    pub centred: Vec<f64>,
    whitened: Vec<f64>,
    /// What each measurement adds to its prediction.
    pub innovations: Vec<f64>,
}

impl Row {
    /// Take the constant part from a row's observed columns.
    pub fn centre(&mut self, model: &Model, pattern: &Pattern, x: &[f64], input: &[f64]) {
        self.centred.clear();
        self.centred.extend(pattern.observed.iter().map(|&i| {
            let effect = dot(model.observation_inputs.row(i), input);
            (x[i] - model.mean[i]) - effect
        }));
    }

    /// Condition the mean on a row; returns the log density of the row's observed columns given
    /// all rows before.
    pub fn observe(
        &mut self,
        model: &Model,
        pattern: &Pattern,
        step: &Step,
        x: &[f64],
        input: &[f64],
        mean: &mut [f64],
    ) -> f64 {
        self.centre(model, pattern, x, input);
        let values = if let Some(whitening) = &pattern.whitening {
            self.whitened.clear();
            self.whitened
                .extend((0..self.centred.len()).map(|i| dot(whitening.row(i), &self.centred)));
            &self.whitened
        } else {
            &self.centred
        };
        let mut log_density = 0.0;
        self.innovations.clear();
        for (i, measurement) in step.measurements.iter().enumerate() {
            let row = pattern.rows.row(i);
            let innovation = values[i] - dot(row, mean);
            self.innovations.push(innovation);
            match measurement.kind {
                Kind::Regular => {
                    let standard = innovation * measurement.precision;
                    log_density += measurement.constant - 0.5 * standard * standard;
                }
                Kind::Diffuse => log_density += measurement.constant,
                Kind::Known => {
                    let terms: f64 = row.iter().zip(&*mean).map(|(c, m)| (c * m).abs()).sum();
                    let size = pattern
                        .observed
                        .iter()
                        .map(|&i| x[i].abs() + model.mean[i].abs())
                        .fold(values[i].abs() + terms + measurement.reference, f64::max);
                    if innovation.abs() > AGREEMENT * size {
                        log_density = f64::NEG_INFINITY;
                    }
                    continue;
                }
            }
            add_scaled(mean, innovation, step.gains.row(i));
        }
        log_density
    }
}

/// `out = o + A mean + B input`.
pub fn predict(model: &Model, mean: &[f64], input: &[f64], out: &mut [f64]) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = model.offset[i]
            + dot(model.transition.row(i), mean)
            + dot(model.transition_inputs.row(i), input);
    }
}

/// An error where a mean or variance has outgrown the numbers; `t` counts from the table's start.
pub fn check_row(t: usize, mean: &[f64], log_density: f64) -> Result<(), KernelError> {
    let finite = mean.iter().all(|m| m.is_finite());
    if finite && (log_density.is_finite() || log_density == f64::NEG_INFINITY) {
        return Ok(());
    }
    Err(KernelError::Shape(format!(
        "row {t}: the state's mean or variance is beyond the largest float64: the transition is \
         unstable, or the units are too small"
    )))
}

/// Look at the scratch flag now and then.
pub fn look(scratch: &Scratch<'_>, t: usize) -> Result<(), KernelError> {
    if t.is_multiple_of(LOOK) && scratch.stopped() {
        return Err(KernelError::Interrupted);
    }
    Ok(())
}

/// What a filter may be asked for; what is empty is not.
#[derive(Default)]
pub struct Filtered<'a> {
    /// Log density of each row given those before.
    pub log_densities: &'a mut [f64],
    /// Means of the states before the rows, rows × states.
    pub predicted_means: &'a mut [f64],
    /// Their covariances.
    pub predicted_covariances: &'a mut [f64],
    /// Means of the states after the rows.
    pub filtered_means: &'a mut [f64],
    /// Their covariances.
    pub filtered_covariances: &'a mut [f64],
}

impl<'a> Filtered<'a> {
    /// Cut off what belongs to the first `rows` rows; nothing is cut off nothing.
    #[must_use]
    pub fn take(&mut self, rows: usize, states: usize) -> Filtered<'a> {
        Filtered {
            log_densities: self.log_densities.split_off_mut(..rows).unwrap_or_default(),
            predicted_means: self
                .predicted_means
                .split_off_mut(..rows * states)
                .unwrap_or_default(),
            predicted_covariances: self
                .predicted_covariances
                .split_off_mut(..rows * states * states)
                .unwrap_or_default(),
            filtered_means: self
                .filtered_means
                .split_off_mut(..rows * states)
                .unwrap_or_default(),
            filtered_covariances: self
                .filtered_covariances
                .split_off_mut(..rows * states * states)
                .unwrap_or_default(),
        }
    }
}

fn write(out: &mut [f64], at: usize, values: &[f64]) {
    if !out.is_empty() {
        out[at..at + values.len()].copy_from_slice(values);
    }
}

/// Filter the sequences that begin at `offsets[..offsets.len() - 1]`.
///
/// # Errors
/// On interruption, and where the state outgrows the numbers.
pub fn filter(
    model: &Model,
    data: Data<'_>,
    out: &mut Filtered<'_>,
    scratch: &Scratch<'_>,
) -> Result<(), KernelError> {
    let d = model.states();
    let mut steps = Steps::new(model, false);
    let initial = steps.initial();
    let mut row = Row::default();
    let (mut mean, mut next) = (vec![0.0; d], vec![0.0; d]);
    let start = data.offsets[0];
    for ends in data.offsets.windows(2) {
        let mut place = 0;
        for t in ends[0]..ends[1] {
            look(scratch, t)?;
            let (x, input) = (data.row(model, t), data.input(model, t));
            if t == ends[0] {
                mean.copy_from_slice(&model.initial_mean);
                place = steps.first(&initial, x);
            } else {
                predict(model, &mean, input, &mut next);
                std::mem::swap(&mut mean, &mut next);
                place = steps.after(place, x);
            }
            let step = steps.get(place);
            let at = t - start;
            write(out.predicted_means, at * d, &mean);
            let pattern = steps.pattern(step.pattern);
            let log_density = row.observe(model, pattern, step, x, input, &mut mean);
            check_row(t, &mean, log_density)?;
            write(out.log_densities, at, &[log_density]);
            write(out.filtered_means, at * d, &mean);
            let square = at * d * d..(at + 1) * d * d;
            if !out.predicted_covariances.is_empty() {
                step.predicted
                    .covariance(&mut out.predicted_covariances[square.clone()]);
            }
            if !out.filtered_covariances.is_empty() {
                step.filtered
                    .covariance(&mut out.filtered_covariances[square]);
            }
        }
    }
    Ok(())
}

/// Whether noise is correlated, so that rows are completed where columns are missing.
pub fn is_correlated(model: &Model) -> bool {
    matches!(model.noise, Noise::Full(_))
}
