//! Products of small matrices with blocks of rows: the arithmetic of the pass.
//!
//! Everything is in tiles whose sums stay in registers. Matrices are cut into the fewest
//! tiles, as even as can be, so that no thin one is left at the end. Strides are multiples
//! of [`LANES`], and sums over rows come out the same whatever tile an entry is in.

use crate::kernels::lanes::{Lanes, dispatch};
use crate::kernels::rows::LANES;

/// `$body` with the constant `$R` equal to `$n`, one to eight.
macro_rules! sized {
    ($n:expr, $R:ident => $body:expr) => {
        match $n {
            1 => {
                const $R: usize = 1;
                $body
            }
            2 => {
                const $R: usize = 2;
                $body
            }
            3 => {
                const $R: usize = 3;
                $body
            }
            4 => {
                const $R: usize = 4;
                $body
            }
            5 => {
                const $R: usize = 5;
                $body
            }
            6 => {
                const $R: usize = 6;
                $body
            }
            7 => {
                const $R: usize = 7;
                $body
            }
            8 => {
                const $R: usize = 8;
                $body
            }
            _ => unreachable!("tiles have one to eight rows"),
        }
    };
}

/// As [`sized`], one to four.
macro_rules! sized_to_four {
    ($n:expr, $R:ident => $body:expr) => {
        match $n {
            1 => {
                const $R: usize = 1;
                $body
            }
            2 => {
                const $R: usize = 2;
                $body
            }
            3 => {
                const $R: usize = 3;
                $body
            }
            4 => {
                const $R: usize = 4;
                $body
            }
            _ => unreachable!("tiles have one to four rows"),
        }
    };
}

/// `0..n` in the fewest parts of at most `most`, as even as can be: starts and lengths.
#[inline(always)]
fn parts(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most);
    (0..count).map(move |part| {
        let start = part * n / count;
        (start, (part + 1) * n / count - start)
    })
}

/// Panics unless `runs` runs of a stride of whole tiles are there.
#[inline(always)]
fn require_runs(values: &[f64], runs: usize, stride: usize) {
    assert!(
        stride.is_multiple_of(LANES) && values.len() >= runs * stride,
        "{} numbers for {runs} runs of a stride of {stride}",
        values.len()
    );
}

/// Two registers of neighbouring rows.
///
/// # Safety
/// They must be there.
#[inline(always)]
unsafe fn load_two<V: Lanes>(from: *const f64) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe { [V::load(from), V::load(from.add(V::N))] }
}

#[inline(always)]
fn combine_body<V: Lanes>(
    coefficients: &[f64],
    outputs: usize,
    width: usize,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    require_runs(inputs, width, stride);
    require_runs(out, outputs, stride);
    assert!(coefficients.len() >= outputs * width);
    for (j, height) in parts(outputs, V::TALL) {
        sized!(height, R => for t in (0..stride).step_by(2 * V::N) {
            let mut sums = [[V::splat(0.0); 2]; R];
            // SAFETY: outputs j..j + R, inputs 0..width and rows t..t + 2 V::N are all
            // within what was just checked.
            unsafe {
                for i in 0..width {
                    let x = load_two::<V>(inputs.as_ptr().add(i * stride + t));
                    for r in 0..R {
                        let c = V::splat(*coefficients.get_unchecked((j + r) * width + i));
                        sums[r][0] = c.multiply_add(x[0], sums[r][0]);
                        sums[r][1] = c.multiply_add(x[1], sums[r][1]);
                    }
                }
                for r in 0..R {
                    let place = out.as_mut_ptr().add((j + r) * stride + t);
                    sums[r][0].store(place);
                    sums[r][1].store(place.add(V::N));
                }
            }
        });
    }
}
dispatch! {
    /// `out = coefficients · inputs`: row-major `outputs × width` times `width` features.
    pub fn combine(
        coefficients: &[f64],
        outputs: usize,
        width: usize,
        inputs: &[f64],
        stride: usize,
        out: &mut [f64],
    ) = combine_body
}

#[inline(always)]
fn normal_logs_body<V: Lanes>(
    factor: &[f64],
    centre: &[f64],
    log_norm: f64,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    let width = centre.len();
    require_runs(inputs, width, stride);
    require_runs(out, 1, stride);
    assert!(factor.len() >= width * width);
    for t in (0..stride).step_by(2 * V::N) {
        let mut norm = [V::splat(0.0); 2];
        for (j, height) in parts(width, V::TALL) {
            sized!(height, R => {
                let mut sums = [[V::splat(0.0); 2]; R];
                // SAFETY: rows and columns of the factor below j + R <= width, features
                // likewise, rows t..t + 2 V::N: all within what was just checked.
                unsafe {
                    for i in 0..j {
                        let c = V::splat(*centre.get_unchecked(i));
                        let x = load_two::<V>(inputs.as_ptr().add(i * stride + t));
                        let x = [x[0].minus(c), x[1].minus(c)];
                        for r in 0..R {
                            let c = V::splat(*factor.get_unchecked((j + r) * width + i));
                            sums[r][0] = c.multiply_add(x[0], sums[r][0]);
                            sums[r][1] = c.multiply_add(x[1], sums[r][1]);
                        }
                    }
                    for i in 0..R {
                        let c = V::splat(*centre.get_unchecked(j + i));
                        let x = load_two::<V>(inputs.as_ptr().add((j + i) * stride + t));
                        let x = [x[0].minus(c), x[1].minus(c)];
                        for r in i..R {
                            let c = V::splat(*factor.get_unchecked((j + r) * width + j + i));
                            sums[r][0] = c.multiply_add(x[0], sums[r][0]);
                            sums[r][1] = c.multiply_add(x[1], sums[r][1]);
                        }
                    }
                }
                for sum in &sums {
                    norm[0] = sum[0].multiply_add(sum[0], norm[0]);
                    norm[1] = sum[1].multiply_add(sum[1], norm[1]);
                }
            });
        }
        for (half, norm) in norm.iter().enumerate() {
            let log = norm.multiply_add(V::splat(-0.5), V::splat(log_norm));
            // SAFETY: out has `stride` numbers.
            unsafe { log.store(out.as_mut_ptr().add(t + half * V::N)) };
        }
    }
}
dispatch! {
    /// `log_norm − ½ |factor · (x − centre)|²` of every row; of the row-major `factor` only
    /// the lower triangle is read.
    pub fn normal_logs(
        factor: &[f64],
        centre: &[f64],
        log_norm: f64,
        inputs: &[f64],
        stride: usize,
        out: &mut [f64],
    ) = normal_logs_body
}

#[inline(always)]
fn diagonal_logs_body<V: Lanes>(
    scales: &[f64],
    centre: &[f64],
    log_norm: f64,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    require_runs(inputs, centre.len(), stride);
    require_runs(out, 1, stride);
    for t in (0..stride).step_by(2 * V::N) {
        let mut norm = [V::splat(0.0); 2];
        for (f, &c) in centre.iter().enumerate() {
            let (c, s) = (V::splat(c), V::splat(scales[f.min(scales.len() - 1)]));
            // SAFETY: features up to centre.len() and rows t..t + 2 V::N were just checked.
            let x = unsafe { load_two::<V>(inputs.as_ptr().add(f * stride + t)) };
            for half in 0..2 {
                let y = x[half].minus(c).times(s);
                norm[half] = y.multiply_add(y, norm[half]);
            }
        }
        for (half, norm) in norm.iter().enumerate() {
            let log = norm.multiply_add(V::splat(-0.5), V::splat(log_norm));
            // SAFETY: out has `stride` numbers.
            unsafe { log.store(out.as_mut_ptr().add(t + half * V::N)) };
        }
    }
}
dispatch! {
    /// As [`normal_logs`] for a diagonal factor, of one scale a feature or one for all.
    pub fn diagonal_logs(
        scales: &[f64],
        centre: &[f64],
        log_norm: f64,
        inputs: &[f64],
        stride: usize,
        out: &mut [f64],
    ) = diagonal_logs_body
}

/// Sums over the rows of left times right, `R × C` of them.
///
/// # Safety
/// `R` runs must be at `left`, `C` at `right`.
#[inline(always)]
unsafe fn gram_tile<V: Lanes, const R: usize, const C: usize>(
    left: *const f64,
    right: *const f64,
    stride: usize,
) -> [[f64; C]; R] {
    let mut sums = [[V::splat(0.0); C]; R];
    for t in (0..stride).step_by(V::N) {
        // SAFETY: rows t..t + V::N of the runs promised.
        unsafe {
            let mut b = [V::splat(0.0); C];
            for c in 0..C {
                b[c] = V::load(right.add(c * stride + t));
            }
            for r in 0..R {
                let a = V::load(left.add(r * stride + t));
                for c in 0..C {
                    sums[r][c] = a.multiply_add(b[c], sums[r][c]);
                }
            }
        }
    }
    let mut out = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            out[r][c] = sums[r][c].total();
        }
    }
    out
}

#[inline(always)]
fn gram_body<V: Lanes>(
    left: &[f64],
    rows: usize,
    right: &[f64],
    columns: usize,
    stride: usize,
    out: &mut [f64],
) {
    require_runs(left, rows, stride);
    require_runs(right, columns, stride);
    for (i, height) in parts(rows, V::SIDE) {
        for (j, breadth) in parts(columns, V::SIDE) {
            sized_to_four!(height, R => sized_to_four!(breadth, C => {
                // SAFETY: runs i..i + R and j..j + C were just checked.
                let sums = unsafe {
                    gram_tile::<V, R, C>(
                        left.as_ptr().add(i * stride),
                        right.as_ptr().add(j * stride),
                        stride,
                    )
                };
                for (r, sums) in sums.iter().enumerate() {
                    let start = (i + r) * columns + j;
                    for (o, sum) in out[start..][..C].iter_mut().zip(sums) {
                        *o += sum;
                    }
                }
            }));
        }
    }
}
dispatch! {
    /// `out += Σ_t left[·, t] right[·, t]ᵀ`, row-major `rows × columns`.
    pub fn gram(
        left: &[f64],
        rows: usize,
        right: &[f64],
        columns: usize,
        stride: usize,
        out: &mut [f64],
    ) = gram_body
}

/// As [`gram_tile`], on and below the diagonal.
///
/// # Safety
/// `R` runs must be at `left` and at `right`.
#[inline(always)]
unsafe fn triangle_tile<V: Lanes, const R: usize>(
    left: *const f64,
    right: *const f64,
    stride: usize,
) -> [[f64; R]; R] {
    let mut sums = [[V::splat(0.0); R]; R];
    for t in (0..stride).step_by(V::N) {
        // SAFETY: rows t..t + V::N of the runs promised.
        unsafe {
            let mut b = [V::splat(0.0); R];
            for r in 0..R {
                b[r] = V::load(right.add(r * stride + t));
                let a = V::load(left.add(r * stride + t));
                for c in 0..=r {
                    sums[r][c] = a.multiply_add(b[c], sums[r][c]);
                }
            }
        }
    }
    let mut out = [[0.0; R]; R];
    for r in 0..R {
        for c in 0..=r {
            out[r][c] = sums[r][c].total();
        }
    }
    out
}

#[inline(always)]
fn gram_lower_body<V: Lanes>(
    left: &[f64],
    right: &[f64],
    rows: usize,
    stride: usize,
    packed: &mut [f64],
) {
    require_runs(left, rows, stride);
    require_runs(right, rows, stride);
    for (i, height) in parts(rows, V::SIDE) {
        sized_to_four!(height, R => {
            // SAFETY of both: runs i..i + R and j..j + C were just checked.
            let a = unsafe { left.as_ptr().add(i * stride) };
            let mut add = |r: usize, j: usize, sums: &[f64]| {
                let start = (i + r) * (i + r + 1) / 2 + j;
                for (o, sum) in packed[start..start + sums.len()].iter_mut().zip(sums) {
                    *o += sum;
                }
            };
            for (j, breadth) in parts(rows, V::SIDE).take_while(|part| part.0 < i) {
                sized_to_four!(breadth, C => {
                    let b = unsafe { right.as_ptr().add(j * stride) };
                    let sums = unsafe { gram_tile::<V, R, C>(a, b, stride) };
                    for r in 0..R {
                        add(r, j, &sums[r]);
                    }
                });
            }
            let b = unsafe { right.as_ptr().add(i * stride) };
            let sums = unsafe { triangle_tile::<V, R>(a, b, stride) };
            for r in 0..R {
                add(r, i, &sums[r][..=r]);
            }
        });
    }
}
dispatch! {
    /// As [`gram`] for as many rows as columns, on and below the diagonal, row by row.
    pub fn gram_lower(left: &[f64], right: &[f64], rows: usize, stride: usize, packed: &mut [f64])
        = gram_lower_body
}

#[inline(always)]
fn root_weighted_body<V: Lanes>(
    inputs: &[f64],
    centre: &[f64],
    weights: &[f64],
    stride: usize,
    roots: &mut [f64],
    out: &mut [f64],
    sums: &mut [f64],
) {
    let features = centre.len();
    require_runs(inputs, features, stride);
    require_runs(out, features, stride);
    require_runs(weights, 1, stride);
    require_runs(roots, 1, stride);
    let mut total = V::splat(0.0);
    for t in (0..stride).step_by(V::N) {
        // SAFETY: both have `stride` numbers.
        unsafe {
            let weight = V::load(weights.as_ptr().add(t));
            total = total.plus(weight);
            weight.square_root().store(roots.as_mut_ptr().add(t));
        }
    }
    sums[0] += total.total();
    for (f, height) in parts(features, 4) {
        sized_to_four!(height, R => {
            let mut first = [V::splat(0.0); R];
            for t in (0..stride).step_by(V::N) {
                // SAFETY: features f..f + R and rows t..t + V::N were just checked.
                unsafe {
                    let root = V::load(roots.as_ptr().add(t));
                    for r in 0..R {
                        let x = V::load(inputs.as_ptr().add((f + r) * stride + t));
                        let y = x.minus(V::splat(centre[f + r])).times(root);
                        first[r] = y.multiply_add(root, first[r]);
                        y.store(out.as_mut_ptr().add((f + r) * stride + t));
                    }
                }
            }
            for r in 0..R {
                sums[1 + f + r] += first[r].total();
            }
        });
    }
}
dispatch! {
    /// `√w (x − centre)` of every feature, whose products are those of weighted deviations;
    /// to `sums` are added `Σ w` and `Σ w (x − centre)`.
    pub fn root_weighted(
        inputs: &[f64],
        centre: &[f64],
        weights: &[f64],
        stride: usize,
        roots: &mut [f64],
        out: &mut [f64],
        sums: &mut [f64],
    ) = root_weighted_body
}

#[inline(always)]
fn diagonal_moments_body<V: Lanes>(
    inputs: &[f64],
    centre: &[f64],
    weights: &[f64],
    stride: usize,
    sums: &mut [f64],
) {
    let features = centre.len();
    require_runs(inputs, features, stride);
    require_runs(weights, 1, stride);
    for (f, height) in parts(features, 4) {
        sized_to_four!(height, R => {
            let mut totals = [[V::splat(0.0); 2]; R];
            for t in (0..stride).step_by(V::N) {
                // SAFETY: features f..f + R and rows t..t + V::N were just checked.
                unsafe {
                    let weight = V::load(weights.as_ptr().add(t));
                    for r in 0..R {
                        let x = V::load(inputs.as_ptr().add((f + r) * stride + t));
                        let x = x.minus(V::splat(centre[f + r]));
                        let y = x.times(weight);
                        totals[r][0] = totals[r][0].plus(y);
                        totals[r][1] = y.multiply_add(x, totals[r][1]);
                    }
                }
            }
            for r in 0..R {
                sums[f + r] += totals[r][0].total();
                sums[features + f + r] += totals[r][1].total();
            }
        });
    }
}
dispatch! {
    /// To `sums` are added `Σ w (x − centre)` of every feature, then `Σ w (x − centre)²`.
    pub fn diagonal_moments(
        inputs: &[f64],
        centre: &[f64],
        weights: &[f64],
        stride: usize,
        sums: &mut [f64],
    ) = diagonal_moments_body
}

#[inline(always)]
fn dots_body<V: Lanes>(
    left: &[f64],
    right: &[f64],
    features: usize,
    stride: usize,
    out: &mut [f64],
) {
    require_runs(left, features, stride);
    require_runs(right, features, stride);
    for (f, o) in out[..features].iter_mut().enumerate() {
        let mut parts = [V::splat(0.0); 2];
        for t in (0..stride).step_by(2 * V::N) {
            // SAFETY: feature f and rows t..t + 2 V::N were just checked.
            let (a, b) = unsafe {
                let place = f * stride + t;
                (
                    load_two::<V>(left.as_ptr().add(place)),
                    load_two::<V>(right.as_ptr().add(place)),
                )
            };
            parts[0] = a[0].multiply_add(b[0], parts[0]);
            parts[1] = a[1].multiply_add(b[1], parts[1]);
        }
        *o += parts[0].plus(parts[1]).total();
    }
}
dispatch! {
    /// `out[f] += Σ_t left[f, t] right[f, t]`: the diagonal of [`gram`].
    pub fn dots(left: &[f64], right: &[f64], features: usize, stride: usize, out: &mut [f64])
        = dots_body
}

#[inline(always)]
fn weighted_body<V: Lanes>(
    inputs: &[f64],
    features: usize,
    weights: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    require_runs(inputs, features, stride);
    require_runs(out, features, stride);
    for f in 0..features {
        let runs = inputs[f * stride..].chunks_exact(V::N);
        let out = out[f * stride..].chunks_exact_mut(V::N);
        for ((x, w), o) in runs.zip(weights[..stride].chunks_exact(V::N)).zip(out) {
            V::read(x).times(V::read(w)).write(o);
        }
    }
}
dispatch! {
    /// Every feature times the weight of its row.
    pub fn weighted(inputs: &[f64], features: usize, weights: &[f64], stride: usize, out: &mut [f64])
        = weighted_body
}

#[inline(always)]
fn centred_body<V: Lanes>(inputs: &[f64], centre: &[f64], stride: usize, out: &mut [f64]) {
    require_runs(inputs, centre.len(), stride);
    require_runs(out, centre.len(), stride);
    for (f, &c) in centre.iter().enumerate() {
        let centre = V::splat(c);
        let run = inputs[f * stride..(f + 1) * stride].chunks_exact(V::N);
        for (x, o) in run.zip(out[f * stride..].chunks_exact_mut(V::N)) {
            V::read(x).minus(centre).write(o);
        }
    }
}
dispatch! {
    /// Every feature less its centre.
    pub fn centred(inputs: &[f64], centre: &[f64], stride: usize, out: &mut [f64]) = centred_body
}

#[inline(always)]
fn sums_body<V: Lanes>(inputs: &[f64], features: usize, stride: usize, out: &mut [f64]) {
    require_runs(inputs, features, stride);
    for f in 0..features {
        let mut parts = [V::splat(0.0); 2];
        for t in (0..stride).step_by(2 * V::N) {
            // SAFETY: feature f and rows t..t + 2 V::N were just checked.
            let x = unsafe { load_two::<V>(inputs.as_ptr().add(f * stride + t)) };
            parts = [parts[0].plus(x[0]), parts[1].plus(x[1])];
        }
        out[f] += parts[0].plus(parts[1]).total();
    }
}
dispatch! {
    /// `out[f] +=` the sum of feature `f` over the rows.
    pub fn sums(inputs: &[f64], features: usize, stride: usize, out: &mut [f64]) = sums_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes::in_every_width;
    use proptest::prelude::*;

    fn numbers(n: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-3.0..3.0_f64, n)
    }

    /// A plain sum over the rows.
    fn over_rows(stride: usize, term: impl Fn(usize) -> f64) -> f64 {
        (0..stride).map(term).sum()
    }

    fn close(value: f64, exact: f64) -> bool {
        (value - exact).abs() < 1e-11 * (1.0 + exact.abs())
    }

    fn products_hold<V: Lanes>(
        p: usize,
        q: usize,
        a: &[f64],
        x: &[f64],
    ) -> Result<(), TestCaseError> {
        let stride = x.len() / q;
        let mut out = vec![f64::NAN; p * stride];
        combine_body::<V>(a, p, q, x, stride, &mut out);
        for j in 0..p {
            for t in 0..stride {
                let exact: f64 = (0..q).map(|i| a[j * q + i] * x[i * stride + t]).sum();
                prop_assert!(close(out[j * stride + t], exact));
            }
        }
        // sums are added to what is there
        let mut cross = vec![2.0; p * q];
        gram_body::<V>(&out, p, x, q, stride, &mut cross);
        for i in 0..p {
            for j in 0..q {
                let exact = over_rows(stride, |t| out[i * stride + t] * x[j * stride + t]);
                prop_assert!(close(cross[i * q + j], 2.0 + exact));
            }
        }
        let doubled: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
        let mut lower = vec![1.0; q * (q + 1) / 2];
        gram_lower_body::<V>(&doubled, x, q, stride, &mut lower);
        let (mut diagonal, mut first) = (vec![1.0; q], vec![1.0; q]);
        let (mut centred, mut scaled) = (vec![f64::NAN; x.len()], vec![f64::NAN; x.len()]);
        centred_body::<V>(x, &x[..q], stride, &mut centred);
        weighted_body::<V>(x, q, &x[..stride], stride, &mut scaled);
        for i in 0..q * stride {
            prop_assert!(centred[i] == x[i] - x[i / stride] && scaled[i] == x[i] * x[i % stride]);
        }
        dots_body::<V>(&doubled, x, q, stride, &mut diagonal);
        sums_body::<V>(x, q, stride, &mut first);
        for i in 0..q {
            for j in 0..=i {
                let exact = over_rows(stride, |t| doubled[i * stride + t] * x[j * stride + t]);
                prop_assert!(close(lower[i * (i + 1) / 2 + j], 1.0 + exact));
            }
            prop_assert!(close(diagonal[i], lower[i * (i + 1) / 2 + i]));
            prop_assert!(close(
                first[i],
                1.0 + over_rows(stride, |t| x[i * stride + t])
            ));
        }
        Ok(())
    }

    fn logs_hold<V: Lanes>(factor: &[f64], centre: &[f64], x: &[f64]) -> Result<(), TestCaseError> {
        let q = centre.len();
        // what is above the diagonal is not read
        let mut lower = factor.to_vec();
        for i in 0..q {
            lower[i * q + i + 1..(i + 1) * q].fill(f64::NAN);
        }
        let scales: Vec<f64> = (0..q).map(|i| factor[i * q + i]).collect();
        let mut out = [[f64::NAN; 48]; 3];
        normal_logs_body::<V>(&lower, centre, 0.7, x, 48, &mut out[0]);
        diagonal_logs_body::<V>(&scales, centre, 0.7, x, 48, &mut out[1]);
        diagonal_logs_body::<V>(&[0.3], centre, 0.7, x, 48, &mut out[2]);
        for t in 0..48 {
            let deviation: Vec<f64> = (0..q).map(|i| x[i * 48 + t] - centre[i]).collect();
            let white = |i: usize| {
                (0..=i)
                    .map(|j| factor[i * q + j] * deviation[j])
                    .sum::<f64>()
            };
            let norms: [f64; 3] = [
                (0..q).map(|i| white(i).powi(2)).sum(),
                (0..q).map(|i| (scales[i] * deviation[i]).powi(2)).sum(),
                (0..q).map(|i| (0.3 * deviation[i]).powi(2)).sum(),
            ];
            for (out, norm) in out.iter().zip(norms) {
                prop_assert!(close(out[t], 0.7 - 0.5 * norm));
            }
        }
        Ok(())
    }

    fn moments_hold<V: Lanes>(
        centre: &[f64],
        x: &[f64],
        weights: &[f64],
    ) -> Result<(), TestCaseError> {
        let q = centre.len();
        let (mut roots, mut scaled) = (vec![f64::NAN; 48], vec![f64::NAN; q * 48]);
        let mut first = vec![1.0; 1 + q];
        root_weighted_body::<V>(x, centre, weights, 48, &mut roots, &mut scaled, &mut first);
        let mut second = vec![1.0; q * (q + 1) / 2];
        gram_lower_body::<V>(&scaled, &scaled, q, 48, &mut second);
        let mut diagonal = vec![1.0; 2 * q];
        diagonal_moments_body::<V>(x, centre, weights, 48, &mut diagonal);
        let deviation = |i: usize, t: usize| x[i * 48 + t] - centre[i];
        prop_assert!(close(first[0], 1.0 + over_rows(48, |t| weights[t])));
        for i in 0..q {
            let exact = over_rows(48, |t| weights[t] * deviation(i, t));
            prop_assert!(close(first[1 + i], 1.0 + exact) && close(diagonal[i], 1.0 + exact));
            for j in 0..=i {
                let exact = over_rows(48, |t| weights[t] * deviation(i, t) * deviation(j, t));
                prop_assert!(close(second[i * (i + 1) / 2 + j], 1.0 + exact));
            }
            prop_assert!(close(diagonal[q + i], second[i * (i + 1) / 2 + i]));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn products_agree_with_plain_loops(
            (p, q, a, x) in (1..21_usize, 1..21_usize, 1..4_usize)
                .prop_flat_map(|(p, q, tiles)| {
                    (Just(p), Just(q), numbers(p * q), numbers(q * tiles * LANES))
                })
        ) {
            in_every_width!(products_hold(p, q, &a, &x));
        }

        #[test]
        fn logs_of_normals_agree_with_plain_loops(
            (factor, centre, x) in (0..21_usize)
                .prop_flat_map(|q| (numbers(q * q), numbers(q), numbers(q * 48)))
        ) {
            in_every_width!(logs_hold(&factor, &centre, &x));
        }

        #[test]
        fn moments_agree_with_plain_loops(
            (centre, x, weights) in (0..21_usize).prop_flat_map(|q| {
                (numbers(q), numbers(q * 48), prop::collection::vec(0.0..2.0_f64, 48))
            })
        ) {
            in_every_width!(moments_hold(&centre, &x, &weights));
        }

        #[test]
        fn parts_cover_and_are_even(n in 0..200_usize, most in 1..9_usize) {
            let all: Vec<(usize, usize)> = parts(n, most).collect();
            let mut next = 0;
            for &(start, len) in &all {
                prop_assert!(start == next && (1..=most).contains(&len));
                prop_assert!(len + 1 >= all[0].1.max(all[all.len() - 1].1));
                next += len;
            }
            prop_assert!(next == n && all.len() == n.div_ceil(most));
        }
    }

    #[test]
    #[should_panic(expected = "stride")]
    fn strides_of_broken_tiles_are_refused() {
        combine(&[1.0], 1, 1, &[1.0; 8], 8, &mut [0.0; 8]);
    }
}
