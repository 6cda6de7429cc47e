//! The expectation pass and what it is made of: pure functions of numbers.
//!
//! * [`rows`]: a block of observations, one feature after another;
//! * `lanes`, [`simd`], [`product`]: the vectorised loops everything rests on;
//! * [`stack`]: what can meet data (families, mixtures, linear Gaussian models);
//! * [`latent`]: what can stand behind a linear Gaussian likelihood;
//! * [`pass`]: blocks and the order of reduction; [`workers`]: threads, interruption;
//! * [`sequences`]: recursions over time.

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
pub mod workers;
