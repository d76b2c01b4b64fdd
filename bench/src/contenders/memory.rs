//! The engine in memory, for reference: it has no other interface than the framework's.

use std::path::Path;

use engine_api::{Engine, MEMORY, MemoryStore};

use super::{Contender, Subject};
use crate::Outcome;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory;

impl Contender for Memory {
    fn name(&self) -> String {
        MEMORY.descriptor().name.to_owned()
    }

    fn create(&self, _: &Path) -> Outcome<Subject> {
        Ok(Subject { store: Box::new(MemoryStore::new()), peer: None })
    }
}
