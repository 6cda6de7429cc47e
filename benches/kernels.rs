//! Kernels alone, then whole expectation passes on one thread.
//!
//! Throughput is in numbers for the loops, in multiply-adds for the products (one is two
//! operations; a triangle counts as such), in states for the Boltzmann machine, in rows for
//! the passes.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use nalgebra::{DMatrix, DVector};

use harmonium::kernels::latent::Latent;
use harmonium::kernels::latent::boltzmann::BoltzmannLatent;
use harmonium::kernels::latent::normal::NormalLatent;
use harmonium::kernels::pass::{Table, Watch, expectation};
use harmonium::kernels::product::{combine, gram, gram_lower, normal_logs, root_weighted};
use harmonium::kernels::rows::{RowIndices, Rows, gather};
use harmonium::kernels::scratch::Scratch;
use harmonium::kernels::simd::{exp_slice, sin_cos_slice, softmax};
use harmonium::kernels::stack::Stack;
use harmonium::kernels::stack::linear::LinearStack;
use harmonium::kernels::stack::mixture::MixtureStack;
use harmonium::kernels::stack::normal::{Covariance, NormalStack};
use harmonium::kernels::stack::statistic::{Statistic, StatisticStack};

/// Numbers without a pattern, the same in every run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn many(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.between(low, high)).collect()
    }

    /// A lower triangle with a positive diagonal, zeros above.
    fn triangle(&mut self, d: usize) -> Vec<f64> {
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

/// Rows of a block, an odd number of sixteens as in the pass.
const ROWS: usize = 112;

fn short<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20);
    group
}

fn loops(criterion: &mut Criterion) {
    let mut numbers = Numbers(1);
    let mut group = short(criterion, "loops");
    let logits = numbers.many(8 * ROWS, -30.0, 0.0);
    let mut work = logits.clone();
    group.throughput(Throughput::Elements(logits.len() as u64));
    group.bench_function("exp_slice", |b| {
        b.iter(|| {
            work.copy_from_slice(&logits);
            exp_slice(black_box(&mut work));
        });
    });
    let mut out = vec![0.0; ROWS];
    group.bench_function("softmax/8", |b| {
        b.iter(|| {
            work.copy_from_slice(&logits);
            softmax(black_box(&mut work), &[0.0; 8], ROWS, &mut out);
        });
    });
    let angles = numbers.many(8 * ROWS, -7.0, 7.0);
    let (mut sines, mut cosines) = (vec![0.0; 8 * ROWS], vec![0.0; 8 * ROWS]);
    group.bench_function("sin_cos_slice", |b| {
        b.iter(|| sin_cos_slice(black_box(&angles), &mut sines, &mut cosines));
    });
    for d in [8, 64] {
        let table = numbers.many(d * ROWS, -1.0, 1.0);
        let columns: Vec<usize> = (0..d).collect();
        let mut block = vec![0.0; d * ROWS];
        let indices = RowIndices::Run {
            start: 0,
            len: ROWS,
        };
        group.throughput(Throughput::Elements(block.len() as u64));
        group.bench_function(format!("gather/{d}"), |b| {
            b.iter(|| gather(black_box(&table), d, indices, &columns, ROWS, &mut block));
        });
    }
    group.finish();
}

fn products(criterion: &mut Criterion) {
    let mut numbers = Numbers(2);
    let mut group = short(criterion, "products");
    let stop = AtomicBool::new(false);
    let mut scratch = Scratch::new(&stop);
    for d in [8, 32, 50] {
        // where the pass would put them: at lines of the cache
        let mut inputs = scratch.take(d * ROWS);
        inputs.copy_from_slice(&numbers.many(d * ROWS, -1.0, 1.0));
        let matrix = numbers.many(d * d, -1.0, 1.0);
        let factor = numbers.triangle(d);
        let centre = numbers.many(d, -1.0, 1.0);
        let mut out = scratch.take(d * ROWS);
        let (square, triangle) = ((d * d * ROWS) as u64, (d * (d + 1) / 2 * ROWS) as u64);
        group.throughput(Throughput::Elements(square));
        group.bench_function(format!("combine/{d}"), |b| {
            b.iter(|| combine(&matrix, d, d, black_box(&inputs), ROWS, &mut out));
        });
        let mut sums = vec![0.0; d * d];
        group.bench_function(format!("gram/{d}"), |b| {
            b.iter(|| gram(&inputs, d, black_box(&inputs), d, ROWS, &mut sums));
        });
        group.throughput(Throughput::Elements(triangle));
        group.bench_function(format!("gram_lower/{d}"), |b| {
            b.iter(|| gram_lower(&inputs, black_box(&inputs), d, ROWS, &mut sums));
        });
        let weights = numbers.many(ROWS, 0.0, 1.0);
        let (mut roots, mut first) = (scratch.take(ROWS), vec![0.0; 1 + d]);
        group.bench_function(format!("normal_logs/{d}"), |b| {
            b.iter(|| {
                normal_logs(
                    &factor,
                    &centre,
                    0.0,
                    black_box(&inputs),
                    ROWS,
                    &mut out[..ROWS],
                );
            });
        });
        group.throughput(Throughput::Elements((d * ROWS) as u64));
        group.bench_function(format!("root_weighted/{d}"), |b| {
            b.iter(|| {
                root_weighted(
                    black_box(&inputs),
                    &centre,
                    &weights,
                    ROWS,
                    &mut roots,
                    &mut out,
                    &mut first,
                );
            });
        });
    }
    group.finish();
}

fn boltzmann(criterion: &mut Criterion) {
    let mut numbers = Numbers(3);
    let mut group = short(criterion, "boltzmann");
    let stop = AtomicBool::new(false);
    for (m, rows) in [(6, 64), (10, 64), (14, 16)] {
        let prior = BoltzmannLatent::new(
            numbers.many(m, -1.0, 1.0),
            numbers.many(m * (m - 1) / 2, -1.0, 1.0),
        )
        .expect("biases and couplings");
        let tilted = prior
            .tilt(&DMatrix::identity(m, m))
            .expect("any tilt will do");
        let shifts = numbers.many(m * rows, -2.0, 2.0);
        let shifts = Rows::new(&shifts, m, rows, rows);
        let mut scratch = Scratch::new(&stop);
        let mut cache = vec![0.0; tilted.cache_len(rows)];
        let (mut logs, mut means) = (vec![0.0; rows], vec![0.0; m * rows]);
        let (weights, mut sums) = (vec![1.0; rows], vec![0.0; prior.size()]);
        group.throughput(Throughput::Elements((rows << m) as u64));
        group.bench_function(format!("tilted/{m}"), |b| {
            b.iter(|| {
                tilted.evaluate(black_box(&shifts), &mut logs, &mut cache, &mut scratch);
                tilted.leading_mean(&shifts, &mut cache, &mut means, &mut scratch);
                tilted.accumulate(&shifts, &weights, &mut cache, &mut sums, &mut scratch);
            });
        });
    }
    group.finish();
}

/// A pass over `rows` rows by one thread.
fn pass(
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

fn even_mixture(components: Arc<dyn Stack>) -> MixtureStack {
    let k = components.count();
    MixtureStack::new(vec![-(k as f64).ln(); k], k, components).expect("a weight each")
}

fn named(family: &str) -> Statistic {
    Statistic::named(family, 0.0).expect("a family with a kernel")
}

fn normals(numbers: &mut Numbers, covariance: Covariance, d: usize, k: usize) -> NormalStack {
    let means = numbers.many(k * d, -2.0, 2.0);
    let factors = match covariance {
        Covariance::Full => (0..k).flat_map(|_| numbers.triangle(d)).collect(),
        _ => numbers.many(k * covariance.factor_len(d), 0.7, 1.3),
    };
    NormalStack::new(covariance, d, means, factors).expect("means and factors")
}

fn passes(criterion: &mut Criterion) {
    let mut numbers = Numbers(4);
    let mut group = short(criterion, "pass");
    group.sample_size(10);
    let n = 20_000;
    for (d, k) in [(8, 8), (32, 16)] {
        let stack = even_mixture(Arc::new(normals(&mut numbers, Covariance::Full, d, k)));
        let data = numbers.many(n * d, -4.0, 4.0);
        pass(
            &mut group,
            &format!("mixture_full/{d}x{k}"),
            &stack,
            &data,
            d,
        );
    }
    let stack = even_mixture(Arc::new(normals(&mut numbers, Covariance::Diagonal, 8, 8)));
    let data = numbers.many(n * 8, -4.0, 4.0);
    pass(&mut group, "mixture_diagonal/8x8", &stack, &data, 8);

    let (d, k) = (50, 10);
    let rates = numbers.many(k * d, 0.5, 12.0);
    let naturals = rates.iter().map(|r| r.ln()).collect();
    let stack = StatisticStack::new(named("poisson"), d, naturals, rates.clone(), rates)
        .expect("rates of each component");
    let counts: Vec<f64> = numbers
        .many(10_000 * d, 0.0, 15.0)
        .iter()
        .map(|x| x.floor())
        .collect();
    pass(
        &mut group,
        "mixture_poisson/50x10",
        &even_mixture(Arc::new(stack)),
        &counts,
        d,
    );

    let (d, k) = (2, 4);
    let points = numbers.many(k * 2 * d, -1.0, 1.0);
    let stack = StatisticStack::new(
        named("von_mises"),
        d,
        points.clone(),
        points,
        vec![0.3; k * d],
    )
    .expect("points of each component");
    let angles = numbers.many(n * d, -3.0, 3.0);
    pass(
        &mut group,
        "mixture_von_mises/2x4",
        &even_mixture(Arc::new(stack)),
        &angles,
        d,
    );

    let (d, m) = (64, 4);
    let loading = DMatrix::from_vec(d, m, numbers.many(d * m, -1.0, 1.0));
    let noise = normals(&mut numbers, Covariance::Diagonal, d, 1);
    let prior = NormalLatent::new(DVector::zeros(m), DMatrix::identity(m, m));
    let stack = LinearStack::new(vec![loading], vec![noise], vec![Arc::new(prior)])
        .expect("one factor analyser");
    let data = numbers.many(n * d, -2.0, 2.0);
    pass(&mut group, "factor_analysis/64x4", &stack, &data, d);

    let (d, m) = (8, 10);
    let loading = DMatrix::from_vec(d, m, numbers.many(d * m, -0.5, 0.5));
    let noise = normals(&mut numbers, Covariance::Full, d, 1);
    let prior = BoltzmannLatent::new(
        numbers.many(m, -1.0, 1.0),
        numbers.many(m * (m - 1) / 2, -1.0, 1.0),
    )
    .expect("biases and couplings");
    let stack = LinearStack::new(vec![loading], vec![noise], vec![Arc::new(prior)])
        .expect("one Gaussian-Boltzmann model");
    let data = numbers.many(5_000 * d, -2.0, 2.0);
    pass(&mut group, "gaussian_boltzmann/8x10", &stack, &data, d);
    group.finish();
}

criterion_group!(kernels, loops, products, boltzmann, passes);
criterion_main!(kernels);
