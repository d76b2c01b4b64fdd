//! How a case ended.

use serde::{Deserialize, Serialize};

/// How one case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The store does what the case pins.
    Passed,
    /// It doesn't.
    Failed,
    /// The case doesn't apply to what the store declares.
    Ignored,
    /// It failed, as a waiver says that it would.
    Waived,
}

impl Outcome {
    /// The outcome in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Ignored => "ignored",
            Self::Waived => "waived",
        }
    }
}

/// One case of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case's name.
    pub id: String,
    /// The part of the name before the point.
    pub group: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, or why it was ignored or waived.
    pub message: Option<String>,
    /// How long it took, in all repetitions.
    pub seconds: f64,
    /// What went wrong in which repetition, where there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A failure in one of several repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The repetition, counted from 1.
    pub repetition: usize,
    /// The seed to see it again with.
    pub seed: u64,
    /// What went wrong.
    pub message: String,
}
