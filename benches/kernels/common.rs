//! Numbers, settings and stacks that several benchmarks share.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use nalgebra::{DMatrix, DVector};

use harmonium::kernels::latent::Latent;
use harmonium::kernels::latent::boltzmann::BoltzmannLatent;
use harmonium::kernels::latent::linear::LinearLatent;
use harmonium::kernels::latent::mixture::MixtureLatent;
use harmonium::kernels::latent::normal::NormalLatent;
use harmonium::kernels::pass::{Table, Watch, expectation};
use harmonium::kernels::stack::Stack;
use harmonium::kernels::stack::mixture::MixtureStack;
use harmonium::kernels::stack::normal::{Covariance, NormalStack};
use harmonium::kernels::stack::statistic::Statistic;

/// Numbers without a pattern, the same in every run (`SplitMix64`).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    pub fn many(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.between(low, high)).collect()
    }

    /// A lower triangle with a positive diagonal, zeros above.
    pub fn triangle(&mut self, d: usize) -> Vec<f64> {
        let mut factor = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..i {
                factor[i * d + j] = self.between(-0.3, 0.3);
            }
            factor[i * d + i] = self.between(0.7, 1.3);
        }
        factor
    }
}

/// A group of short runs.
pub fn short<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20);
    group
}

/// An expectation pass over a table by one thread.
pub fn pass(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    stack: &dyn Stack,
    data: &[f64],
    columns: usize,
) {
    let table = Table {
        data,
        columns,
        weights: None,
    };
    group.sample_size(10);
    group.throughput(Throughput::Elements(table.rows() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let mut watch = Watch {
                threads: 1,
                interrupted: &mut || false,
            };
            expectation(stack, black_box(table), &mut watch).expect("a pass")
        });
    });
}

/// Components of equal weights.
pub fn even_mixture(components: Arc<dyn Stack>) -> MixtureStack {
    let k = components.count();
    MixtureStack::new(vec![-(k as f64).ln(); k], k, components).expect("a weight each")
}

/// The statistic of a family that knows no number.
pub fn named(family: &str) -> Statistic {
    Statistic::named(family, 0.0).expect("a family with a kernel")
}

/// `k` normals of `d` columns.
pub fn normals(numbers: &mut Numbers, covariance: Covariance, d: usize, k: usize) -> NormalStack {
    let means = numbers.many(k * d, -2.0, 2.0);
    let factors = match covariance {
        Covariance::Full => (0..k).flat_map(|_| numbers.triangle(d)).collect(),
        _ => numbers.many(k * covariance.factor_len(d), 0.7, 1.3),
    };
    NormalStack::new(covariance, d, means, factors).expect("means and factors")
}

/// A standard normal latent variable.
pub fn standard(m: usize) -> NormalLatent {
    NormalLatent::new(DVector::zeros(m), DMatrix::identity(m, m))
}

/// `k` clusters of `m` factors, of equal weights.
pub fn clusters(numbers: &mut Numbers, m: usize, k: usize) -> MixtureLatent {
    let components = (0..k).map(|_| -> Arc<dyn Latent> {
        let factor = DMatrix::from_row_slice(m, m, &numbers.triangle(m));
        let mean = DVector::from_vec(numbers.many(m, -2.0, 2.0));
        Arc::new(NormalLatent::new(mean, &factor * factor.transpose()))
    });
    let components = components.collect();
    MixtureLatent::new(vec![-(k as f64).ln(); k], components).expect("a weight each")
}

/// A dense machine of `m` units.
pub fn machine(numbers: &mut Numbers, m: usize) -> BoltzmannLatent {
    BoltzmannLatent::new(
        numbers.many(m, -1.0, 1.0),
        numbers.many(m * (m - 1) / 2, -1.0, 1.0),
    )
    .expect("biases and couplings")
}

/// `m` factors behind which stand `inner` more.
pub fn deep(numbers: &mut Numbers, m: usize, inner: usize) -> LinearLatent {
    let loading = DMatrix::from_vec(m, inner, numbers.many(m * inner, -1.0, 1.0));
    let offset = DVector::from_vec(numbers.many(m, -1.0, 1.0));
    let noise = DMatrix::identity(m, m);
    LinearLatent::new(offset, loading, noise, Arc::new(standard(inner))).expect("shapes that fit")
}
