//! One program on every engine: the engine is a word in a URL, and nothing else changes.
//!
//! ```sh
//! cargo run -p kvdag --example every_engine
//! cargo run -p kvdag --example every_engine -- lmdb:notes.lmdb "sqlite:notes.sqlite?page-size=16KiB"
//! ```
//!
//! Without URLs it makes a store of each engine that is linked, in a folder that goes again.

use std::error::Error;

use kvdag::key::VersionId;
use kvdag::keyvalue::KeyValue;
use kvdag::{Bytes, Fetch, KeyRange, Persistence};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut urls: Vec<_> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        for engine in kvdag::registry()?.engines() {
            let engine = engine.descriptor();
            urls.push(match engine.capabilities.persistence {
                Persistence::Memory => format!("{}:", engine.name),
                _ => format!("{0}:{1}/notes.{0}", engine.name, folder.path().display()),
            });
        }
    }
    let mut answers = Vec::new();
    for url in &urls {
        let answer = program(url)?;
        println!("{url}\n  as observed: {}\n  as drafted:  {}", answer.0, answer.1);
        answers.push(answer);
    }
    if answers.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err("two engines answer differently".into());
    }
    Ok(())
}

/// What a program does with versioned data; it never asks which engine holds it.
fn program(url: &str) -> kvdag::Result<(String, String)> {
    let store = kvdag::open_versioned(url)?;
    let repo = store.create_repo("atlas", None)?;
    let notes = KeyValue::create(&store, repo.id, "notes")?;
    notes
        .at(repo.root)
        .put_many([("axon", Bytes::from("leaves to the left")), ("soma", Bytes::from("at 120, 80, 33"))])?;
    store.commit_version(repo.root, "as observed")?;

    let draft = store.new_version(repo.root, Some("draft"))?;
    notes.at(draft.id).put(b"soma", "at 121, 80, 33")?;
    notes.at(draft.id).delete(b"axon")?;

    let at = |version: VersionId| -> kvdag::Result<String> {
        let mut lines = Vec::new();
        notes.at(version).visit(&KeyRange::prefix(b""), Fetch::Entries, |key, resolved| {
            let value = resolved.into_value()?.unwrap_or_default();
            lines.push(format!("{} {}", String::from_utf8_lossy(key), String::from_utf8_lossy(&value)));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(lines.join("; "))
    };
    Ok((at(repo.root)?, at(draft.id)?))
}
