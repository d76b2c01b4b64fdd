//! The engine against the conformance kit.

conformance::main!(engine_lmdb::LMDB, |dir| format!("lmdb:{}", dir.join("store.lmdb").display()));
