//! How far work on a whole volume has come.

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

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Blocks are looked up, read or copied.
    Blocks,
    /// Bytes of files are copied.
    Bytes,
}

/// Called now and then, on the caller's thread; an error from it ends the work and is returned.
pub type Watch<'a> = dyn FnMut(Progress) -> Result<()> + 'a;
