//! Threads that share numbered tasks, watched over by the calling thread.
//!
//! Threads are scoped: there is no pool that a fork could leave without workers, and no idle
//! thread spins. Results come in the order of the tasks, whoever did them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kernels::error::KernelError;
use crate::kernels::scratch::Scratch;

/// Below this many operations work stays on the calling thread: starting one costs ~80 µs.
pub const PARALLEL_COST: f64 = 1e7;
/// How often the calling thread asks whether to go on.
const POLL: Duration = Duration::from_millis(20);

/// How a caller watches over the work.
pub struct Watch<'a> {
    /// How many threads may work.
    pub threads: usize,
    /// Asked about fifty times a second from the calling thread; true ends the work.
    pub interrupted: &'a mut dyn FnMut() -> bool,
}

/// One place for each task's result.
type Slots<T> = Mutex<Vec<Option<Result<T, KernelError>>>>;

/// Do the tasks `0..n_tasks`, on several threads when together they cost enough operations;
/// results in order of tasks. The first error ends the work.
///
/// # Errors
/// The first of the tasks' errors in their order, of those that were done; on interruption.
pub fn run<T: Send>(
    n_tasks: usize,
    cost: f64,
    watch: &mut Watch<'_>,
    task: impl Fn(usize, &mut Scratch<'_>) -> Result<T, KernelError> + Sync,
) -> Result<Vec<T>, KernelError> {
    let stop = AtomicBool::new(false);
    if cost < PARALLEL_COST {
        let mut scratch = Scratch::new(&stop);
        return (0..n_tasks).map(|i| task(i, &mut scratch)).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Slots<T> = Mutex::new((0..n_tasks).map(|_| None).collect());
    let finished = (Mutex::new(0_usize), Condvar::new());
    let n_workers = watch.threads.clamp(1, n_tasks.max(1));
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                // whatever happens, a panic included, the waiting caller is told
                let _guard = Finished(&finished);
                let mut scratch = Scratch::new(&stop);
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n_tasks {
                        break;
                    }
                    let result = task(i, &mut scratch);
                    let failed = result.is_err();
                    lock(&results)[i] = Some(result);
                    if failed {
                        next.store(n_tasks, Ordering::Relaxed);
                        break;
                    }
                }
            });
        }
        let mut done = lock(&finished.0);
        while *done < n_workers {
            let (guard, _) = finished
                .1
                .wait_timeout(done, POLL)
                .unwrap_or_else(PoisonError::into_inner);
            done = guard;
            if *done < n_workers && !stop.load(Ordering::Relaxed) {
                drop(done);
                if (watch.interrupted)() {
                    stop.store(true, Ordering::Relaxed);
                }
                done = lock(&finished.0);
            }
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(KernelError::Interrupted);
    }
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut error = None;
    let mut out = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Some(Ok(value)) => out.push(value),
            Some(Err(e)) => error = error.or(Some(e)),
            None => {}
        }
    }
    error.map_or(Ok(out), Err)
}

/// The lock, whoever panicked while holding it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a worker as finished when dropped.
struct Finished<'a>(&'a (Mutex<usize>, Condvar));

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0) += 1;
        self.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched<T: Send>(
        cost: f64,
        threads: usize,
        interrupted: &mut dyn FnMut() -> bool,
        task: impl Fn(usize, &mut Scratch<'_>) -> Result<T, KernelError> + Sync,
    ) -> Result<Vec<T>, KernelError> {
        run(
            50,
            cost,
            &mut Watch {
                threads,
                interrupted,
            },
            task,
        )
    }

    #[test]
    fn results_come_in_order() {
        for (cost, threads) in [(0.0, 1), (1e9, 1), (1e9, 3), (1e9, 80)] {
            let squares = watched(cost, threads, &mut || false, |i, _| Ok(i * i)).unwrap();
            assert_eq!(squares, (0..50).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_error_is_told() {
        for cost in [0.0, 1e9] {
            let found = watched(cost, 3, &mut || false, |i, _| {
                if i < 7 {
                    Ok(())
                } else {
                    Err(KernelError::Shape(i.to_string()))
                }
            });
            // tasks are handed out in order, so none before the seventh is left undone
            assert_eq!(found, Err(KernelError::Shape("7".into())));
        }
    }

    #[test]
    fn an_interruption_ends_the_work() {
        let found = watched(1e9, 2, &mut || true, |_, scratch| {
            while !scratch.stopped() {
                std::thread::yield_now();
            }
            Err::<(), _>(KernelError::Interrupted)
        });
        assert_eq!(found, Err(KernelError::Interrupted));
    }
}
