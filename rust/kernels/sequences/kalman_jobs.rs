//! Sequences shared among threads: jobs are cut by the data alone, and their results come back in
//! order, so that sums are the same to the last bit for any number of threads.

use std::sync::Mutex;

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;
use crate::kernels::workers::{self, Watch, lock};

/// Rows of sequences that make a job.
const JOB_ROWS: usize = 4096;

/// Runs of neighbouring sequences, as ranges of `offsets`.
pub fn cut(offsets: &[usize]) -> Vec<(usize, usize)> {
    let mut jobs = Vec::new();
    let mut begin = 0;
    for end in 1..offsets.len() {
        if offsets[end] - offsets[begin] >= JOB_ROWS || end + 1 == offsets.len() {
            jobs.push((begin, end));
            begin = end;
        }
    }
    jobs
}

/// Do all jobs, which own what they write; results in order.
///
/// # Errors
/// The first job's that failed; on interruption.
pub fn run<J: Send, T: Send>(
    jobs: Vec<J>,
    cost: f64,
    watch: &mut Watch<'_>,
    work: impl Fn(J, &Scratch<'_>) -> Result<T, KernelError> + Sync,
) -> Result<Vec<T>, KernelError> {
    let queue: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|j| Mutex::new(Some(j))).collect();
    let done = workers::run(queue.len(), cost, watch, |i, scratch| {
        // each job is taken once, so there is always one
        let job = lock(&queue[i]).take();
        job.map(|job| work(job, scratch)).transpose()
    })?;
    Ok(done.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_whole_sequences_in_order() {
        let offsets = [0, 3000, 6000, 6001, 16_000, 16_002];
        assert_eq!(cut(&offsets), [(0, 2), (2, 4), (4, 5)]);
    }

    #[test]
    fn results_come_in_order() {
        let mut never = || false;
        let mut watch = Watch {
            threads: 3,
            interrupted: &mut never,
        };
        let doubled = run((0..100).collect(), 1e9, &mut watch, |i, _| Ok(2 * i)).unwrap();
        assert_eq!(doubled, (0..100).map(|i| 2 * i).collect::<Vec<_>>());
    }
}
