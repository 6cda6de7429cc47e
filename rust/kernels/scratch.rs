//! Buffers that a worker uses again and again, and its view of the stop flag.

use std::sync::atomic::{AtomicBool, Ordering};

/// A worker's reusable buffers.
pub struct Scratch<'a> {
    free: Vec<Vec<f64>>,
    stop: &'a AtomicBool,
}

impl<'a> Scratch<'a> {
    /// An empty pool that watches `stop`.
    pub fn new(stop: &'a AtomicBool) -> Self {
        Self {
            free: Vec::new(),
            stop,
        }
    }

    /// A buffer of `len` numbers, all zero.
    pub fn take(&mut self, len: usize) -> Vec<f64> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(len, 0.0);
        buffer
    }

    /// Hand a buffer back.
    pub fn give(&mut self, buffer: Vec<f64>) {
        self.free.push(buffer);
    }

    /// Whether the caller has asked for the work to end: long loops look now and then,
    /// and may then leave their results unfinished.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
