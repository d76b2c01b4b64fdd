//! The reference engine passes every case that applies to it.

conformance::main!(engine_api::MEMORY, |_| "memory:".to_owned());
