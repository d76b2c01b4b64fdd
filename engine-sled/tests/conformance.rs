//! The engine against the conformance kit.

conformance::main!(engine_sled::SLED, |dir| format!("sled:{}", dir.join("store.sled").display()));
