//! Stores that are wrong in one way each, to prove the kit by: each must be caught by the cases that are named for it,
//! and the store that they are made of by none.
//!
//! ```
//! use conformance::{Options, mutants};
//!
//! let drops = mutants::catalogue().find(|mutant| mutant.name() == "drops-deletes").unwrap();
//! let kill = drops.hunt(&Options::new());
//! assert!(kill.is_caught() && kill.caught_by.contains(&"point.delete-makes-key-absent".to_owned()));
//! ```

mod engine;
mod flaw;
mod graph;
mod kill;
mod log;
mod render;
mod store;
mod table;
mod twist;
mod view;
mod workers;

use std::sync::LazyLock;

use engine_api::Engine;

use crate::target::Target;
use engine::MutantEngine;
use flaw::Flaw;
use table::{REFERENCE, TABLE, WITH_GRAPHS};

pub use kill::{Kill, KillTable, Missed, Scope, kill_table};
pub(crate) use workers::serve;

/// A store that is wrong in one way.
#[derive(Debug)]
pub struct Mutant {
    name: &'static str,
    flaw: Flaw,
    wrong: &'static str,
    cases: &'static [&'static str],
    hangs: bool,
}

impl Mutant {
    const fn new(
        name: &'static str,
        flaw: Flaw,
        wrong: &'static str,
        cases: &'static [&'static str],
    ) -> Self {
        Self { name, flaw, wrong, cases, hangs: false }
    }

    /// One that is caught by not coming to an end.
    const fn hanging(
        name: &'static str,
        flaw: Flaw,
        wrong: &'static str,
        cases: &'static [&'static str],
    ) -> Self {
        Self { name, flaw, wrong, cases, hangs: true }
    }

    /// The name, such as `drops-deletes`; also the scheme of its engine.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is wrong, in a sentence.
    pub fn wrong(&self) -> &'static str {
        self.wrong
    }

    /// The cases that are named for it: each must catch it.
    pub fn cases(&self) -> &'static [&'static str] {
        self.cases
    }

    /// The mutant as a target of the kit.
    pub fn target(&'static self) -> Target {
        let found = ENGINES.iter().find(|engine| engine.mutant.name == self.name);
        let engine = found.unwrap_or(&ENGINES[0]);
        let scheme = self.name;
        Target::new(engine, move |folder| format!("{scheme}:{}/store", folder.display()))
    }
}

static ENGINES: LazyLock<Vec<MutantEngine>> = LazyLock::new(|| {
    [&REFERENCE, &WITH_GRAPHS].into_iter().chain(catalogue()).map(MutantEngine::new).collect()
});

/// Every mutant.
pub fn catalogue() -> impl Iterator<Item = &'static Mutant> {
    TABLE.into_iter().flatten()
}

/// The store that the mutants are made of, without a flaw.
pub fn reference() -> Target {
    REFERENCE.target()
}

/// The same with [graphs of its own](engine_api::Store::graph), without a flaw.
pub fn reference_with_graphs() -> Target {
    WITH_GRAPHS.target()
}

/// The engines of all mutants, for a child process that is to open one.
pub(crate) fn engines() -> impl Iterator<Item = &'static dyn Engine> {
    ENGINES.iter().map(|engine| engine as &'static dyn Engine)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_flaws_are_told_apart() {
        let mut seen = HashSet::new();
        for mutant in catalogue() {
            assert!(seen.insert(mutant.name), "{} is there twice", mutant.name);
            let same = catalogue().filter(|other| other.flaw == mutant.flaw).count();
            assert_eq!(same, 1, "{:?} has two names", mutant.flaw);
            assert!(mutant.wrong.ends_with('.') && mutant.wrong.len() > 10, "{}", mutant.wrong);
        }
    }

    #[test]
    fn the_cases_that_are_named_are_there() {
        for mutant in catalogue() {
            assert!(!mutant.cases.is_empty(), "{} has no case", mutant.name);
            for id in mutant.cases {
                assert!(crate::catalogue().any(|case| case.id == *id), "{} names {id}", mutant.name);
            }
        }
    }
}
