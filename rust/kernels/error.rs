//! The one error type of the kernels.

use std::fmt;

/// Why a kernel could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelError {
    /// A length or index does not fit; the text names the argument and the rule.
    Shape(String),
    /// A matrix that must be positive definite is not; the text names it.
    NotPositiveDefinite(&'static str),
    /// This model has no kernel for partly observed rows.
    MissingUnsupported,
    /// A row of a sequence has density zero in every state that can be reached.
    Impossible(usize),
    /// The caller asked for the work to stop.
    Interrupted,
}

impl KernelError {
    /// The same, its rows counted from `origin`.
    #[must_use]
    pub fn counted_from(self, origin: usize) -> Self {
        match self {
            Self::Impossible(row) => Self::Impossible(origin + row),
            other => other,
        }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(message) => formatter.write_str(message),
            Self::NotPositiveDefinite(what) => write!(formatter, "{what} is not positive definite"),
            Self::MissingUnsupported => {
                formatter.write_str("no kernel for partly observed rows of this model")
            }
            Self::Impossible(row) => write!(
                formatter,
                "x: row {row} has density zero in every state that can be reached there"
            ),
            Self::Interrupted => formatter.write_str("interrupted"),
        }
    }
}

impl std::error::Error for KernelError {}

/// `Err(Shape)` with the message unless `condition` holds.
///
/// # Errors
/// When the condition does not hold.
pub fn require(condition: bool, message: impl FnOnce() -> String) -> Result<(), KernelError> {
    if condition {
        Ok(())
    } else {
        Err(KernelError::Shape(message()))
    }
}
