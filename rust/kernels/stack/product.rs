//! Families side by side: stacks that each read columns of their own.

use std::sync::Arc;

use crate::kernels::error::{KernelError, require};
use crate::kernels::rows::Rows;
use crate::kernels::scratch::Scratch;
use crate::kernels::stack::Stack;

/// Products of the members of several stacks, their columns side by side. A member's sums are
/// its parts' sums, one after another.
pub struct ProductStack {
    parts: Vec<Arc<dyn Stack>>,
}

impl ProductStack {
    /// Products of `parts`, from left to right.
    ///
    /// # Errors
    /// When there are none, or they have not equally many members.
    pub fn new(parts: Vec<Arc<dyn Stack>>) -> Result<Self, KernelError> {
        require(!parts.is_empty(), || "parts: none".into())?;
        require(parts.iter().all(|p| p.count() == parts[0].count()), || {
            let counts: Vec<usize> = parts.iter().map(|p| p.count()).collect();
            format!("parts: {counts:?} members")
        })?;
        Ok(Self { parts })
    }
}

/// The columns of a part: neighbouring features of a block, which lie one after another.
fn columns<'a>(rows: &Rows<'a>, start: usize, features: usize) -> Rows<'a> {
    Rows::new(
        &rows.data[start * rows.stride..],
        features,
        rows.stride,
        rows.len,
    )
}

impl Stack for ProductStack {
    fn count(&self) -> usize {
        self.parts[0].count()
    }

    fn features(&self) -> usize {
        self.parts.iter().map(|p| p.features()).sum()
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|p| p.size()).sum()
    }

    fn cost(&self) -> f64 {
        self.parts.iter().map(|p| p.cost()).sum()
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.parts.iter().map(|p| p.cache_len(stride)).sum()
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        let mut start = 0;
        for part in &self.parts {
            part.add_log_base_measure(&columns(rows, start, part.features()), out);
            start += part.features();
        }
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        let (mut start, mut rest) = (0, cache);
        let mut logs = scratch.take_any(out.len());
        for (i, part) in self.parts.iter().enumerate() {
            let own = columns(rows, start, part.features());
            let (cache, after) = rest.split_at_mut(part.cache_len(rows.stride));
            if i == 0 {
                part.evaluate(&own, out, cache, scratch);
            } else {
                part.evaluate(&own, &mut logs, cache, scratch);
                for (o, l) in out.iter_mut().zip(logs.iter()) {
                    *o += l;
                }
            }
            start += part.features();
            rest = after;
        }
        scratch.give(logs);
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let (count, size) = (self.count(), self.size());
        let (mut start, mut at, mut rest) = (0, 0, cache);
        for part in &self.parts {
            let own = columns(rows, start, part.features());
            let (cache, after) = rest.split_at_mut(part.cache_len(rows.stride));
            let width = part.size();
            let mut added = scratch.take(count * width);
            part.accumulate(&own, weights, cache, &mut added, scratch);
            for (k, added) in added.chunks_exact(width).enumerate() {
                let place = k * size + at;
                for (s, a) in sums[place..place + width].iter_mut().zip(added) {
                    *s += a;
                }
            }
            scratch.give(added);
            start += part.features();
            at += width;
            rest = after;
        }
    }

    fn restrict(&self, observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        let mut start = 0;
        let mut parts: Vec<Arc<dyn Stack>> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let columns = start..start + part.features();
            let own: Vec<usize> = observed
                .iter()
                .filter(|f| columns.contains(f))
                .map(|f| f - start)
                .collect();
            start = columns.end;
            parts.push(if own.len() == part.features() {
                Arc::clone(part)
            } else {
                Arc::from(part.restrict(&own)?)
            });
        }
        Ok(Box::new(ObservedProducts {
            full: self.parts.clone(),
            known: Self { parts },
        }))
    }
}

/// Products of which only some columns are observed: parts tell nothing of one another.
struct ObservedProducts {
    full: Vec<Arc<dyn Stack>>,
    known: ProductStack,
}

impl Stack for ObservedProducts {
    fn count(&self) -> usize {
        self.known.count()
    }

    fn features(&self) -> usize {
        self.known.features()
    }

    fn size(&self) -> usize {
        self.known.size()
    }

    fn cost(&self) -> f64 {
        self.known.cost()
    }

    fn cache_len(&self, stride: usize) -> usize {
        self.known.cache_len(stride)
    }

    fn add_log_base_measure(&self, rows: &Rows<'_>, out: &mut [f64]) {
        self.known.add_log_base_measure(rows, out);
    }

    fn evaluate(&self, rows: &Rows<'_>, out: &mut [f64], cache: &mut [f64], scratch: &mut Scratch) {
        self.known.evaluate(rows, out, cache, scratch);
    }

    fn accumulate(
        &self,
        rows: &Rows<'_>,
        weights: &[f64],
        cache: &mut [f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        self.known.accumulate(rows, weights, cache, sums, scratch);
    }

    fn restrict(&self, _observed: &[usize]) -> Result<Box<dyn Stack>, KernelError> {
        Err(KernelError::MissingUnsupported)
    }

    fn lift(&self, sums: &[f64], full: &mut [f64]) {
        let count = self.count();
        let (size, full_size) = (self.size(), full.len() / count.max(1));
        let (mut at, mut full_at) = (0, 0);
        for (known, whole) in self.known.parts.iter().zip(&self.full) {
            // one part's sums of all members side by side, as its own lift takes them
            let gathered = gather(sums, count, size, at, known.size());
            let mut lifted = vec![0.0; count * whole.size()];
            known.lift(&gathered, &mut lifted);
            for (k, lifted) in lifted.chunks_exact(whole.size()).enumerate() {
                let place = k * full_size + full_at;
                for (f, l) in full[place..place + whole.size()].iter_mut().zip(lifted) {
                    *f += l;
                }
            }
            at += known.size();
            full_at += whole.size();
        }
    }
}

/// `width` numbers from `at` on of each of `count` runs of `size`.
fn gather(sums: &[f64], count: usize, size: usize, at: usize, width: usize) -> Vec<f64> {
    (0..count)
        .flat_map(|k| &sums[k * size + at..k * size + at + width])
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;
    use crate::kernels::stack::normal::{Covariance, NormalStack};
    use crate::kernels::stack::statistic::{Statistic, StatisticStack};

    /// Two normal columns with full covariances, two counts, and three categories.
    fn parts(count: usize, numbers: &[f64]) -> Vec<Arc<dyn Stack>> {
        let mut numbers = numbers.iter().copied().cycle();
        let mut many = |n: usize| -> Vec<f64> { numbers.by_ref().take(n).collect() };
        let means = many(2 * count);
        let factors = many(count)
            .iter()
            .flat_map(|s| [s.exp(), 0.0, *s, 1.0])
            .collect();
        let normals = NormalStack::new(Covariance::Full, 2, means, factors).unwrap();
        let statistic = |name: &str| Statistic::named(name, 0.0).unwrap();
        let rates = many(2 * count);
        let tops: Vec<f64> = rates.iter().map(|r| r.exp()).collect();
        let counts =
            StatisticStack::new(statistic("poisson"), 2, rates, tops.clone(), tops).unwrap();
        let categories = Statistic::Categorical { n_categories: 3 };
        let labels =
            StatisticStack::new(categories, 1, many(2 * count), many(2 * count), many(count))
                .unwrap();
        vec![Arc::new(normals), Arc::new(counts), Arc::new(labels)]
    }

    struct Results {
        logs: Vec<f64>,
        sums: Vec<f64>,
    }

    fn block(
        full: &dyn Stack,
        observed: Option<&[usize]>,
        data: &[f64],
        weights: &[f64],
    ) -> Results {
        let restricted = observed.map(|columns| full.restrict(columns).unwrap());
        let stack = restricted.as_deref().unwrap_or(full);
        let taken: Vec<f64> = match observed {
            Some(columns) => columns
                .iter()
                .flat_map(|f| &data[f * 32..(f + 1) * 32])
                .copied()
                .collect(),
            None => data.to_vec(),
        };
        let rows = Rows::new(&taken, stack.features(), 32, 32);
        let stop = AtomicBool::new(false);
        let mut scratch = Scratch::new(&stop);
        let mut logs = vec![f64::NAN; stack.count() * 32];
        let mut cache = vec![f64::NAN; stack.cache_len(32)];
        stack.evaluate(&rows, &mut logs, &mut cache, &mut scratch);
        for logs in logs.chunks_exact_mut(32) {
            stack.add_log_base_measure(&rows, logs);
        }
        let mut own = vec![0.0; stack.count() * stack.size()];
        stack.accumulate(&rows, weights, &mut cache, &mut own, &mut scratch);
        let mut sums = vec![0.0; full.count() * full.size()];
        stack.lift(&own, &mut sums);
        Results { logs, sums }
    }

    proptest! {
        #[test]
        fn products_are_their_parts_whatever_is_missing(
            count in 1..5_usize,
            numbers in prop::collection::vec(-1.0..1.0_f64, 40),
            reals in prop::collection::vec(-3.0..3.0_f64, 64),
            counts in prop::collection::vec((0..40_u8).prop_map(f64::from), 64),
            labels in prop::collection::vec((0..3_u8).prop_map(f64::from), 32),
            weights in prop::collection::vec(0.0..2.0_f64, 4 * 32),
            mask in 0..32_usize,
        ) {
            let parts = parts(count, &numbers);
            let weights = &weights[..count * 32];
            let data = [reals.as_slice(), &counts, &labels].concat();
            let observed: Vec<usize> = (0..5).filter(|f| mask >> f & 1 == 1).collect();
            let observed = (observed.len() < 5).then_some(observed);
            let product = ProductStack::new(parts.clone()).unwrap();
            let found = block(&product, observed.as_deref(), &data, weights);
            let (mut start, mut at) = (0, 0);
            let mut logs = vec![0.0; count * 32];
            for part in &parts {
                let end = start + part.features();
                let own: Option<Vec<usize>> = observed.as_ref().map(|columns| {
                    let own = columns.iter().filter(|f| (start..end).contains(f));
                    own.map(|f| f - start).collect()
                });
                let own = own.filter(|columns| columns.len() < part.features());
                let alone = block(
                    part.as_ref(), own.as_deref(), &data[start * 32..end * 32], weights,
                );
                for (l, a) in logs.iter_mut().zip(&alone.logs) {
                    *l += a;
                }
                let gathered = gather(&found.sums, count, product.size(), at, part.size());
                prop_assert_eq!(gathered, alone.sums);
                at += part.size();
                start = end;
            }
            for (found, alone) in found.logs.iter().zip(&logs) {
                prop_assert!((found - alone).abs() <= 1e-12 * (1.0 + alone.abs()));
            }
        }
    }

    #[test]
    fn parts_must_be_equally_many() {
        let (two, three) = (parts(2, &[0.5]), parts(3, &[0.5]));
        assert!(ProductStack::new(vec![]).is_err());
        assert!(ProductStack::new(vec![two[0].clone(), three[1].clone()]).is_err());
    }
}
