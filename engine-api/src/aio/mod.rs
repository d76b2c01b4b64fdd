//! Both directions between threads that wait and tasks that must not.
//!
//! - [`AsyncHandle`] is what async applications call on any store. It hops to a blocking thread once per call
//!   or page where the store's [`execution`](crate::Execution) says that calls block, and not at all where
//!   they are inline: a hop costs tens of microseconds, a warm get under one.
//!   [`hop()`] is that hop by itself, for what makes several calls in one.
//! - [`AsyncStore`] is what the author of an engine across a network implements, and [`Bridge`] makes it a
//!   [`Store`](crate::Store), so that versions, datatypes and conformance run on it unchanged.

mod bridge;
mod handle;
mod hop;
mod store;

pub use bridge::Bridge;
pub use handle::{AsyncHandle, Pages};
pub use hop::hop;
pub use store::{AsyncStore, AsyncView, Page, PageRequest};
