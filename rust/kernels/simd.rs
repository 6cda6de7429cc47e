//! Exponentials, logarithms, sines and cosines of many numbers at once.

use crate::kernels::lanes::{Lanes, ROUND, dispatch};

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Of `(e^r − 1 − r) / r²`, lowest first: the error of `e^r` is below 4e-18 where
/// |r| <= ln 2 / 2 (Remez's algorithm, relative error).
const EXP: [f64; 10] = [
    0.500_000_000_000_001_1,
    0.166_666_666_666_664_13,
    0.041_666_666_666_530_155,
    0.008_333_333_333_494_461,
    0.001_388_888_894_363_011_4,
    0.000_198_412_695_065_786_88,
    2.480_149_309_890_655e-5,
    2.755_758_637_384_016_5e-6,
    2.763_024_837_921_144e-7,
    2.500_006_160_283_566_6e-8,
];

/// `e^x` without a branch, to about one unit in the last place. Below -745.2 zero, at
/// NaN NaN; above 709 it saturates, which log-space callers never meet.
#[inline(always)]
pub(crate) fn exp<V: Lanes>(x: V) -> V {
    let x = V::splat(-746.0).larger(x);
    let x = V::splat(709.0).smaller(x);
    let round = V::splat(ROUND);
    let whole = x
        .multiply_add(V::splat(std::f64::consts::LOG2_E), round)
        .minus(round);
    let r = whole.multiply_add(V::splat(-LN2_HIGH), x);
    let r = whole.multiply_add(V::splat(-LN2_LOW), r);
    // even and odd powers apart: two short chains in place of one long one
    let square = r.times(r);
    let (mut even, mut odd) = (V::splat(EXP[8]), V::splat(EXP[9]));
    for i in [6, 4, 2, 0] {
        even = even.multiply_add(square, V::splat(EXP[i]));
        odd = odd.multiply_add(square, V::splat(EXP[i + 1]));
    }
    let curved = odd.multiply_add(r, even).multiply_add(square, r);
    curved.plus(V::splat(1.0)).scaled(whole)
}

#[inline(always)]
fn exp_slice_body<V: Lanes>(values: &mut [f64]) {
    let mut chunks = values.chunks_exact_mut(V::N);
    for chunk in &mut chunks {
        exp(V::read(chunk)).write(chunk);
    }
    let rest = chunks.into_remainder();
    let mut last = [0.0; 8];
    last[..rest.len()].copy_from_slice(rest);
    exp(V::read(&last)).write(&mut last);
    rest.copy_from_slice(&last[..rest.len()]);
}
dispatch! {
    /// `e^x` of every entry, in place.
    pub fn exp_slice(values: &mut [f64]) = exp_slice_body
}

/// Of `log((1 + s) / (1 − s)) / s − 2` in `s²`, lowest first (FreeBSD's msun, `e_log.c`).
const LN: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

/// The logarithm of a finite number not below `√½`, to one unit in the last place; NaN stays.
#[inline(always)]
fn ln<V: Lanes>(x: f64) -> f64 {
    // x = 2^whole (1 + f) with 1 + f between √½ and √2
    let above = x
        .to_bits()
        .wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let whole = f64::from_bits((above >> 52) + ROUND.to_bits()) - ROUND;
    let f = f64::from_bits(x.to_bits().wrapping_sub(above & (0xfff << 52))) - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let mut p = LN[6];
    for &c in LN[..6].iter().rev() {
        p = if V::FUSED {
            p.mul_add(square, c)
        } else {
            p * square + c
        };
    }
    let half = 0.5 * f * f;
    let small = s * (half + square * p) + whole * LN2_LOW;
    let log = whole * LN2_HIGH - ((half - small) - f);
    if x.is_nan() { x } else { log }
}

/// π/2 in parts: the products of the first two with whole numbers below 2^20 are exact.
const HALF_PI: [f64; 3] = [
    1.570_796_326_734_125_6,
    6.077_100_506_303_966e-11,
    2.022_266_248_795_950_6e-21,
];
/// Beyond this the parts are not enough.
const LARGEST_ANGLE: f64 = 8e5;

/// Of `sin` and `cos` up to π/4, in the square, lowest first (FreeBSD's msun, `k_sin.c` and
/// `k_cos.c`).
const SIN: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_3e-8,
    1.589_690_995_211_55e-10,
];
const COS: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// `c[0] + c[1] z + …`
#[inline(always)]
fn polynomial<V: Lanes>(c: &[f64], z: V) -> V {
    let mut p = V::splat(c[c.len() - 1]);
    for &c in c[..c.len() - 1].iter().rev() {
        p = p.multiply_add(z, V::splat(c));
    }
    p
}

/// Sines and cosines of angles up to [`LARGEST_ANGLE`], to one unit in the last place.
#[inline(always)]
fn sin_cos<V: Lanes>(x: V) -> (V, V) {
    let (one, half, round) = (V::splat(1.0), V::splat(0.5), V::splat(ROUND));
    let turns = x
        .multiply_add(V::splat(std::f64::consts::FRAC_2_PI), round)
        .minus(round);
    // the remainder in two parts
    let first = x.minus(turns.times(V::splat(HALF_PI[0])));
    let next = turns.times(V::splat(HALF_PI[1]));
    let top = first.minus(next);
    let lost = first.minus(top).minus(next);
    let rest = lost.minus(turns.times(V::splat(HALF_PI[2])));
    let r = top.plus(rest);
    let low = top.minus(r).plus(rest);
    let z = r.times(r);
    let cube = z.times(r);
    let tail = half.times(low).minus(cube.times(polynomial(&SIN[1..], z)));
    let sine = r.minus(z.times(tail).minus(low).minus(cube.times(V::splat(SIN[0]))));
    let halved = half.times(z);
    let near = one.minus(halved);
    let tail = z.times(z).times(polynomial(&COS, z)).minus(r.times(low));
    let cosine = near.plus(one.minus(near).minus(halved).plus(tail));
    // quarter turns: exchanged when odd, signs from the halves; floors of halves of integers
    let quarter = V::splat(-0.25);
    let halves = turns.multiply_add(half, quarter).plus(round).minus(round);
    let odd = turns.minus(halves.plus(halves));
    let pairs = halves.multiply_add(half, quarter).plus(round).minus(round);
    let odd_half = halves.minus(pairs.plus(pairs));
    let even = one.minus(odd);
    let sign = one.minus(odd_half.plus(odd_half));
    let exchange = sign.times(even.minus(odd));
    (
        sign.times(even.times(sine).plus(odd.times(cosine))),
        exchange.times(even.times(cosine).plus(odd.times(sine))),
    )
}

#[inline(always)]
fn sin_cos_slice_body<V: Lanes>(angles: &[f64], sines: &mut [f64], cosines: &mut [f64]) {
    assert!(angles.len().is_multiple_of(8));
    assert!(sines.len() == angles.len() && cosines.len() == angles.len());
    let results = sines
        .chunks_exact_mut(V::N)
        .zip(cosines.chunks_exact_mut(V::N));
    for (x, (s, c)) in angles.chunks_exact(V::N).zip(results) {
        let (sine, cosine) = sin_cos(V::read(x));
        sine.write(s);
        cosine.write(c);
        if x.iter()
            .fold(false, |far, x| far | (x.abs() > LARGEST_ANGLE))
        {
            for ((&x, s), c) in x.iter().zip(s).zip(c) {
                (*s, *c) = x.sin_cos();
            }
        }
    }
}
dispatch! {
    /// The sine and the cosine of every angle, a multiple of eight of them.
    pub fn sin_cos_slice(angles: &[f64], sines: &mut [f64], cosines: &mut [f64])
        = sin_cos_slice_body
}

/// Rows whose sums wait in one small buffer.
const CHUNK: usize = 64;

#[inline(always)]
fn softmax_body<V: Lanes>(logits: &mut [f64], shifts: &[f64], stride: usize, out: &mut [f64]) {
    assert!(stride.is_multiple_of(8) && logits.len() >= shifts.len() * stride);
    let mut sums = [0.0; CHUNK];
    for (chunk, out) in out[..stride].chunks_mut(CHUNK).enumerate() {
        let start = chunk * CHUNK;
        let sums = &mut sums[..out.len()];
        for t in (0..out.len()).step_by(V::N) {
            let mut top = V::splat(f64::NEG_INFINITY);
            for (k, &shift) in shifts.iter().enumerate() {
                // SAFETY: the first V::N of the rows from start + t of run k; stride and
                // chunks are multiples of eight, so these are within the run. So below.
                let l = unsafe { V::load(logits.as_ptr().add(k * stride + start + t)) };
                top = l.plus(V::splat(shift)).larger(top);
            }
            // a row of -inf alone stays -inf with even shares, not NaN
            let lowest = V::splat(f64::MIN);
            let finite = lowest.larger(top);
            let mut sum = V::splat(0.0);
            for (k, &shift) in shifts.iter().enumerate() {
                // SAFETY: as above.
                unsafe {
                    let place = logits.as_mut_ptr().add(k * stride + start + t);
                    let l = lowest.larger(V::load(place).plus(V::splat(shift)));
                    let e = exp(l.minus(finite));
                    sum = sum.plus(e);
                    e.store(place);
                }
            }
            // SAFETY: both are as long as the chunk.
            unsafe {
                top.store(out.as_mut_ptr().add(t));
                sum.store(sums.as_mut_ptr().add(t));
            }
        }
        for (o, s) in out.iter_mut().zip(sums.iter_mut()) {
            *o += ln::<V>(*s);
            *s = 1.0 / *s;
        }
        for k in 0..shifts.len() {
            let run = &mut logits[k * stride + start..k * stride + start + out.len()];
            for (share, &s) in run.iter_mut().zip(sums.iter()) {
                *share *= s;
            }
        }
    }
}
dispatch! {
    /// Turn runs of `stride` logits, each plus its shift, into shares that sum to one over
    /// the runs; `out` gets the logarithm of the sum of the exponentials. Strides are
    /// multiples of eight.
    pub fn softmax(logits: &mut [f64], shifts: &[f64], stride: usize, out: &mut [f64])
        = softmax_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes::in_every_width;
    use proptest::prelude::*;

    /// Distance in units in the last place of the exact value.
    fn units(value: f64, exact: f64) -> f64 {
        (value - exact).abs() / (exact.abs() * f64::EPSILON).max(5e-324)
    }

    fn exp_holds<V: Lanes>(x: f64, n: usize) -> Result<(), TestCaseError> {
        let mut values = vec![x; n];
        exp_slice_body::<V>(&mut values);
        prop_assert!(
            units(values[0], x.exp()) <= 1.0,
            "{x}: {} {}",
            values[0],
            x.exp()
        );
        // in whole registers and in the remainder alike
        prop_assert!(values.iter().all(|v| *v == values[0]));
        Ok(())
    }

    fn angles_hold<V: Lanes>(angles: &[f64]) -> Result<(), TestCaseError> {
        let (mut sines, mut cosines) = (vec![f64::NAN; 16], vec![f64::NAN; 16]);
        sin_cos_slice_body::<V>(angles, &mut sines, &mut cosines);
        for (i, x) in angles.iter().enumerate() {
            prop_assert!(units(sines[i], x.sin()) <= 1.0, "{x}: {}", sines[i]);
            prop_assert!(units(cosines[i], x.cos()) <= 1.0, "{x}: {}", cosines[i]);
        }
        Ok(())
    }

    fn ln_holds<V: Lanes>(x: f64) -> Result<(), TestCaseError> {
        prop_assert!(
            units(ln::<V>(x), x.ln()) <= 1.0,
            "{x}: {} {}",
            ln::<V>(x),
            x.ln()
        );
        Ok(())
    }

    fn shares_hold<V: Lanes>(logits: &[f64], shifts: &[f64]) -> Result<(), TestCaseError> {
        let (k, stride) = (shifts.len(), logits.len() / shifts.len());
        let mut shares = logits.to_vec();
        let mut log_sum = vec![f64::NAN; stride];
        softmax_body::<V>(&mut shares, shifts, stride, &mut log_sum);
        for t in 0..stride {
            let column: Vec<f64> = (0..k).map(|j| logits[j * stride + t] + shifts[j]).collect();
            let top = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let expected = top + column.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
            prop_assert!((log_sum[t] - expected).abs() <= 1e-13 * expected.abs().max(1.0));
            for j in 0..k {
                let exact = (column[j] - expected).exp();
                prop_assert!((shares[j * stride + t] - exact).abs() <= 1e-12 * exact + 1e-300);
            }
            let total: f64 = (0..k).map(|j| shares[j * stride + t]).sum();
            prop_assert!((total - 1.0).abs() < 1e-14);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn exp_agrees_with_the_standard_library(x in -745.0..1.0_f64, n in 1..20_usize) {
            in_every_width!(exp_holds(x, n));
        }

        #[test]
        fn ln_agrees_with_the_standard_library(x in 0.71..1e6_f64, close in 0.71..3.0_f64) {
            in_every_width!(ln_holds(x));
            in_every_width!(ln_holds(close));
            in_every_width!(ln_holds(1.0 + close * 1e-9));
        }

        #[test]
        fn angles_agree_with_the_standard_library(
            near in prop::array::uniform4(-7.0..7.0_f64),
            far in prop::array::uniform4(-2e6..2e6_f64),
            turns in prop::array::uniform8(-500_000..500_000_i32),
        ) {
            let mut angles = [near, far].concat();
            // where a sine or a cosine all but vanishes
            angles.extend(turns.map(|k| f64::from(k) * std::f64::consts::FRAC_PI_2));
            in_every_width!(angles_hold(&angles));
        }

        #[test]
        fn shares_sum_to_one(
            (logits, shifts) in (1..20_usize).prop_flat_map(|k| {
                // strides of more than a chunk
                let logits = prop::collection::vec(-800.0..800.0_f64, k * 80);
                (logits, prop::collection::vec(-700.0..0.0_f64, k))
            })
        ) {
            in_every_width!(shares_hold(&logits, &shifts));
        }
    }

    fn ends_hold<V: Lanes>() -> Result<(), TestCaseError> {
        let mut values = [f64::NEG_INFINITY, -746.0, 0.0, -1e300, f64::NAN];
        exp_slice_body::<V>(&mut values);
        prop_assert_eq!(&values[..4], &[0.0, 0.0, 1.0, 0.0]);
        prop_assert!(values[4].is_nan());
        exp_slice_body::<V>(&mut []);
        prop_assert_eq!(ln::<V>(1.0), 0.0);
        prop_assert!(ln::<V>(f64::NAN).is_nan());
        Ok(())
    }

    fn odd_rows_hold<V: Lanes>() -> Result<(), TestCaseError> {
        let mut logits = vec![f64::NEG_INFINITY; 32];
        logits[3] = -1.0;
        logits[5] = f64::NAN;
        let mut out = vec![0.0; 16];
        softmax_body::<V>(&mut logits, &[0.0, -3.0], 16, &mut out);
        for t in 0..16 {
            match t {
                3 => prop_assert_eq!((out[t], logits[t], logits[16 + t]), (-1.0, 1.0, 0.0)),
                5 => prop_assert!(out[t].is_nan() && logits[t].is_nan() && logits[16 + t].is_nan()),
                // impossible under all: shared evenly
                _ => prop_assert_eq!((out[t], logits[t]), (f64::NEG_INFINITY, 0.5)),
            }
        }
        Ok(())
    }

    #[test]
    fn ends_and_odd_rows() -> Result<(), TestCaseError> {
        in_every_width!(ends_hold());
        in_every_width!(odd_rows_hold());
        Ok(())
    }
}
