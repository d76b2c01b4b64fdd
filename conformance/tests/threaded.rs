//! The kit on an engine that answers from another thread, through the bridge.
#![allow(clippy::unwrap_used, reason = "a test engine that can't go on has failed")]

#[path = "../../engine-api/tests/threaded/mod.rs"]
mod threaded;

conformance::main!(threaded::ThreadedEngine, |_| "threaded:".to_owned());
