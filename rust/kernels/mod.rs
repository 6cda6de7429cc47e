//! The expectation pass and what it is made of: pure functions of numbers.
//!
//! * [`rows`]: a block of observations, one feature after another;
//! * `lanes`, [`simd`], [`product`]: the vectorised loops everything rests on;
//! * [`stack`]: what can meet data (families, mixtures, linear Gaussian models);
//! * [`latent`]: what can stand behind a linear Gaussian likelihood;
//! * [`sequences`]: recursions over time;
//! * [`pass`]: threads, blocks, the order of reduction, interruption.

pub mod error;
mod lanes;
pub mod latent;
pub mod pass;
pub mod product;
pub mod rows;
pub mod scratch;
pub mod sequences;
pub mod simd;
pub mod stack;
