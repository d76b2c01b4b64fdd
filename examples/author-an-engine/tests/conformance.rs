//! The engine against the conformance kit.

conformance::main!(author_an_engine::FJALL, |dir| format!("fjall:{}", dir.join("store").display()));
