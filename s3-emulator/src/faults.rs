//! What a server may do otherwise than S3 does.

/// What becomes of a put with `If-None-Match` or `If-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// It is done where the condition holds, and answered with 412 where it doesn't.
    #[default]
    Honoured,
    /// It is done whatever the condition says, as by servers that don't know of it.
    Ignored,
    /// It is answered with 501.
    Refused,
}

/// The faults that a server is to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) conditions: Conditions,
    /// Requests that are still to be answered with 503.
    pub(crate) failures: usize,
    /// Conditional puts that are still to be answered with 409.
    pub(crate) conflicts: usize,
    /// Puts until the one whose answer is lost.
    pub(crate) lose_put: Option<usize>,
}
