//! Printed tests, as they were pasted, on an engine that is sound: see `replay.rs`.
#![allow(unused_qualifications, reason = "they name their engine from the crate's root")]

use engine_api::MEMORY as ENGINE;

include!("pasted/operations.rs");
include!("pasted/history.rs");
