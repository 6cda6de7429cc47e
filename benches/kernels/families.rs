//! Passes of mixtures of every family, by what a column is turned into.

use std::f64::consts::PI;
use std::sync::Arc;

use criterion::Criterion;

use harmonium::kernels::stack::Stack;
use harmonium::kernels::stack::normal::Covariance;
use harmonium::kernels::stack::product::ProductStack;
use harmonium::kernels::stack::statistic::{Statistic, StatisticStack};

use crate::common::{Numbers, even_mixture, normals, pass, short};

/// Rows, columns and components of every pass.
const N: usize = 4_000;
const D: usize = 8;
const K: usize = 4;

/// `K` points of `n` columns: any will do, a pass asks for no more than numbers.
fn points(numbers: &mut Numbers, statistic: Statistic, n: usize) -> Arc<dyn Stack> {
    let size = K * statistic.dimension(n);
    let naturals = numbers.many(size, -1.0, -0.1);
    let means = numbers.many(size, 0.5, 2.0);
    let independent = matches!(statistic, Statistic::Columns { .. });
    let psi = numbers.many(if independent { K * n } else { K }, 0.1, 0.5);
    Arc::new(StatisticStack::new(statistic, n, naturals, means, psi).expect("points that fit"))
}

fn counts(numbers: &mut Numbers, many: usize, most: f64) -> Vec<f64> {
    let values = numbers.many(many, 0.0, most + 1.0);
    values.iter().map(|x| x.floor()).collect()
}

/// Rows whose sums, after a map of their numbers, are one.
fn normalised(mut values: Vec<f64>, norm: fn(&[f64]) -> f64) -> Vec<f64> {
    for row in values.chunks_exact_mut(D) {
        let length = norm(row);
        for x in row {
            *x /= length;
        }
    }
    values
}

pub fn families(criterion: &mut Criterion) {
    let mut numbers = Numbers(6);
    let mut group = short(criterion, "families");
    let total = N * D;
    let (binary, few) = (
        counts(&mut numbers, total, 1.0),
        counts(&mut numbers, total, 20.0),
    );
    let (inside, positive) = (
        numbers.many(total, 0.01, 0.99),
        numbers.many(total, 0.1, 8.0),
    );
    let simplex = normalised(positive.clone(), |row| row.iter().sum());
    let sphere = normalised(numbers.many(total, -1.0, 1.0), |row| {
        row.iter().map(|x| x * x).sum::<f64>().sqrt()
    });
    let angles = numbers.many(total, -PI, PI);
    for (family, parameter, data) in [
        ("bernoulli", 0.0, &binary),
        ("boltzmann", 0.0, &binary),
        ("poisson", 0.0, &few),
        ("binomial", 20.0, &few),
        ("negative_binomial", 2.5, &few),
        ("com_poisson", 0.0, &few),
        ("exponential", 0.0, &positive),
        ("gamma", 0.0, &positive),
        ("inverse_gaussian", 0.0, &positive),
        ("beta", 0.0, &inside),
        ("dirichlet", 0.0, &simplex),
        ("von_mises", 0.0, &angles),
        ("von_mises_fisher", -3.0, &sphere),
    ] {
        let statistic = Statistic::named(family, parameter).expect("a family with a kernel");
        let stack = even_mixture(points(&mut numbers, statistic, D));
        pass(&mut group, &format!("{family}/{D}x{K}"), &stack, data, D);
    }
    let categories = Statistic::Categorical { n_categories: 6 };
    let labels = counts(&mut numbers, N, 5.0);
    let stack = even_mixture(points(&mut numbers, categories, 1));
    pass(
        &mut group,
        &format!("categorical/1x{K}"),
        &stack,
        &labels,
        1,
    );

    // one count in a hundred too large for the plain formula
    let mut large = few.clone();
    for count in large.iter_mut().step_by(101) {
        *count += 70_000.0;
    }
    let poisson = Statistic::named("poisson", 0.0).expect("a family with a kernel");
    let stack = even_mixture(points(&mut numbers, poisson, D));
    pass(
        &mut group,
        &format!("poisson_with_large_counts/{D}x{K}"),
        &stack,
        &large,
        D,
    );

    // three normal columns with full covariances, four counts, one label
    let mut mixed = few;
    for (row, &label) in mixed.chunks_exact_mut(D).zip(&labels) {
        row[D - 1] = label;
    }
    let parts: Vec<Arc<dyn Stack>> = vec![
        Arc::new(normals(&mut numbers, Covariance::Full, 3, K)),
        points(&mut numbers, poisson, 4),
        points(&mut numbers, categories, 1),
    ];
    let product = ProductStack::new(parts).expect("equally many members");
    let stack = even_mixture(Arc::new(product));
    pass(&mut group, &format!("product/{D}x{K}"), &stack, &mixed, D);
    group.finish();
}
