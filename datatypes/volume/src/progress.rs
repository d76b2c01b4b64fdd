//! How far an import has come.

use downres::ScaleProgress;
use engine_api::Result;

/// What is being done, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// How much there is of it.
    pub total: u64,
}

/// A part of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Slices of the image are read, and written at full resolution.
    Slices,
    /// Chunks of a scale are made; those of scale 0 with all that is made from them.
    Scale(usize),
}

/// Called now and then, perhaps from other threads, one at a time; an error from it ends the work and is returned.
pub type WatchImport<'a> = dyn FnMut(Progress) -> Result<()> + Send + 'a;

impl From<ScaleProgress> for Progress {
    fn from(progress: ScaleProgress) -> Self {
        Self { stage: Stage::Scale(progress.scale), done: progress.done, total: progress.chunks }
    }
}
