//! One step of a message: times the emission, through the transition matrix.

use crate::kernels::sequences::chain::Carrier;

/// The least entry of a message that is held as probabilities. What underflows (1e-308) beside
/// entries of this size, and beside their products, is lost below the rounding.
pub const LEAST: f64 = 1e-100;
/// Normalised products of such a message with an emission may have lost what is below 1e-208:
/// a sum over them that is less than this may have lost digits.
pub const LEAST_SUM: f64 = 1e-180;

/// Emissions of one row: log densities, their maximum, and `exp(log density − maximum)`.
#[derive(Clone, Copy)]
pub struct Emission<'a> {
    /// Log densities.
    pub logs: &'a [f64],
    /// Relative densities.
    pub densities: &'a [f64],
    /// The largest log density.
    pub top: f64,
}

/// Entries of a message: probabilities up to a factor, or their logarithms.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The entries.
    pub values: &'a [f64],
    /// Whether these are logarithms.
    pub in_logs: bool,
}

impl Message<'_> {
    /// The logarithm of an entry.
    pub fn log(&self, i: usize) -> f64 {
        if self.in_logs {
            self.values[i]
        } else {
            self.values[i].ln()
        }
    }
}

/// `e^x` of a number not above zero, without asking where the answer is zero or one.
fn relative(x: f64) -> f64 {
    if x < -746.0 {
        0.0
    } else if x == 0.0 {
        1.0
    } else {
        x.exp()
    }
}

/// The product of a message and an emission, normalised, goes to `out`; the logarithm of its
/// sum is returned in two parts, a logarithm and a factor, or None where the product is zero.
pub fn meet(message: Message<'_>, emission: Emission<'_>, out: &mut [f64]) -> Option<(f64, f64)> {
    let mut sum = 0.0;
    let top;
    if message.in_logs {
        let mut largest = f64::NEG_INFINITY;
        for ((o, &m), &l) in out.iter_mut().zip(message.values).zip(emission.logs) {
            *o = m + l;
            largest = largest.max(*o);
        }
        if largest == f64::NEG_INFINITY {
            return None;
        }
        for o in out.iter_mut() {
            *o = relative(*o - largest);
            sum += *o;
        }
        top = largest;
    } else {
        if emission.top == f64::NEG_INFINITY {
            return None;
        }
        for ((o, &m), &b) in out.iter_mut().zip(message.values).zip(emission.densities) {
            *o = m * b;
            sum += *o;
        }
        top = emission.top;
    }
    let scale = 1.0 / sum;
    for o in out.iter_mut() {
        *o *= scale;
    }
    Some((top, sum))
}

/// What a message in probabilities becomes through an emission and a matrix, normalised to the
/// product's sum, in `out`; the sum, and the least entry.
pub type Through = fn(&[f64], &[f64], &[f64], &mut [f64]) -> (f64, f64);

/// [`Through`] for a number of states: loops of known length stay in registers.
pub fn through(k: usize) -> Through {
    match k {
        1 => through_fixed::<1>,
        2 => through_fixed::<2>,
        3 => through_fixed::<3>,
        4 => through_fixed::<4>,
        5 => through_fixed::<5>,
        6 => through_fixed::<6>,
        7 => through_fixed::<7>,
        8 => through_fixed::<8>,
        _ => through_any,
    }
}

fn through_fixed<const K: usize>(
    columns: &[f64],
    message: &[f64],
    densities: &[f64],
    out: &mut [f64],
) -> (f64, f64) {
    let mut sums = [0.0; K];
    let mut total = 0.0;
    let entries = message[..K].iter().zip(&densities[..K]);
    for ((&m, &b), column) in entries.zip(columns.chunks_exact(K)) {
        let p = m * b;
        total += p;
        for i in 0..K {
            sums[i] += column[i] * p;
        }
    }
    let scale = 1.0 / total;
    let mut least = f64::INFINITY;
    for s in &mut sums {
        *s *= scale;
        least = if *s < least { *s } else { least };
    }
    out[..K].copy_from_slice(&sums);
    (total, least)
}

fn through_any(columns: &[f64], message: &[f64], densities: &[f64], out: &mut [f64]) -> (f64, f64) {
    out.fill(0.0);
    let mut total = 0.0;
    let entries = message.iter().zip(densities);
    for ((&m, &b), column) in entries.zip(columns.chunks_exact(message.len())) {
        let p = m * b;
        total += p;
        for (o, &c) in out.iter_mut().zip(column) {
            *o += c * p;
        }
    }
    let scale = 1.0 / total;
    let mut least = f64::INFINITY;
    for o in out.iter_mut() {
        *o *= scale;
        least = if *o < least { *o } else { least };
    }
    (total, least)
}

/// Terms this far below the largest of a sum of exponentials are lost in its rounding.
const FAINT: f64 = -45.0;

/// Carry a normalised product of message and emission through a matrix; `norm` is what the
/// product was divided by, in two parts. Whether the result is in logarithms; the product is
/// overwritten then.
pub fn carry(
    carrier: &Carrier,
    message: Message<'_>,
    emission: Emission<'_>,
    product: &mut [f64],
    norm: (f64, f64),
    out: &mut [f64],
) -> bool {
    let k = product.len();
    out.fill(0.0);
    for (column, &p) in carrier.columns.chunks_exact(k).zip(&*product) {
        if p > 0.0 {
            for (o, &c) in out.iter_mut().zip(column) {
                *o += c * p;
            }
        }
    }
    if out.iter().all(|o| *o >= LEAST) {
        return false;
    }
    let log_norm = norm.0 + norm.1.ln();
    for (i, p) in product.iter_mut().enumerate() {
        *p = message.log(i) + emission.logs[i] - log_norm;
    }
    for i in 0..k {
        out[i] = if out[i] >= LEAST_SUM {
            out[i].ln()
        } else {
            let terms = product.iter().zip(carrier.logs[i..].iter().step_by(k));
            log_sum(terms.map(|(p, l)| p + l))
        };
    }
    true
}

/// The logarithm of the sum of exponentials.
fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let near = terms.map(|term| term - top).filter(|d| *d > FAINT);
    top + near.map(f64::exp).sum::<f64>().ln()
}
