//! Loops compiled once for the baseline processor and once more for wider ones.
//!
//! Each entry has one body, `#[inline(always)]` and generic over whether fused
//! multiply-add exists; the clones differ only in the instructions they may use. The
//! choice is made at run time, so one wheel serves every machine.

/// `a * b + c`, fused where the processor can (a call into libm where it can not
/// would be many times slower than rounding twice).
#[inline(always)]
pub fn multiply_add<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Declare `pub fn $name(args)` that runs `$body::<FUSED, WIDE>(args)` with the widest
/// instructions at hand. `WIDE` is true where 512-bit registers are.
#[macro_export]
macro_rules! dispatch {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$doc])*
        // Reason for the lint: one argument for each matrix and its shape.
        #[allow(clippy::too_many_arguments)]
        pub fn $name($($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn widest($($arg: $type),*) $(-> $ret)? {
                    $body::<true, true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn wide($($arg: $type),*) $(-> $ret)? {
                    $body::<true, false>($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("fma")
                {
                    // SAFETY: the processor has these features, just asked.
                    return unsafe { widest($($arg),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                {
                    // SAFETY: the processor has these features, just asked.
                    return unsafe { wide($($arg),*) };
                }
            }
            #[cfg(target_arch = "aarch64")]
            {
                // Every 64-bit ARM fuses.
                return $body::<true, false>($($arg),*);
            }
            #[allow(unreachable_code)]
            $body::<false, false>($($arg),*)
        }
    };
}

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Adding this rounds to the nearest integer and leaves it in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Taylor coefficients of `e^r`, highest first: at |r| <= ln 2 / 2 the remainder is
/// below 5e-18.
const EXP: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `e^x` without a branch, to about one unit in the last place. Below -745.2 zero, at
/// NaN NaN; above 709 it saturates, which log-space callers never meet.
#[inline(always)]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)] // bit patterns of floats
pub fn exp<const FUSED: bool>(x: f64) -> f64 {
    let x = if x < -746.0 { -746.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let shifted = multiply_add::<FUSED>(x, std::f64::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = multiply_add::<FUSED>(whole, -LN2_HIGH, x);
    let r = multiply_add::<FUSED>(whole, -LN2_LOW, r);
    let mut p = EXP[0];
    for &c in &EXP[1..] {
        p = multiply_add::<FUSED>(p, r, c);
    }
    // 2^whole in two factors, so that results below the smallest normal number round once
    let exponent = shifted.to_bits() as i64 - ROUND.to_bits() as i64;
    let half = exponent >> 1;
    let first = f64::from_bits(((half + 1023) << 52) as u64);
    let second = f64::from_bits(((exponent - half + 1023) << 52) as u64);
    p * first * second
}

#[inline(always)]
fn exp_slice_body<const FUSED: bool, const WIDE: bool>(values: &mut [f64]) {
    for value in values {
        *value = exp::<FUSED>(*value);
    }
}
dispatch! {
    /// `e^x` of every entry, in place.
    pub fn exp_slice(values: &mut [f64]) = exp_slice_body
}

#[inline(always)]
fn softmax_body<const FUSED: bool, const WIDE: bool>(
    logits: &mut [f64],
    count: usize,
    stride: usize,
    out: &mut [f64],
) {
    let out = &mut out[..stride];
    out.fill(f64::NEG_INFINITY);
    for k in 0..count {
        for (m, &l) in out.iter_mut().zip(&logits[k * stride..(k + 1) * stride]) {
            *m = if l > *m { l } else { *m };
        }
    }
    // a row of -inf alone stays -inf with even shares, not NaN
    let mut sum = vec![0.0; stride];
    for k in 0..count {
        let row = &mut logits[k * stride..(k + 1) * stride];
        for ((l, &m), s) in row.iter_mut().zip(out.iter()).zip(sum.iter_mut()) {
            let shifted = *l - m;
            let e = exp::<FUSED>(if m == f64::NEG_INFINITY { 0.0 } else { shifted });
            *l = e;
            *s += e;
        }
    }
    for (m, s) in out.iter_mut().zip(sum.iter_mut()) {
        *m += s.ln();
        *s = 1.0 / *s;
    }
    for k in 0..count {
        let row = &mut logits[k * stride..(k + 1) * stride];
        for (l, &s) in row.iter_mut().zip(sum.iter()) {
            *l *= s;
        }
    }
}
dispatch! {
    /// Turn `count` runs of `stride` logits into shares that sum to one over the runs;
    /// `out` gets the logarithm of the sum of their exponentials.
    pub fn softmax(logits: &mut [f64], count: usize, stride: usize, out: &mut [f64]) = softmax_body
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exp_agrees_with_the_standard_library(x in -745.0..1.0_f64) {
            let mut values = [x; 3];
            exp_slice(&mut values);
            let exact = x.exp();
            let unit = (exact * f64::EPSILON).max(5e-324);
            prop_assert!((values[0] - exact).abs() <= unit, "{x}: {} {exact}", values[0]);
            prop_assert!(values[0] == values[1] && values[1] == values[2]);
        }

        #[test]
        fn shares_sum_to_one(logits in prop::collection::vec(-800.0..800.0_f64, 48)) {
            let mut shares = logits.clone();
            let mut log_sum = vec![0.0; 16];
            softmax(&mut shares, 3, 16, &mut log_sum);
            for t in 0..16 {
                let column = [logits[t], logits[16 + t], logits[32 + t]];
                let top = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let expected = top + column.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
                prop_assert!((log_sum[t] - expected).abs() <= 1e-13 * expected.abs().max(1.0));
                let total = shares[t] + shares[16 + t] + shares[32 + t];
                prop_assert!((total - 1.0).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn exp_at_its_ends() {
        let mut values = [f64::NEG_INFINITY, -746.0, 0.0, -1e300, f64::NAN];
        exp_slice(&mut values);
        assert_eq!(&values[..4], &[0.0, 0.0, 1.0, 0.0]);
        assert!(values[4].is_nan());
    }

    #[test]
    fn impossible_rows_share_evenly() {
        let mut logits = vec![f64::NEG_INFINITY; 32];
        let mut out = vec![0.0; 16];
        softmax(&mut logits, 2, 16, &mut out);
        assert!(out.iter().all(|v| *v == f64::NEG_INFINITY));
        assert!(logits.iter().all(|v| *v == 0.5));
    }
}
