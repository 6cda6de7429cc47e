//! Recursions over time.

pub mod kalman;
mod kalman_arrays;
mod kalman_backward;
mod kalman_forward;
mod kalman_jobs;
mod kalman_model;
mod kalman_moments;
mod kalman_paths;
mod kalman_random;
mod kalman_steps;
