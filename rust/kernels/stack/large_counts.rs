//! Poisson densities of counts so large that `x θ − e^θ` and `log x!` would cancel.
//!
//! In a row with such a count the density is `−D(x, rate)` under each member, with half the
//! deviance `D = x log(x / rate) + rate − x`, and `x log x − x − log x!` for all (Loader 2000).

use crate::kernels::rows::Rows;
use crate::kernels::stack::statistic::log_factorial;

/// From this count on: below, what cancels is less than 1e-10.
const LARGE: f64 = 65_536.0;

/// Whether any count of a block is large, which few are.
pub fn any(rows: &Rows<'_>) -> bool {
    rows.data.iter().fold(0.0, |top: f64, &x| top.max(x)) >= LARGE
}

/// Whether row `t` holds a large count.
pub fn in_row(rows: &Rows<'_>, t: usize) -> bool {
    (0..rows.features).any(|f| rows.data[f * rows.stride + t] >= LARGE)
}

/// `Σ −D(x, rate)` over the columns of row `t`.
pub fn log_density(rows: &Rows<'_>, t: usize, rates: &[f64]) -> f64 {
    let columns = rates.iter().enumerate();
    -columns
        .map(|(f, &rate)| deviance(rows.data[f * rows.stride + t], rate))
        .sum::<f64>()
}

/// What [`log_density`] leaves out: `Σ x log x − x − log x!`.
pub fn log_base_measure(rows: &Rows<'_>, t: usize) -> f64 {
    -(0..rows.features)
        .map(|f| remainder(rows.data[f * rows.stride + t]))
        .sum::<f64>()
}

/// `log x! − x log x + x`.
fn remainder(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x < 256.0 {
        return log_factorial(x) - x * x.ln() + x;
    }
    let (r, r2) = (1.0 / x, 1.0 / (x * x));
    let series = r * (1.0 / 12.0 - r2 * (1.0 / 360.0 - r2 * (1.0 / 1260.0 - r2 / 1680.0)));
    0.5 * (2.0 * std::f64::consts::PI * x).ln() + series
}

/// `x log(x / mean) + mean − x`: no digits are lost where x is near the mean.
fn deviance(x: f64, mean: f64) -> f64 {
    let (difference, total) = (x - mean, x + mean);
    if difference.abs() < 0.5 * total {
        let v = difference / total;
        let square = v * v;
        let tail = (1..=24).rev().fold(0.0, |tail, k| {
            (tail + 1.0 / (2.0 * f64::from(k) + 1.0)) * square
        });
        return difference * v + 2.0 * x * v * tail;
    }
    if x <= 0.0 {
        return mean;
    }
    // a ratio may leave the range of doubles
    let log_ratio = if x * 1e-150 > mean.min(1e100) * 1e150 {
        x.ln() - mean.ln()
    } else {
        (x / mean).ln()
    };
    x * log_ratio - difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_against_published_digits() {
        // mpmath at 60 digits: the mode of each rate, and a count three deviations above it
        for (rate, x, exact) in CASES {
            let rows = [x; 16];
            let rows = Rows::new(&rows, 1, 16, 16);
            assert!(in_row(&rows, 3) && any(&rows));
            let found = log_density(&rows, 3, &[rate]) + log_base_measure(&rows, 3);
            assert!(
                (found - exact).abs() < 1e-12 * exact.abs(),
                "{found} {exact}"
            );
        }
    }

    const CASES: [(f64, f64, f64); 4] = [
        (1e6, 1e6, -7.826_693_895_520_143),
        (1e6, 1_003e3, -12.323_698_387_635_038),
        (1e15, 1e15, -18.188_326_730_660_015),
        (1e18, 1.000_000_003e18, -26.142_204_367_151_084),
    ];

    #[test]
    fn small_counts_in_the_same_row() {
        for (x, mean) in [(0.0, 3.0), (2.0, 3.0), (1.0, 70.0), (300.0, 1e-300)] {
            let plain = x * f64::ln(mean) - mean - log_factorial(x);
            let found = -deviance(x, mean) - remainder(x);
            assert!(
                (found - plain).abs() < 1e-13 * (1.0 + plain.abs()),
                "{x} {mean}"
            );
        }
    }
}
