//! Families whose log density is a product `s(x)·θ − ψ(θ)`: a statistic, and no more.

use std::sync::LazyLock;

use crate::kernels::error::{KernelError, require};
use crate::kernels::product::{combine, gram, sums as feature_sums};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::sin_cos_slice;
use crate::kernels::stack::{Stack, complement, large_counts};

/// What a column contributes to one statistic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transform {
    /// `x`
    Identity,
    /// `cos x`
    Cosine,
    /// `sin x`
    Sine,
    /// `log x`
    Log,
    /// `log (1 − x)`
    LogComplement,
    /// `1 / x`
    Reciprocal,
    /// `log x!`
    LogFactorial,
}

impl Transform {
    fn apply(self, column: &[f64], out: &mut [f64]) {
        let each = |f: fn(f64) -> f64, out: &mut [f64]| {
            for (o, &x) in out.iter_mut().zip(column) {
                *o = f(x);
            }
        };
        match self {
            Self::Identity => out.copy_from_slice(column),
            Self::Cosine => each(f64::cos, out),
            Self::Sine => each(f64::sin, out),
            Self::Log => each(f64::ln, out),
            Self::LogComplement => each(|x| (-x).ln_1p(), out),
            Self::Reciprocal => each(f64::recip, out),
            Self::LogFactorial => each(log_factorial, out),
        }
    }

    fn cost(self) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Reciprocal => 4.0,
            _ => 30.0,
        }
    }
}

/// The log base measure, a sum over columns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Base {
    /// The same number for every column; 0 for none.
    Constant(f64),
    /// `−log x!`
    Poisson,
    /// `log C(trials, x)`
    Binomial(f64),
    /// `log C(x + failures − 1, x)`
    NegativeBinomial(f64),
    /// `−log x`
    Reciprocal,
    /// `−log x − log (1 − x)`
    Beta,
    /// `−½ log (2π x³)`
    InverseGaussian,
}

impl Base {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Poisson => -log_factorial(x),
            Self::Binomial(n) => log_factorial(n) - log_factorial(x) - log_factorial(n - x),
            Self::NegativeBinomial(r) => libm::lgamma(x + r) - libm::lgamma(r) - log_factorial(x),
            Self::Reciprocal => -x.ln(),
            Self::Beta => -x.ln() - (-x).ln_1p(),
            Self::InverseGaussian => -0.5 * (2.0 * std::f64::consts::PI).ln() - 1.5 * x.ln(),
        }
    }
}

/// A sufficient statistic of `n` columns: what a family adds to the pass.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Statistic {
    /// Every transform of every column, grouped by transform; columns are independent.
    Columns {
        /// The transforms.
        transforms: &'static [Transform],
        /// The base measure.
        base: Base,
    },
    /// One-hot without category 0, of one column.
    Categorical {
        /// How many categories.
        n_categories: usize,
    },
    /// `(x, x_i x_j)` for `i > j`, of binary columns.
    Boltzmann,
    /// `log x − log Σ x`, of weights that sum to one; the log base measure is its negative sum.
    Simplex,
    /// `x / |x|`, of unit vectors.
    Sphere {
        /// Minus the log of the sphere's area.
        log_base_measure: f64,
    },
}

impl Statistic {
    /// The statistic of a family by its name; `parameter` is what the family knows (trials,
    /// failures, the log base measure of a sphere).
    pub fn named(family: &str, parameter: f64) -> Option<Self> {
        use Transform::{
            Cosine, Identity, Log, LogComplement, LogFactorial, Reciprocal as Inverse, Sine,
        };
        let columns = |transforms, base| Self::Columns { transforms, base };
        let none = Base::Constant(0.0);
        let circle = Base::Constant(-(2.0 * std::f64::consts::PI).ln());
        Some(match family {
            "bernoulli" | "exponential" | "geometric" => columns(&[Identity], none),
            "poisson" => columns(&[Identity], Base::Poisson),
            "binomial" => columns(&[Identity], Base::Binomial(parameter)),
            "negative_binomial" => columns(&[Identity], Base::NegativeBinomial(parameter)),
            "com_poisson" => columns(&[Identity, LogFactorial], none),
            "von_mises" => columns(&[Cosine, Sine], circle),
            "gamma" => columns(&[Log, Identity], Base::Reciprocal),
            "beta" => columns(&[Log, LogComplement], Base::Beta),
            "inverse_gaussian" => columns(&[Identity, Inverse], Base::InverseGaussian),
            "dirichlet" => Self::Simplex,
            "von_mises_fisher" => Self::Sphere {
                log_base_measure: parameter,
            },
            "boltzmann" => Self::Boltzmann,
            _ => return None,
        })
    }

    /// Length of the statistic of `n` columns.
    pub fn dimension(self, n: usize) -> usize {
        match self {
            Self::Columns { transforms, .. } => transforms.len() * n,
            Self::Categorical { n_categories } => n_categories - 1,
            Self::Boltzmann => n * (n + 1) / 2,
            Self::Simplex | Self::Sphere { .. } => n,
        }
    }

    /// Whether columns are independent, each with entries of its own, so that any may be missing.
    fn independent(self) -> bool {
        matches!(self, Self::Columns { .. } | Self::Categorical { .. })
    }

    fn is_poisson(self) -> bool {
        matches!(
            self,
            Self::Columns {
                base: Base::Poisson,
                ..
            }
        )
    }

    /// The entries of the statistic that column `f` of `n` fills.
    fn entries(self, f: usize, n: usize) -> Vec<usize> {
        match self {
            Self::Columns { transforms, .. } => (0..transforms.len()).map(|k| k * n + f).collect(),
            Self::Categorical { n_categories } => (0..n_categories - 1).collect(),
            Self::Boltzmann | Self::Simplex | Self::Sphere { .. } => Vec::new(),
        }
    }

    /// Operations to make one row's statistic, roughly.
    fn cost(self, n: usize) -> f64 {
        match self {
            Self::Columns { transforms, .. } => {
                n as f64 * transforms.iter().map(|t| t.cost()).sum::<f64>()
            }
            Self::Simplex => 30.0 * n as f64,
            _ => self.dimension(n) as f64,
        }
    }

    /// Every row's statistic, entry by entry.
    fn fill(self, rows: &Rows<'_>, out: &mut [f64]) {
        let (n, stride) = (rows.features, rows.stride);
        match self {
            Self::Columns {
                transforms: [Transform::Cosine, Transform::Sine],
                ..
            } => {
                let (cosines, sines) = out[..2 * n * stride].split_at_mut(n * stride);
                sin_cos_slice(rows.data, sines, cosines);
            }
            Self::Columns { transforms, .. } => {
                for (k, transform) in transforms.iter().enumerate() {
                    let group = &mut out[k * n * stride..(k + 1) * n * stride];
                    transform.apply(rows.data, group);
                }
            }
            Self::Categorical { n_categories } => {
                for k in 1..n_categories {
                    let label = k as f64;
                    let run = &mut out[(k - 1) * stride..k * stride];
                    for (o, &x) in run.iter_mut().zip(rows.feature(0)) {
                        *o = f64::from(u8::from(x == label));
                    }
                }
            }
            Self::Boltzmann => {
                out[..n * stride].copy_from_slice(rows.data);
                let mut at = n;
                for i in 1..n {
                    for j in 0..i {
                        let run = &mut out[at * stride..(at + 1) * stride];
                        let pair = rows.feature(i).iter().zip(rows.feature(j));
                        for (o, (a, b)) in run.iter_mut().zip(pair) {
                            *o = a * b;
                        }
                        at += 1;
                    }
                }
            }
            Self::Simplex => {
                for (o, &x) in out[..n * stride].iter_mut().zip(rows.data) {
                    *o = x.ln();
                }
                for t in 0..stride {
                    let log_total = column_sum(rows.data, n, stride, t, |x| x).ln();
                    for run in out[..n * stride].chunks_exact_mut(stride) {
                        run[t] -= log_total;
                    }
                }
            }
            Self::Sphere { .. } => {
                for t in 0..stride {
                    let length = column_sum(rows.data, n, stride, t, |x| x * x).sqrt();
                    for f in 0..n {
                        out[f * stride + t] = rows.data[f * stride + t] / length;
                    }
                }
            }
        }
    }

    fn add_log_base_measure(self, rows: &Rows<'_>, out: &mut [f64]) {
        let (n, stride) = (rows.features, rows.stride);
        let base = match self {
            Self::Columns { base, .. } => base,
            Self::Categorical { .. } | Self::Boltzmann => return,
            Self::Simplex => {
                for (t, o) in out.iter_mut().enumerate() {
                    let log_total = column_sum(rows.data, n, stride, t, |x| x).ln();
                    *o += n as f64 * log_total - column_sum(rows.data, n, stride, t, f64::ln);
                }
                return;
            }
            Self::Sphere { log_base_measure } => {
                for o in out {
                    *o += log_base_measure;
                }
                return;
            }
        };
        match base {
            Base::Constant(value) => {
                for o in out {
                    *o += n as f64 * value;
                }
            }
            Base::Poisson => {
                let before = large_counts::any(rows).then(|| out.to_vec());
                for f in 0..n {
                    subtract_log_factorials(rows.feature(f), out);
                }
                for (t, before) in before.iter().flatten().enumerate() {
                    if large_counts::in_row(rows, t) {
                        out[t] = before + large_counts::log_base_measure(rows, t);
                    }
                }
            }
            _ => {
                for f in 0..rows.features {
                    for (o, &x) in out.iter_mut().zip(rows.feature(f)) {
                        *o += base.of(x);
                    }
                }
            }
        }
    }
}

/// `Σ f(x)` over the columns of row `t`.
fn column_sum(data: &[f64], n: usize, stride: usize, t: usize, f: fn(f64) -> f64) -> f64 {
    (0..n).map(|i| f(data[i * stride + t])).sum()
}

/// `log x!` up to 255.
static LOG_FACTORIALS: LazyLock<[f64; 256]> = LazyLock::new(|| {
    // products of integers are exact to 18!, sums of logs with compensation beyond
    let mut table = [0.0; 256];
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for (k, entry) in table.iter_mut().enumerate().skip(1) {
        let term = (k as f64).ln() - lost;
        let next = sum + term;
        lost = (next - sum) - term;
        sum = next;
        *entry = sum;
    }
    table
});

/// Take `log x!` of every count from its row.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts below 256
fn subtract_log_factorials(counts: &[f64], out: &mut [f64]) {
    let largest = counts
        .iter()
        .fold(0.0, |top, &x| if x > top { x } else { top });
    if largest < 256.0 {
        let table = &*LOG_FACTORIALS;
        for (o, &x) in out.iter_mut().zip(counts) {
            *o -= table[usize::from(x as u8)];
        }
    } else {
        for (o, &x) in out.iter_mut().zip(counts) {
            *o -= log_factorial(x);
        }
    }
}

/// `log x!` of a count: a table, then Stirling's series, whose first omitted term at 256
/// is below 1e-22.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts, checked to be small
pub fn log_factorial(x: f64) -> f64 {
    if x < 256.0 {
        return LOG_FACTORIALS[x as usize];
    }
    let r = 1.0 / x;
    let r2 = r * r;
    let series = r * (1.0 / 12.0 - r2 * (1.0 / 360.0 - r2 * (1.0 / 1260.0 - r2 / 1680.0)));
    (x + 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

/// `count` points of a family with a [`Statistic`]. Sums of a member: total weight, `Σ w s(x)`.
#[derive(Clone)]
pub struct StatisticStack {
    statistic: Statistic,
    n: usize,
    naturals: Vec<f64>,
    /// ψ of each member, split by column where columns are independent.
    log_partitions: Vec<f64>,
    means: Vec<f64>,
}

impl StatisticStack {
    /// Points at `naturals` (count × dimension) with their `means` and, for families of
    /// independent columns, `log_partitions` by column (count × n); else count × 1.
    ///
    /// # Errors
    /// When lengths do not fit.
    pub fn new(
        statistic: Statistic,
        n: usize,
        naturals: Vec<f64>,
        means: Vec<f64>,
        log_partitions: Vec<f64>,
    ) -> Result<Self, KernelError> {
        if let Statistic::Categorical { n_categories } = statistic {
            require(n_categories > 0 && n == 1, || {
                "a categorical reads one column".into()
            })?;
        }
        let dimension = statistic.dimension(n);
        let columns = if statistic.independent() { n } else { 1 };
        let count = log_partitions.len() / columns.max(1);
        require(
            naturals.len() == count * dimension && means.len() == naturals.len(),
            || {
                format!(
                    "naturals: {} numbers for {count} points of dimension {dimension}",
                    naturals.len()
                )
            },
        )?;
        Ok(Self {
            statistic,
            n,
            naturals,
            log_partitions,
            means,
        })
    }

    fn dimension(&self) -> usize {
        self.statistic.dimension(self.n)
    }

    fn columns(&self) -> usize {
        if self.statistic.independent() {
            self.n
        } else {
            1
        }
    }
}

impl Stack for StatisticStack {
    fn count(&self) -> usize {
        self.log_partitions.len() / self.columns()
    }

    fn features(&self) -> usize {
        self.n
    }

    fn size(&self) -> usize {
        1 + self.dimension()
    }

    fn cost(&self) -> f64 {
        self.statistic.cost(self.n) + 4.0 * (self.count() * self.dimension()) as f64
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.dimension() * stride
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        self.statistic.add_log_base_measure(rows, out);
    }

    fn evaluate(
        &self,
        rows: &Rows<'_>,
        out: &mut [f64],
        cache: &mut [f64],
        _scratch: &mut Scratch,
    ) {
        let stride = rows.stride;
        self.statistic.fill(rows, cache);
        combine(
            &self.naturals,
            self.count(),
            self.dimension(),
            cache,
            stride,
            out,
        );
        for (logs, psi) in out
            .chunks_exact_mut(stride)
            .zip(self.log_partitions.chunks_exact(self.columns()))
        {
            let psi: f64 = psi.iter().sum();
            for l in logs {
                *l -= psi;
            }
        }
        if self.statistic.is_poisson() && large_counts::any(rows) {
            for t in (0..stride).filter(|&t| large_counts::in_row(rows, t)) {
                for (k, rates) in self.means.chunks_exact(self.n).enumerate() {
                    out[k * stride + t] = large_counts::log_density(rows, t, rates);
                }
            }
        }
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (stride, dimension, count) = (rows.stride, self.dimension(), self.count());
        let mut products = scratch.take(count * dimension);
        gram(weights, count, cache, dimension, stride, &mut products);
        for (k, sums) in sums.chunks_exact_mut(1 + dimension).enumerate() {
            let run = &weights[k * stride..(k + 1) * stride];
            feature_sums(run, 1, stride, &mut sums[..1]);
            for (s, p) in sums[1..].iter_mut().zip(&products[k * dimension..]) {
                *s += p;
            }
        }
        scratch.give(products);
    }

    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        // a row without values tells nothing; the expectation of a Boltzmann machine's is not held
        let nothing = observed.is_empty() && self.statistic != Statistic::Boltzmann;
        if !self.statistic.independent() && !nothing {
            return Err(KernelError::MissingUnsupported);
        }
        Ok(Box::new(ObservedStatistic::new(self, observed)))
    }
}

/// Families of independent columns, some of them missing: those count as expected.
struct ObservedStatistic {
    /// The observed columns; none at all when no column is observed.
    inner: Option<StatisticStack>,
    count: usize,
    /// Entries of the full statistic that are observed, in the order of the inner one.
    observed: Vec<usize>,
    missing: Vec<usize>,
    means: Vec<f64>,
}

impl ObservedStatistic {
    fn new(full: &StatisticStack, observed: &[usize]) -> Self {
        let (n, dimension, count) = (full.n, full.dimension(), full.count());
        let missing_columns = complement(observed, n);
        let collect = |columns: &[usize]| -> Vec<usize> {
            let mut entries: Vec<usize> = columns
                .iter()
                .flat_map(|&f| full.statistic.entries(f, n))
                .collect();
            entries.sort_unstable();
            entries
        };
        let seen = collect(observed);
        let missing = if observed.is_empty() {
            (0..dimension).collect()
        } else {
            collect(&missing_columns)
        };
        let select = |values: &[f64], width: usize, entries: &[usize]| -> Vec<f64> {
            (0..count)
                .flat_map(|k| entries.iter().map(move |&e| values[k * width + e]))
                .collect()
        };
        let inner = (!observed.is_empty()).then(|| StatisticStack {
            statistic: full.statistic,
            n: observed.len(),
            naturals: select(&full.naturals, dimension, &seen),
            means: select(&full.means, dimension, &seen),
            log_partitions: select(&full.log_partitions, n, observed),
        });
        Self {
            inner,
            count,
            observed: seen,
            missing,
            means: full.means.clone(),
        }
    }
}

impl Stack for ObservedStatistic {
    fn count(&self) -> usize {
        self.count
    }

    fn features(&self) -> usize {
        self.inner.as_ref().map_or(0, Stack::features)
    }

    fn size(&self) -> usize {
        1 + self.observed.len()
    }

    fn cost(&self) -> f64 {
        self.inner.as_ref().map_or(1.0, Stack::cost)
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.inner.as_ref().map_or(0, |s| s.cache_len(stride))
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        if let Some(inner) = &self.inner {
            inner.add_log_base_measure(rows, out);
        }
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        match &self.inner {
            Some(inner) => inner.evaluate(rows, out, cache, scratch),
            None => out.fill(0.0),
        }
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        if let Some(inner) = &self.inner {
            inner.accumulate(rows, weights, cache, sums, scratch);
        } else {
            for (k, sum) in sums.iter_mut().enumerate() {
                let run = &weights[k * rows.stride..(k + 1) * rows.stride];
                feature_sums(run, 1, rows.stride, std::slice::from_mut(sum));
            }
        }
    }

    fn restrict(&self, _observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Err(KernelError::MissingUnsupported)
    }

    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        let dimension = self.observed.len() + self.missing.len();
        for (k, (sums, full)) in sums
            .chunks_exact(self.size())
            .zip(full.chunks_exact_mut(1 + dimension))
            .enumerate()
        {
            full[0] += sums[0];
            for (s, &entry) in sums[1..].iter().zip(&self.observed) {
                full[1 + entry] += s;
            }
            for &entry in &self.missing {
                full[1 + entry] += sums[0] * self.means[k * dimension + entry];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    type Formula = fn(f64) -> f64;

    /// Log densities with the base measure, and the sums under the weights.
    fn block(stack: &StatisticStack, rows: &Rows<'_>, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let stop = AtomicBool::new(false);
        let mut scratch = Scratch::new(&stop);
        let mut logs = vec![f64::NAN; stack.count() * rows.stride];
        let mut cache = vec![f64::NAN; stack.cache_len(rows.stride)];
        stack.evaluate(rows, &mut logs, &mut cache, &mut scratch);
        for logs in logs.chunks_exact_mut(rows.stride) {
            stack.add_log_base_measure(rows, logs);
        }
        let mut sums = vec![0.0; stack.count() * stack.size()];
        stack.accumulate(rows, weights, &mut cache, &mut sums, &mut scratch);
        (logs, sums)
    }

    fn close(value: f64, exact: f64) -> bool {
        (value - exact).abs() < 1e-10 * (1.0 + exact.abs())
    }

    proptest! {
        #[test]
        fn counts_and_angles_agree_with_plain_loops(
            (n, k, counts, angles, points, weights) in (1..6_usize, 1..6_usize)
                .prop_flat_map(|(n, k)| {
                    let counts = prop::collection::vec((0..400_u16).prop_map(f64::from), n * 32);
                    let angles = prop::collection::vec(-20.0..20.0_f64, n * 32);
                    let points = prop::collection::vec(-1.0..1.0_f64, k * 2 * n);
                    let weights = prop::collection::vec(0.0..2.0_f64, k * 32);
                    (Just(n), Just(k), counts, angles, points, weights)
                })
        ) {
            let (identity, circle): (Formula, Formula) =
                (|x| x, |_| -(2.0 * std::f64::consts::PI).ln());
            let poisson: Formula = |x| -log_factorial(x);
            for (family, data, transforms, base) in [
                ("poisson", &counts, vec![identity], poisson),
                ("von_mises", &angles, vec![f64::cos, f64::sin], circle),
            ] {
                let dimension = transforms.len() * n;
                let naturals = points[..k * dimension].to_vec();
                let statistic = Statistic::named(family, 0.0).unwrap();
                let log_partitions = vec![0.25; k * n];
                let stack =
                    StatisticStack::new(statistic, n, naturals.clone(), naturals, log_partitions)
                        .unwrap();
                let (logs, sums) = block(&stack, &Rows::new(data, n, 32, 32), &weights);
                let entry = |e: usize, t: usize| transforms[e / n](data[e % n * 32 + t]);
                for j in 0..k {
                    for t in 0..32 {
                        let exact: f64 = (0..dimension)
                            .map(|e| points[j * dimension + e] * entry(e, t))
                            .sum::<f64>()
                            + (0..n).map(|f| base(data[f * 32 + t]) - 0.25).sum::<f64>();
                        prop_assert!(close(logs[j * 32 + t], exact));
                    }
                    let sums = &sums[j * (1 + dimension)..(j + 1) * (1 + dimension)];
                    let run = &weights[j * 32..(j + 1) * 32];
                    prop_assert!(close(sums[0], run.iter().sum()));
                    for e in 0..dimension {
                        let exact = (0..32).map(|t| run[t] * entry(e, t)).sum();
                        prop_assert!(close(sums[1 + e], exact));
                    }
                }
            }
        }
    }

    #[test]
    fn log_factorials_meet_at_the_seam() {
        // published: log 255! and log 256!
        assert!((log_factorial(170.0) - 706.573_062_245_787_4).abs() < 1e-12);
        let step = log_factorial(256.0) - log_factorial(255.0);
        assert!((step - 256.0_f64.ln()).abs() < 2e-12);
        assert!((log_factorial(1000.0) - 5_912.128_178_488_163).abs() < 1e-11);
    }
}
