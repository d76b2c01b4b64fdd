//! The engine against the conformance kit.

conformance::main!(engine_redb::REDB, |dir| format!("redb:{}", dir.join("store.redb").display()));
