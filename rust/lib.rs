//! Kernels of the harmonium library: numbers in, numbers out.
pub mod kernels;

#[cfg(feature = "python")]
mod bindings;
