//! Kernels alone, then whole expectation passes on one thread.
//!
//! Throughput is in numbers for the loops, in multiply-adds for the products (one is two
//! operations; a triangle counts as such), in states for the Boltzmann machine, in rows for
//! the other latents and the passes.

mod common;
mod families;
mod latents;
mod loops;
mod missing;
mod passes;

use criterion::{criterion_group, criterion_main};

use families::families;
use latents::latents;
use loops::{loops, products};
use missing::missing;
use passes::{listings, passes};

criterion_group!(
    kernels, loops, products, latents, families, missing, passes, listings
);
criterion_main!(kernels);
