//! Buffers that a worker uses again and again, and its view of the stop flag.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// Numbers in a line of the cache: buffers start at one, so that no register straddles two.
const LINE: usize = 8;

/// Numbers that start at a line of the cache.
pub struct Buffer {
    store: Vec<f64>,
    start: usize,
    len: usize,
}

impl Buffer {
    fn new(room: usize) -> Self {
        let store = vec![0.0; room + LINE];
        // where an address can not be told, speed alone is lost
        let start = store.as_ptr().align_offset(8 * LINE).min(LINE);
        Self {
            store,
            start,
            len: room,
        }
    }

    fn room(&self) -> usize {
        self.store.len() - LINE
    }
}

impl Deref for Buffer {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.store[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.store[self.start..self.start + self.len]
    }
}

/// A worker's reusable buffers.
pub struct Scratch<'a> {
    free: Vec<Buffer>,
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
    pub fn take(&mut self, len: usize) -> Buffer {
        let mut buffer = self.take_any(len);
        buffer.fill(0.0);
        buffer
    }

    /// A buffer of `len` numbers without meaning, to be written before they are read.
    pub fn take_any(&mut self, len: usize) -> Buffer {
        // the smallest that fits: one of a gigabyte is not for a few weights
        let best = (0..self.free.len())
            .filter(|&i| self.free[i].room() >= len)
            .min_by_key(|&i| self.free[i].room());
        let mut buffer = best.map_or_else(|| Buffer::new(len), |i| self.free.swap_remove(i));
        buffer.len = len;
        buffer
    }

    /// Hand a buffer back.
    pub fn give(&mut self, buffer: Buffer) {
        self.free.push(buffer);
    }

    /// Whether the caller has asked for the work to end: long loops look now and then,
    /// and may then leave their results unfinished.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buffers_are_as_long_as_asked_and_aligned(lens in prop::collection::vec(0..3000_usize, 1..40)) {
            let stop = AtomicBool::new(false);
            let mut scratch = Scratch::new(&stop);
            let mut taken = Vec::new();
            for (i, len) in lens.into_iter().enumerate() {
                let mut buffer = scratch.take(len);
                prop_assert!(buffer.len() == len && buffer.iter().all(|x| *x == 0.0));
                prop_assert!(buffer.as_ptr().align_offset(8 * LINE) == 0);
                buffer.fill(f64::NAN);
                taken.push(buffer);
                if i % 3 == 2 {
                    scratch.give(taken.swap_remove(i % taken.len()));
                }
            }
        }
    }

    #[test]
    fn a_large_buffer_waits_for_a_large_need() {
        let stop = AtomicBool::new(false);
        let mut scratch = Scratch::new(&stop);
        let (small, large) = (scratch.take(10), scratch.take(10_000));
        scratch.give(small);
        scratch.give(large);
        assert!(scratch.take_any(5).room() == 10 && scratch.take_any(20).room() == 10_000);
    }
}
