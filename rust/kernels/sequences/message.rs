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

/// The product of a message and an emission, normalised, goes to `out`; the logarithm of its
/// sum is returned in two parts, a logarithm and a factor, or None where the product is zero.
#[inline(always)]
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
            *o = (*o - largest).exp();
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

/// Carry a normalised product of message and emission through a matrix; `log_norm` is the
/// logarithm of what the product was divided by. Whether the result is in logarithms.
#[inline(always)]
pub fn carry(
    carrier: &Carrier,
    message: Message<'_>,
    emission: Emission<'_>,
    product: &[f64],
    norm: (f64, f64),
    out: &mut [f64],
) -> bool {
    let k = product.len();
    out.fill(0.0);
    for (column, &p) in carrier.columns.chunks_exact(k).zip(product) {
        for (o, &c) in out.iter_mut().zip(column) {
            *o += c * p;
        }
    }
    let mut least = f64::INFINITY;
    for &o in out.iter() {
        least = if o < least { o } else { least };
    }
    if least >= LEAST {
        return false;
    }
    carry_in_logs(carrier, message, emission, norm.0 + norm.1.ln(), out);
    true
}

/// Replace the sums in `out` by their logarithms, from logarithms where they have lost digits.
#[cold]
fn carry_in_logs(
    carrier: &Carrier,
    message: Message<'_>,
    emission: Emission<'_>,
    log_norm: f64,
    out: &mut [f64],
) {
    let k = out.len();
    for i in 0..k {
        if out[i] >= LEAST_SUM {
            out[i] = out[i].ln();
            continue;
        }
        // in two passes: the largest term, then the others relative to it
        let term = |j: usize| {
            let log = carrier.logs[j * k + i];
            if log == f64::NEG_INFINITY {
                log
            } else {
                log + message.log(j) + emission.logs[j]
            }
        };
        let top = (0..k).map(term).fold(f64::NEG_INFINITY, f64::max);
        out[i] = if top == f64::NEG_INFINITY {
            top
        } else {
            let sum: f64 = (0..k).map(|j| (term(j) - top).exp()).sum();
            top + sum.ln() - log_norm
        };
    }
}
