//! The vectorised loops and the products of small matrices with blocks of rows.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput};

use harmonium::kernels::product::{
    centred, combine, diagonal_logs, diagonal_moments, dots, gram, gram_lower, normal_logs,
    root_weighted, sums, weighted,
};
use harmonium::kernels::rows::{RowIndices, gather};
use harmonium::kernels::scratch::Scratch;
use harmonium::kernels::simd::{exp_slice, sin_cos_slice, softmax};

use crate::common::{Numbers, short};

/// Rows of a block, an odd number of sixteens as in the pass.
const ROWS: usize = 112;

pub fn loops(criterion: &mut Criterion) {
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

pub fn products(criterion: &mut Criterion) {
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
        let mut sums_of = vec![0.0; d * d];
        group.bench_function(format!("gram/{d}"), |b| {
            b.iter(|| gram(&inputs, d, black_box(&inputs), d, ROWS, &mut sums_of));
        });
        group.throughput(Throughput::Elements(triangle));
        group.bench_function(format!("gram_lower/{d}"), |b| {
            b.iter(|| gram_lower(&inputs, black_box(&inputs), d, ROWS, &mut sums_of));
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
        group.bench_function(format!("diagonal_logs/{d}"), |b| {
            let logs = &mut out[..ROWS];
            b.iter(|| diagonal_logs(&centre, &centre, 0.0, black_box(&inputs), ROWS, logs));
        });
        let mut moments = vec![0.0; 1 + 2 * d];
        group.bench_function(format!("diagonal_moments/{d}"), |b| {
            b.iter(|| diagonal_moments(black_box(&inputs), &centre, &weights, ROWS, &mut moments));
        });
        group.bench_function(format!("dots/{d}"), |b| {
            b.iter(|| dots(black_box(&inputs), &inputs, d, ROWS, &mut sums_of[..d]));
        });
        group.bench_function(format!("weighted/{d}"), |b| {
            b.iter(|| weighted(black_box(&inputs), d, &weights, ROWS, &mut out));
        });
        group.bench_function(format!("centred/{d}"), |b| {
            b.iter(|| centred(black_box(&inputs), &centre, ROWS, &mut out));
        });
        group.bench_function(format!("sums/{d}"), |b| {
            b.iter(|| sums(black_box(&inputs), d, ROWS, &mut sums_of[..d]));
        });
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
