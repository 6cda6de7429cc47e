//! Products of small matrices with blocks of rows: the arithmetic of the pass.
//!
//! Everything is in tiles whose sums stay in registers: `TALL` by `WIDE_LANES` rows for
//! 512-bit registers, smaller ones else. Tails are done by the same tile with fewer rows.

use crate::dispatch;
use crate::kernels::rows::LANES;
use crate::kernels::simd::multiply_add;

/// Outputs per tile.
const TILE: usize = 4;

/// `R` outputs at rows `t..t + L`: sum over inputs `0..limit` of coefficient times input.
#[inline(always)]
fn tile<const FUSED: bool, const R: usize, const L: usize>(
    coefficients: &[f64],
    width: usize,
    inputs: &[f64],
    stride: usize,
    t: usize,
    limit: usize,
) -> [[f64; L]; R] {
    let mut sums = [[0.0; L]; R];
    for i in 0..limit {
        let x: &[f64; L] = inputs[i * stride + t..i * stride + t + L]
            .try_into()
            .expect("a tile of L rows");
        for r in 0..R {
            let c = coefficients[r * width + i];
            for l in 0..L {
                sums[r][l] = multiply_add::<FUSED>(c, x[l], sums[r][l]);
            }
        }
    }
    sums
}

#[inline(always)]
fn combine_tiles<const FUSED: bool, const L: usize>(
    coefficients: &[f64],
    outputs: usize,
    width: usize,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    let mut j = 0;
    while j < outputs {
        let rows = &coefficients[j * width..];
        if j + TILE <= outputs {
            let mut t = 0;
            while t < stride {
                let sums = tile::<FUSED, TILE, L>(rows, width, inputs, stride, t, width);
                for (r, sum) in sums.iter().enumerate() {
                    out[(j + r) * stride + t..(j + r) * stride + t + L].copy_from_slice(sum);
                }
                t += L;
            }
            j += TILE;
        } else {
            let mut t = 0;
            while t < stride {
                let sums = tile::<FUSED, 1, L>(rows, width, inputs, stride, t, width);
                out[j * stride + t..j * stride + t + L].copy_from_slice(&sums[0]);
                t += L;
            }
            j += 1;
        }
    }
}

#[inline(always)]
fn combine_body<const FUSED: bool, const WIDE: bool>(
    coefficients: &[f64],
    outputs: usize,
    width: usize,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    if WIDE {
        combine_tiles::<FUSED, LANES>(coefficients, outputs, width, inputs, stride, out);
    } else {
        combine_tiles::<FUSED, { LANES / 2 }>(coefficients, outputs, width, inputs, stride, out);
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
fn squared_norm_tiles<const FUSED: bool, const L: usize>(
    factor: &[f64],
    width: usize,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    let mut t = 0;
    while t < stride {
        let mut norm = [0.0; L];
        let mut j = 0;
        while j < width {
            let rows = &factor[j * width..];
            if j + TILE <= width {
                let sums = tile::<FUSED, TILE, L>(rows, width, inputs, stride, t, j + TILE);
                for sum in &sums {
                    for l in 0..L {
                        norm[l] = multiply_add::<FUSED>(sum[l], sum[l], norm[l]);
                    }
                }
                j += TILE;
            } else {
                let sums = tile::<FUSED, 1, L>(rows, width, inputs, stride, t, j + 1);
                for l in 0..L {
                    norm[l] = multiply_add::<FUSED>(sums[0][l], sums[0][l], norm[l]);
                }
                j += 1;
            }
        }
        out[t..t + L].copy_from_slice(&norm);
        t += L;
    }
}

#[inline(always)]
fn squared_norm_body<const FUSED: bool, const WIDE: bool>(
    factor: &[f64],
    width: usize,
    inputs: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    if WIDE {
        squared_norm_tiles::<FUSED, LANES>(factor, width, inputs, stride, out);
    } else {
        squared_norm_tiles::<FUSED, { LANES / 2 }>(factor, width, inputs, stride, out);
    }
}
dispatch! {
    /// `out = |factor · x|²` of every row, `factor` lower triangular (zeros above stored).
    pub fn squared_norm(factor: &[f64], width: usize, inputs: &[f64], stride: usize, out: &mut [f64])
        = squared_norm_body
}

/// An `R × C` tile of sums over rows of left times right, `L` partial sums an entry.
#[inline(always)]
fn gram_tile<const FUSED: bool, const R: usize, const C: usize, const L: usize>(
    left: &[f64],
    right: &[f64],
    stride: usize,
) -> [[f64; C]; R] {
    let mut sums = [[[0.0; L]; C]; R];
    let mut t = 0;
    while t < stride {
        for r in 0..R {
            let a: &[f64; L] = left[r * stride + t..r * stride + t + L]
                .try_into()
                .expect("L rows");
            for c in 0..C {
                let b: &[f64; L] = right[c * stride + t..c * stride + t + L]
                    .try_into()
                    .expect("L rows");
                for l in 0..L {
                    sums[r][c][l] = multiply_add::<FUSED>(a[l], b[l], sums[r][c][l]);
                }
            }
        }
        t += L;
    }
    let mut out = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            out[r][c] = total(&sums[r][c]);
        }
    }
    out
}

/// Sum in a fixed tree, whatever the registers.
#[inline(always)]
fn total<const L: usize>(parts: &[f64; L]) -> f64 {
    let mut work = *parts;
    let mut half = L / 2;
    while half > 0 {
        for l in 0..half {
            work[l] += work[l + half];
        }
        half /= 2;
    }
    work[0]
}

#[inline(always)]
fn add_tile<const R: usize, const C: usize>(
    sums: &[[f64; C]; R],
    i: usize,
    j: usize,
    columns: usize,
    out: &mut [f64],
) {
    for (r, row) in sums.iter().enumerate() {
        for (c, &sum) in row.iter().enumerate() {
            out[(i + r) * columns + j + c] += sum;
        }
    }
}

#[inline(always)]
fn gram_tiles<const FUSED: bool, const R: usize, const L: usize>(
    left: &[f64],
    rows: usize,
    right: &[f64],
    columns: usize,
    stride: usize,
    lower: bool,
    out: &mut [f64],
) {
    let mut i = 0;
    while i < rows {
        let tall = i + R <= rows;
        let height = if tall { R } else { 1 };
        let end = if lower {
            (i + height).min(columns)
        } else {
            columns
        };
        let l = &left[i * stride..];
        let mut j = 0;
        while j < end {
            let r = &right[j * stride..];
            let broad = j + TILE <= columns;
            match (tall, broad) {
                (true, true) => {
                    add_tile(
                        &gram_tile::<FUSED, R, TILE, L>(l, r, stride),
                        i,
                        j,
                        columns,
                        out,
                    );
                }
                (true, false) => {
                    add_tile(
                        &gram_tile::<FUSED, R, 1, L>(l, r, stride),
                        i,
                        j,
                        columns,
                        out,
                    );
                }
                (false, true) => {
                    add_tile(
                        &gram_tile::<FUSED, 1, TILE, L>(l, r, stride),
                        i,
                        j,
                        columns,
                        out,
                    );
                }
                (false, false) => {
                    add_tile(
                        &gram_tile::<FUSED, 1, 1, L>(l, r, stride),
                        i,
                        j,
                        columns,
                        out,
                    );
                }
            }
            j += if broad { TILE } else { 1 };
        }
        i += height;
    }
}

#[inline(always)]
fn gram_body<const FUSED: bool, const WIDE: bool>(
    left: &[f64],
    rows: usize,
    right: &[f64],
    columns: usize,
    stride: usize,
    lower: bool,
    out: &mut [f64],
) {
    if WIDE {
        gram_tiles::<FUSED, TILE, 8>(left, rows, right, columns, stride, lower, out);
    } else {
        gram_tiles::<FUSED, 2, 4>(left, rows, right, columns, stride, lower, out);
    }
}
dispatch! {
    /// `out += Σ_t left[·, t] right[·, t]ᵀ`, row-major `rows × columns`; with `lower` the
    /// entries on and below the diagonal are right and those above are not to be read.
    pub fn gram(
        left: &[f64],
        rows: usize,
        right: &[f64],
        columns: usize,
        stride: usize,
        lower: bool,
        out: &mut [f64],
    ) = gram_body
}

#[inline(always)]
fn weighted_body<const FUSED: bool, const WIDE: bool>(
    inputs: &[f64],
    features: usize,
    weights: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    for f in 0..features {
        let run = &inputs[f * stride..(f + 1) * stride];
        for ((o, &x), &w) in out[f * stride..(f + 1) * stride]
            .iter_mut()
            .zip(run)
            .zip(&weights[..stride])
        {
            *o = x * w;
        }
    }
}
dispatch! {
    /// Every feature times the weight of its row.
    pub fn weighted(inputs: &[f64], features: usize, weights: &[f64], stride: usize, out: &mut [f64])
        = weighted_body
}

#[inline(always)]
fn centred_body<const FUSED: bool, const WIDE: bool>(
    inputs: &[f64],
    centre: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    for (f, &c) in centre.iter().enumerate() {
        let run = &inputs[f * stride..(f + 1) * stride];
        for (o, &x) in out[f * stride..(f + 1) * stride].iter_mut().zip(run) {
            *o = x - c;
        }
    }
}
dispatch! {
    /// Every feature less its centre.
    pub fn centred(inputs: &[f64], centre: &[f64], stride: usize, out: &mut [f64]) = centred_body
}

#[inline(always)]
fn sums_body<const FUSED: bool, const WIDE: bool>(
    inputs: &[f64],
    features: usize,
    stride: usize,
    out: &mut [f64],
) {
    for f in 0..features {
        let mut parts = [0.0; 8];
        for chunk in inputs[f * stride..(f + 1) * stride].chunks_exact(8) {
            for l in 0..8 {
                parts[l] += chunk[l];
            }
        }
        out[f] += total(&parts);
    }
}
dispatch! {
    /// `out[f] +=` the sum of feature `f` over the rows.
    pub fn sums(inputs: &[f64], features: usize, stride: usize, out: &mut [f64]) = sums_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(n: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-3.0..3.0_f64, n)
    }

    proptest! {
        #[test]
        fn products_agree_with_plain_loops(
            (p, q, a, x) in (1..11_usize, 1..11_usize).prop_flat_map(|(p, q)| {
                (Just(p), Just(q), numbers(p * q), numbers(q * 32))
            })
        ) {
            let stride = 32;
            let mut out = vec![0.0; p * stride];
            combine(&a, p, q, &x, stride, &mut out);
            for j in 0..p {
                for t in 0..stride {
                    let exact: f64 = (0..q).map(|i| a[j * q + i] * x[i * stride + t]).sum();
                    prop_assert!((out[j * stride + t] - exact).abs() < 1e-12);
                }
            }
            let mut cross = vec![0.0; p * q];
            gram(&out, p, &x, q, stride, false, &mut cross);
            for i in 0..p {
                for j in 0..q {
                    let exact: f64 =
                        (0..stride).map(|t| out[i * stride + t] * x[j * stride + t]).sum();
                    prop_assert!((cross[i * q + j] - exact).abs() < 1e-9);
                }
            }
            let mut square = vec![0.0; q * q];
            gram(&x, q, &x, q, stride, true, &mut square);
            for i in 0..q {
                for j in 0..=i {
                    let exact: f64 =
                        (0..stride).map(|t| x[i * stride + t] * x[j * stride + t]).sum();
                    prop_assert!((square[i * q + j] - exact).abs() < 1e-10);
                }
            }
        }

        #[test]
        fn triangular_norms_agree_with_plain_loops(
            (q, a, x) in (1..11_usize).prop_flat_map(|q| (Just(q), numbers(q * q), numbers(q * 16)))
        ) {
            let mut factor = a;
            for i in 0..q {
                for j in i + 1..q {
                    factor[i * q + j] = 0.0;
                }
            }
            let mut out = vec![0.0; 16];
            squared_norm(&factor, q, &x, 16, &mut out);
            for (t, norm) in out.iter().enumerate() {
                let exact: f64 = (0..q)
                    .map(|i| (0..q).map(|j| factor[i * q + j] * x[j * 16 + t]).sum::<f64>().powi(2))
                    .sum();
                prop_assert!((norm - exact).abs() < 1e-10);
            }
        }
    }
}
