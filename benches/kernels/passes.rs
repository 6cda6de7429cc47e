//! Whole passes of models, and what else a pass can be asked for.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use nalgebra::DMatrix;

use harmonium::kernels::error::KernelError;
use harmonium::kernels::latent::Latent;
use harmonium::kernels::pass::{Table, Watch, latents, log_densities};
use harmonium::kernels::stack::Stack;
use harmonium::kernels::stack::linear::LinearStack;
use harmonium::kernels::stack::normal::Covariance;
use harmonium::kernels::stack::statistic::StatisticStack;

use crate::common::{
    Numbers, clusters, deep, even_mixture, machine, named, normals, pass, short, standard,
};

pub fn passes(criterion: &mut Criterion) {
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

    let (d, m) = (64, 4);
    let loading = DMatrix::from_vec(d, m, numbers.many(d * m, -1.0, 1.0));
    let linear = |numbers: &mut Numbers, loading: &DMatrix<f64>, prior: Arc<dyn Latent>| {
        let noise = normals(numbers, Covariance::Diagonal, loading.nrows(), 1);
        LinearStack::new(vec![loading.clone()], vec![noise], vec![prior]).expect("one model")
    };
    let data = numbers.many(n * d, -2.0, 2.0);
    let stack = linear(&mut numbers, &loading, Arc::new(standard(m)));
    pass(&mut group, "factor_analysis/64x4", &stack, &data, d);
    let latent = clusters(&mut numbers, m, 8);
    let stack = linear(&mut numbers, &loading, Arc::new(latent));
    pass(
        &mut group,
        "reduction_and_clusters/64x4x8",
        &stack,
        &data,
        d,
    );
    let deep = deep(&mut numbers, m, 2);
    let stack = linear(&mut numbers, &loading, Arc::new(deep));
    pass(&mut group, "factors_of_factors/64x4x2", &stack, &data, d);

    let (d, m) = (8, 10);
    let loading = DMatrix::from_vec(d, m, numbers.many(d * m, -0.5, 0.5));
    let noise = normals(&mut numbers, Covariance::Full, d, 1);
    let prior = machine(&mut numbers, m);
    let stack = LinearStack::new(vec![loading], vec![noise], vec![Arc::new(prior)])
        .expect("one Gaussian-Boltzmann model");
    let data = numbers.many(5_000 * d, -2.0, 2.0);
    pass(&mut group, "gaussian_boltzmann/8x10", &stack, &data, d);
    group.finish();
}

type Listing = fn(&dyn Stack, &Table<'_>, &mut Watch<'_>) -> Result<Vec<f64>, KernelError>;

/// What else a pass gives: log densities and posteriors of each row.
pub fn listings(criterion: &mut Criterion) {
    let mut numbers = Numbers(5);
    let mut group = short(criterion, "listing");
    group.sample_size(10);
    let (n, d, k) = (20_000, 8, 8);
    let stack = even_mixture(Arc::new(normals(&mut numbers, Covariance::Full, d, k)));
    let data = numbers.many(n * d, -4.0, 4.0);
    let table = Table {
        data: &data,
        columns: d,
        weights: None,
    };
    group.throughput(Throughput::Elements(n as u64));
    for (name, list) in [
        ("log_densities", log_densities as Listing),
        ("latents", latents as Listing),
    ] {
        group.bench_function(format!("{name}/mixture_full/{d}x{k}"), |b| {
            b.iter(|| {
                let mut watch = Watch {
                    threads: 1,
                    interrupted: &mut || false,
                };
                list(&stack, black_box(&table), &mut watch).expect("a pass")
            });
        });
    }
    group.finish();
}
