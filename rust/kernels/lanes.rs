//! The registers that loops run in: 512, 256 or 128 bits, chosen at run time.
//!
//! A loop has one body, `#[inline(always)]` and generic over [`Lanes`]; `dispatch!` makes
//! a function that runs it in the widest registers at hand, so one wheel serves every
//! machine. Registers are named, not left to the optimiser, where a tile's sums must stay
//! in them: it gives up on arrays of arrays, at a tenth of the speed.

/// Some numbers in one register. Of the types with instructions beyond the baseline, only
/// functions that `dispatch!` made may have values: it has asked the processor.
pub trait Lanes: Copy {
    /// How many numbers.
    const N: usize;
    /// Whether [`Lanes::multiply_add`] rounds once.
    const FUSED: bool;
    /// Outputs of a product's tile of two registers each that leave some registers free.
    const TALL: usize;
    /// Rows and columns of a tile of sums over rows, likewise.
    const SIDE: usize;

    /// The same number everywhere.
    fn splat(x: f64) -> Self;

    /// The first [`Lanes::N`] numbers at a place.
    ///
    /// # Safety
    /// They must be there.
    unsafe fn load(from: *const f64) -> Self;

    /// Write to a place.
    ///
    /// # Safety
    /// There must be room for [`Lanes::N`] numbers.
    unsafe fn store(self, to: *mut f64);

    /// Sums.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// Differences.
    #[must_use]
    fn minus(self, other: Self) -> Self;

    /// Products.
    #[must_use]
    fn times(self, other: Self) -> Self;

    /// `self * b + c`.
    #[must_use]
    fn multiply_add(self, b: Self, c: Self) -> Self;

    /// The larger number; the other where either is NaN.
    #[must_use]
    fn larger(self, other: Self) -> Self;

    /// The smaller number; the other where either is NaN.
    #[must_use]
    fn smaller(self, other: Self) -> Self;

    /// Square roots.
    #[must_use]
    fn square_root(self) -> Self;

    /// Times two to the power `whole`, integers from -1100 to 1023.
    #[must_use]
    fn scaled(self, whole: Self) -> Self;

    /// The sum of all.
    fn total(self) -> f64;

    /// The first [`Lanes::N`] numbers of a slice.
    ///
    /// # Panics
    /// When it has fewer.
    #[inline(always)]
    fn read(from: &[f64]) -> Self {
        assert!(from.len() >= Self::N);
        // SAFETY: just checked.
        unsafe { Self::load(from.as_ptr()) }
    }

    /// Write to the start of a slice.
    ///
    /// # Panics
    /// When it has no room.
    #[inline(always)]
    fn write(self, to: &mut [f64]) {
        assert!(to.len() >= Self::N);
        // SAFETY: just checked.
        unsafe { self.store(to.as_mut_ptr()) }
    }
}

/// Adding this rounds to the nearest integer and leaves it in the low bits.
pub const ROUND: f64 = 6_755_399_441_055_744.0;

/// `x * 2^whole` in two factors, so that results below the smallest normal number round once.
#[inline(always)]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)] // bit patterns of floats
fn scaled(x: f64, whole: f64) -> f64 {
    let exponent = (whole + ROUND).to_bits() as i64 - ROUND.to_bits() as i64;
    let half = exponent >> 1;
    let first = f64::from_bits(((half + 1023) << 52) as u64);
    let second = f64::from_bits(((exponent - half + 1023) << 52) as u64);
    x * first * second
}

/// Registers of the baseline processor, which has them everywhere; `F`: whether it fuses.
#[derive(Clone, Copy)]
pub struct Pair<const F: bool>([f64; 2]);

impl<const F: bool> Lanes for Pair<F> {
    const N: usize = 2;
    const FUSED: bool = F;
    const TALL: usize = if F { 8 } else { 4 };
    const SIDE: usize = if F { 4 } else { 3 };

    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; 2])
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller's promise; f64 allows any place that is a multiple of eight.
        Self(unsafe { [*from, *from.add(1)] })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller's promise.
        unsafe {
            *to = self.0[0];
            *to.add(1) = self.0[1];
        }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self([self.0[0] + other.0[0], self.0[1] + other.0[1]])
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self([self.0[0] - other.0[0], self.0[1] - other.0[1]])
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Self([self.0[0] * other.0[0], self.0[1] * other.0[1]])
    }

    #[inline(always)]
    fn multiply_add(self, b: Self, c: Self) -> Self {
        if F {
            Self([
                self.0[0].mul_add(b.0[0], c.0[0]),
                self.0[1].mul_add(b.0[1], c.0[1]),
            ])
        } else {
            // without the instruction mul_add would call a function
            self.times(b).plus(c)
        }
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        let [a, b] = self.0;
        let [c, d] = other.0;
        Self([if a > c { a } else { c }, if b > d { b } else { d }])
    }

    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        let [a, b] = self.0;
        let [c, d] = other.0;
        Self([if a < c { a } else { c }, if b < d { b } else { d }])
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        Self([self.0[0].sqrt(), self.0[1].sqrt()])
    }

    #[inline(always)]
    fn scaled(self, whole: Self) -> Self {
        Self([scaled(self.0[0], whole.0[0]), scaled(self.0[1], whole.0[1])])
    }

    #[inline(always)]
    fn total(self) -> f64 {
        self.0[0] + self.0[1]
    }
}

#[cfg(target_arch = "x86_64")]
pub use wide::{Eight, Four};

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m256d, __m512d, _mm_add_pd, _mm_add_sd, _mm_cvtsd_f64, _mm_unpackhi_pd, _mm256_add_epi64,
        _mm256_add_pd, _mm256_castpd_si256, _mm256_castpd256_pd128, _mm256_castsi256_pd,
        _mm256_extractf128_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_max_pd, _mm256_min_pd,
        _mm256_mul_pd, _mm256_set1_epi64x, _mm256_set1_pd, _mm256_slli_epi64, _mm256_sqrt_pd,
        _mm256_storeu_pd, _mm256_sub_pd, _mm512_add_pd, _mm512_castpd512_pd256,
        _mm512_extractf64x4_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_max_pd, _mm512_min_pd,
        _mm512_mul_pd, _mm512_scalef_pd, _mm512_set1_pd, _mm512_sqrt_pd, _mm512_storeu_pd,
        _mm512_sub_pd,
    };

    use super::{Lanes, ROUND};

    /// 256-bit registers, sixteen of them.
    #[derive(Clone, Copy)]
    pub struct Four(__m256d);

    impl Four {
        /// Two to the power of integers from -1022 to 1023.
        #[inline(always)]
        fn power_of_two(self) -> Self {
            // SAFETY: as below. Adding ROUND leaves an integer in the low bits.
            unsafe {
                let bits = _mm256_castpd_si256(self.plus(Self::splat(ROUND)).0);
                let biased = _mm256_add_epi64(bits, _mm256_set1_epi64x(1023));
                Self(_mm256_castsi256_pd(_mm256_slli_epi64::<52>(biased)))
            }
        }
    }

    // SAFETY of every block here: `dispatch!` runs bodies with this type only after asking
    // for AVX2 and FMA; places are the callers' promise.
    impl Lanes for Four {
        const N: usize = 4;
        const FUSED: bool = true;
        const TALL: usize = 4;
        const SIDE: usize = 3;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            Self(unsafe { _mm256_set1_pd(x) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            Self(unsafe { _mm256_loadu_pd(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm256_storeu_pd(to, self.0) }
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn times(self, other: Self) -> Self {
            Self(unsafe { _mm256_mul_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn multiply_add(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm256_fmadd_pd(self.0, b.0, c.0) })
        }

        #[inline(always)]
        fn larger(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn smaller(self, other: Self) -> Self {
            Self(unsafe { _mm256_min_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn square_root(self) -> Self {
            Self(unsafe { _mm256_sqrt_pd(self.0) })
        }

        #[inline(always)]
        fn scaled(self, whole: Self) -> Self {
            // in two factors, as in `Pair`
            let round = Self::splat(ROUND);
            let half = whole.multiply_add(Self::splat(0.5), round).minus(round);
            let rest = whole.minus(half);
            self.times(half.power_of_two()).times(rest.power_of_two())
        }

        #[inline(always)]
        fn total(self) -> f64 {
            unsafe {
                let upper = _mm256_extractf128_pd::<1>(self.0);
                let two = _mm_add_pd(_mm256_castpd256_pd128(self.0), upper);
                _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
            }
        }
    }

    /// 512-bit registers, thirty-two of them.
    #[derive(Clone, Copy)]
    pub struct Eight(__m512d);

    // SAFETY of every block here: `dispatch!` runs bodies with this type only after asking
    // for AVX-512; places are the callers' promise.
    impl Lanes for Eight {
        const N: usize = 8;
        const FUSED: bool = true;
        const TALL: usize = 8;
        const SIDE: usize = 4;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            Self(unsafe { _mm512_set1_pd(x) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            Self(unsafe { _mm512_loadu_pd(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm512_storeu_pd(to, self.0) }
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            Self(unsafe { _mm512_sub_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn times(self, other: Self) -> Self {
            Self(unsafe { _mm512_mul_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn multiply_add(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm512_fmadd_pd(self.0, b.0, c.0) })
        }

        #[inline(always)]
        fn larger(self, other: Self) -> Self {
            Self(unsafe { _mm512_max_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn smaller(self, other: Self) -> Self {
            Self(unsafe { _mm512_min_pd(self.0, other.0) })
        }

        #[inline(always)]
        fn square_root(self) -> Self {
            Self(unsafe { _mm512_sqrt_pd(self.0) })
        }

        #[inline(always)]
        fn scaled(self, whole: Self) -> Self {
            Self(unsafe { _mm512_scalef_pd(self.0, whole.0) })
        }

        #[inline(always)]
        fn total(self) -> f64 {
            unsafe {
                let upper = _mm512_extractf64x4_pd::<1>(self.0);
                Four(_mm256_add_pd(_mm512_castpd512_pd256(self.0), upper)).total()
            }
        }
    }
}

/// Declare a function that runs `$body::<V>(args)` in the widest registers `V` at
/// hand.
macro_rules! dispatch {
    ($(#[$doc:meta])* $visible:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$doc])*
        // Reason for the lint: one argument for each matrix and its shape.
        #[allow(clippy::too_many_arguments)]
        $visible fn $name($($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn widest($($arg: $type),*) $(-> $ret)? {
                    $body::<$crate::kernels::lanes::Eight>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn wide($($arg: $type),*) $(-> $ret)? {
                    $body::<$crate::kernels::lanes::Four>($($arg),*)
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
            // every 64-bit ARM fuses
            $body::<$crate::kernels::lanes::Pair<{ cfg!(target_arch = "aarch64") }>>($($arg),*)
        }
    };
}
pub(crate) use dispatch;

/// `$check::<V>(args)?` for every kind of register that this processor has: the narrow ones
/// too, which `dispatch!` would not take here.
#[cfg(test)]
macro_rules! in_every_width {
    ($check:ident($($arg:expr),* $(,)?)) => {{
        use $crate::kernels::lanes;
        $check::<lanes::Pair<false>>($($arg),*)?;
        $check::<lanes::Pair<true>>($($arg),*)?;
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                $check::<lanes::Four>($($arg),*)?;
            }
            if std::arch::is_x86_feature_detected!("avx512f") {
                $check::<lanes::Eight>($($arg),*)?;
            }
        }
    }};
}
#[cfg(test)]
pub(crate) use in_every_width;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arithmetic_holds<V: Lanes>(
        a: [f64; 8],
        b: [f64; 8],
        whole: i32,
    ) -> Result<(), TestCaseError> {
        let (x, y) = (V::read(&a), V::read(&b));
        let each = |v: V| {
            let mut out = [f64::NAN; 8];
            v.write(&mut out);
            out
        };
        let results = [
            (each(x.plus(y)), (|a, b| a + b) as fn(f64, f64) -> f64),
            (each(x.minus(y)), |a, b| a - b),
            (each(x.times(y)), |a, b| a * b),
            (each(x.larger(y)), f64::max),
            (each(x.smaller(y)), f64::min),
        ];
        for (result, exact) in results {
            for i in 0..V::N {
                prop_assert!(result[i] == exact(a[i], b[i]));
            }
            // no more is written
            prop_assert!(result[V::N..].iter().all(|r| r.is_nan()));
        }
        let fused = each(x.multiply_add(y, x));
        let roots = each(x.times(x).square_root());
        let scaled = each(x.scaled(V::splat(f64::from(whole))));
        for i in 0..V::N {
            let exact = if V::FUSED {
                a[i].mul_add(b[i], a[i])
            } else {
                a[i] * b[i] + a[i]
            };
            prop_assert!(fused[i] == exact);
            prop_assert!(roots[i] == (a[i] * a[i]).sqrt());
            // two steps, each of which a power of two can take
            let exact = a[i] * 2.0_f64.powi(whole / 2) * 2.0_f64.powi(whole - whole / 2);
            prop_assert!((scaled[i] - exact).abs() <= 5e-324, "{} {exact}", scaled[i]);
        }
        let exact: f64 = a[..V::N].iter().sum();
        prop_assert!((x.total() - exact).abs() < 1e-14);
        Ok(())
    }

    proptest! {
        #[test]
        fn registers_do_as_numbers(
            a in prop::array::uniform8(-2.0..2.0_f64),
            b in prop::array::uniform8(-2.0..2.0_f64),
            whole in -1090..1000_i32,
        ) {
            in_every_width!(arithmetic_holds(a, b, whole));
        }
    }

    fn not_a_number_is_passed_over<V: Lanes>() -> Result<(), TestCaseError> {
        let mut out = [0.0; 8];
        V::splat(f64::NAN).larger(V::splat(1.0)).write(&mut out);
        prop_assert!(out[0] == 1.0);
        V::splat(1.0).smaller(V::splat(f64::NAN)).write(&mut out);
        prop_assert!(out[0].is_nan());
        Ok(())
    }

    #[test]
    fn the_other_where_either_is_not_a_number() -> Result<(), TestCaseError> {
        in_every_width!(not_a_number_is_passed_over());
        Ok(())
    }
}
