//! Every mutant, with the cases that are named for it.

mod declarations;
mod files;
mod graphs;
mod reads;
mod writes;

use super::Mutant;
use super::flaw::Flaw;
use super::graph::GraphFlaw;

pub(super) const TABLE: [&[Mutant]; 5] =
    [reads::MUTANTS, writes::MUTANTS, declarations::MUTANTS, files::MUTANTS, graphs::MUTANTS];

/// The store that all mutants are, without a flaw.
pub(super) static REFERENCE: Mutant =
    Mutant::new("sound", Flaw::None, "Nothing: it is the store that the mutants are made of.", &[]);

/// The same with graphs of its own, without a flaw.
pub(super) static WITH_GRAPHS: Mutant = Mutant::new(
    "sound-with-graphs",
    Flaw::Graph(GraphFlaw::None),
    "Nothing: it is the store that the mutants with graphs are made of.",
    &[],
);
