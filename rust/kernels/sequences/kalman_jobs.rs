//! Sequences shared among threads: jobs are cut by the data alone, and their results come back in
//! order, so that sums are the same to the last bit for any number of threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::kernels::error::KernelError;
use crate::kernels::pass::Watch;

/// Rows of sequences that make a job.
const JOB_ROWS: usize = 4096;
/// Rows below which everything runs on the calling thread: starting one costs ~80 µs.
const FEW_ROWS: usize = 512;
/// How often the calling thread asks whether to go on.
const POLL: Duration = Duration::from_millis(20);

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

/// Do all jobs; results in order.
///
/// # Errors
/// The first job's that failed; on interruption.
pub fn run<J: Send, T: Send>(
    jobs: Vec<J>,
    rows: usize,
    watch: &mut Watch<'_>,
    work: impl Fn(J, &AtomicBool) -> Result<T, KernelError> + Sync,
) -> Result<Vec<T>, KernelError> {
    let stop = AtomicBool::new(false);
    if rows <= FEW_ROWS {
        return jobs.into_iter().map(|job| work(job, &stop)).collect();
    }
    let n_jobs = jobs.len();
    let queue: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|j| Mutex::new(Some(j))).collect();
    let results: Vec<Mutex<Option<Result<T, KernelError>>>> =
        (0..n_jobs).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let finished = (Mutex::new(0_usize), Condvar::new());
    let n_workers = watch.threads.clamp(1, n_jobs.max(1));
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                // whatever happens, a panic included, the waiting caller is told
                let _guard = Finished(&finished);
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = queue.get(i).and_then(|slot| locked(slot).take()) else {
                        break;
                    };
                    let result = work(job, &stop);
                    let failed = result.is_err();
                    *locked(&results[i]) = Some(result);
                    if failed {
                        next.store(n_jobs, Ordering::Relaxed);
                        break;
                    }
                }
            });
        }
        let mut done = locked(&finished.0);
        while *done < n_workers {
            let waited = finished.1.wait_timeout(done, POLL);
            done = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *done < n_workers && !stop.load(Ordering::Relaxed) {
                drop(done);
                if (watch.interrupted)() {
                    stop.store(true, Ordering::Relaxed);
                }
                done = locked(&finished.0);
            }
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(KernelError::Interrupted);
    }
    results
        .into_iter()
        .filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a worker as finished when dropped.
struct Finished<'a>(&'a (Mutex<usize>, Condvar));

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        *locked(&self.0.0) += 1;
        self.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_whole_sequences_in_order() {
        let offsets = [0, 3000, 6000, 6001, 16_000, 16_002];
        let jobs = cut(&offsets);
        assert_eq!(jobs, [(0, 2), (2, 4), (4, 5)]);
    }

    #[test]
    fn results_come_in_order_and_interruption_is_an_error() {
        let mut never = || false;
        let mut watch = Watch {
            threads: 3,
            interrupted: &mut never,
        };
        let doubled = run((0..100).collect(), 100_000, &mut watch, |i, _| Ok(2 * i)).unwrap();
        assert_eq!(doubled, (0..100).map(|i| 2 * i).collect::<Vec<_>>());
        let mut at_once = || true;
        let mut watch = Watch {
            threads: 2,
            interrupted: &mut at_once,
        };
        let stopped = run(vec![0, 1], 100_000, &mut watch, |_, stop| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Ok(())
        });
        assert_eq!(stopped, Err(KernelError::Interrupted));
    }
}
