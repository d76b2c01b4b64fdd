//! Every mutant, with the cases that are named for it.

mod declarations;
mod files;
mod reads;
mod writes;

use super::Mutant;
use super::flaw::Flaw;

pub(super) const TABLE: [&[Mutant]; 4] =
    [reads::MUTANTS, writes::MUTANTS, declarations::MUTANTS, files::MUTANTS];

/// The store that all mutants are, without a flaw.
pub(super) static REFERENCE: Mutant =
    Mutant::new("sound", Flaw::None, "Nothing: it is the store that the mutants are made of.", &[]);
