//! Tilted priors that meet blocks of shifts: log expectations, means and sums.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use nalgebra::DMatrix;

use harmonium::kernels::latent::Latent;
use harmonium::kernels::rows::Rows;
use harmonium::kernels::scratch::Scratch;

use crate::common::{Numbers, clusters, deep, machine, short, standard};

/// All that a pass asks of a tilted prior, for a block of `rows`.
fn tilted(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    prior: &dyn Latent,
    rows: usize,
    numbers: &mut Numbers,
) {
    let (stop, m) = (AtomicBool::new(false), prior.width());
    let mut scratch = Scratch::new(&stop);
    let tilted = prior
        .tilt(&DMatrix::identity(m, m))
        .expect("any tilt will do");
    let shifts = numbers.many(m * rows, -2.0, 2.0);
    let shifts = Rows::new(&shifts, m, rows, rows);
    let mut cache = vec![0.0; tilted.cache_len(rows)];
    let (mut logs, mut means) = (vec![0.0; rows], vec![0.0; m * rows]);
    let (weights, mut sums) = (vec![1.0; rows], vec![0.0; prior.size()]);
    group.bench_function(name, |b| {
        b.iter(|| {
            tilted.evaluate(black_box(&shifts), &mut logs, &mut cache, &mut scratch);
            tilted.leading_mean(&shifts, &mut cache, &mut means, &mut scratch);
            tilted.accumulate(&shifts, &weights, &mut cache, &mut sums, &mut scratch);
        });
    });
}

pub fn latents(criterion: &mut Criterion) {
    let mut numbers = Numbers(3);
    let mut group = short(criterion, "latents");
    for (m, rows) in [(6, 64), (10, 64), (14, 16)] {
        let prior = machine(&mut numbers, m);
        group.throughput(Throughput::Elements((rows << m) as u64));
        tilted(
            &mut group,
            &format!("boltzmann/{m}"),
            &prior,
            rows,
            &mut numbers,
        );
    }
    let rows = 112;
    group.throughput(Throughput::Elements(rows as u64));
    for m in [4, 16] {
        let prior = standard(m);
        tilted(
            &mut group,
            &format!("normal/{m}"),
            &prior,
            rows,
            &mut numbers,
        );
        let prior = clusters(&mut numbers, m, 8);
        tilted(
            &mut group,
            &format!("mixture/{m}x8"),
            &prior,
            rows,
            &mut numbers,
        );
        let prior = deep(&mut numbers, m, 2);
        tilted(
            &mut group,
            &format!("linear/{m}x2"),
            &prior,
            rows,
            &mut numbers,
        );
    }
    group.finish();
}
