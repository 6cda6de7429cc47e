//! Recursions of hidden Markov models over sequences of emission log densities.
//!
//! A sequence is a run of rows of one table of log densities (rows × states), which may be any
//! finite numbers or -inf. Forwards, `p_{t+1} = Aᵀ (p_t ∘ b_t)` predicts the next state;
//! backwards, `β_{t−1} = A (β_t ∘ b_t)` says how probable the rest is: one operation with the
//! transition matrix this way or that ([`sweep`]). Both run at once, and [`smoothing`] joins
//! them.
//!
//! Messages are scaled probabilities as long as none is below [`message::LEAST`], so that what
//! underflows beside them can not matter, and logarithms otherwise: right for left-to-right
//! chains, forbidden transitions and states that only the end of a sequence brings back, and as
//! fast as scaling where there are none.

pub mod chain;
pub mod message;
pub mod paths;
pub mod smoothing;
pub mod sweep;
pub mod viterbi;
