//! The engine against the conformance kit.

conformance::main!(engine_sqlite::SQLITE, |dir| format!("sqlite:{}", dir.join("store.sqlite").display()));
