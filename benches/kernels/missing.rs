//! Passes over rows with missing values: one stack for each pattern.

use std::sync::Arc;

use criterion::Criterion;
use nalgebra::DMatrix;

use harmonium::kernels::stack::linear::LinearStack;
use harmonium::kernels::stack::normal::Covariance;
use harmonium::kernels::stack::product::ProductStack;
use harmonium::kernels::stack::statistic::StatisticStack;

use crate::common::{Numbers, even_mixture, named, normals, pass, short, standard};

/// Every other row without one of its first four columns: five patterns.
fn by_column(data: &[f64], d: usize) -> Vec<f64> {
    let mut out = data.to_vec();
    for (t, row) in out.chunks_exact_mut(d).enumerate().step_by(2) {
        row[t / 2 % d.min(4)] = f64::NAN;
    }
    out
}

/// A tenth of all values, wherever they are: hundreds of patterns of eight columns.
fn scattered(data: &[f64], numbers: &mut Numbers) -> Vec<f64> {
    let missing = |x: &f64| {
        if numbers.uniform() < 0.1 {
            f64::NAN
        } else {
            *x
        }
    };
    data.iter().map(missing).collect()
}

pub fn missing(criterion: &mut Criterion) {
    let mut numbers = Numbers(7);
    let mut group = short(criterion, "missing");
    let (n, d, k) = (10_000, 8, 8);
    let data = numbers.many(n * d, -4.0, 4.0);
    let (few, many) = (by_column(&data, d), scattered(&data, &mut numbers));
    for (name, covariance) in [
        ("full", Covariance::Full),
        ("diagonal", Covariance::Diagonal),
        ("isotropic", Covariance::Isotropic),
    ] {
        let stack = even_mixture(Arc::new(normals(&mut numbers, covariance, d, k)));
        for (pattern, data) in [
            ("complete", &data),
            ("by_column", &few),
            ("scattered", &many),
        ] {
            let title = format!("normal_{name}/{d}x{k}/{pattern}");
            pass(&mut group, &title, &stack, data, d);
        }
    }
    let counts: Vec<f64> = data.iter().map(|x| x.abs().floor()).collect();
    let (few_counts, counts) = (by_column(&counts, d), scattered(&counts, &mut numbers));
    let rates = numbers.many(k * d, 0.5, 3.0);
    let naturals = rates.iter().map(|r| r.ln()).collect();
    let poisson = StatisticStack::new(named("poisson"), d, naturals, rates.clone(), rates)
        .expect("rates of each component");
    let poisson = Arc::new(poisson);
    pass(
        &mut group,
        &format!("poisson/{d}x{k}/scattered"),
        &even_mixture(poisson.clone()),
        &counts,
        d,
    );
    let both: Vec<f64> = few
        .chunks_exact(d)
        .zip(few_counts.chunks_exact(d))
        .flat_map(|(x, counts)| [x, counts].concat())
        .collect();
    let normal = Arc::new(normals(&mut numbers, Covariance::Full, d, k));
    let product = ProductStack::new(vec![normal, poisson]).expect("equally many members");
    pass(
        &mut group,
        &format!("product/{}x{k}/by_column", 2 * d),
        &even_mixture(Arc::new(product)),
        &both,
        2 * d,
    );

    let (n, d, m) = (10_000, 64, 4);
    let loading = DMatrix::from_vec(d, m, numbers.many(d * m, -1.0, 1.0));
    let noise = normals(&mut numbers, Covariance::Diagonal, d, 1);
    let stack = LinearStack::new(vec![loading], vec![noise], vec![Arc::new(standard(m))])
        .expect("one factor analyser");
    let data = by_column(&numbers.many(n * d, -2.0, 2.0), d);
    pass(
        &mut group,
        &format!("factor_analysis/{d}x{m}/by_column"),
        &stack,
        &data,
        d,
    );
    group.finish();
}
