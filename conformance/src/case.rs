//! A case: one behaviour, with a name, a reason, and what a store must declare for it to apply.

use std::fmt;

use crate::context::Context;
use crate::need::Need;
use crate::verdict::Verdict;

/// One behaviour that the kit pins.
#[derive(Clone, Copy)]
pub struct Case {
    /// The name, such as `scan.prefix-includes-0xff-suffix`; what stands before the point is the group.
    pub id: &'static str,
    /// The behaviour, in a sentence.
    pub pins: &'static str,
    /// The rule that asks for it, or the defect seen elsewhere that it keeps out.
    pub why: &'static str,
    /// What a store must declare; all of it.
    pub needs: &'static [Need],
    pub(crate) run: fn(&Context) -> Verdict,
}

impl Case {
    pub(crate) const fn new(
        id: &'static str,
        run: fn(&Context) -> Verdict,
        pins: &'static str,
        why: &'static str,
    ) -> Self {
        Self { id, pins, why, needs: &[], run }
    }

    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// The part of the id before the point.
    pub fn group(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(group, _)| group)
    }

    /// Whether the case plays random programs or histories beside a model: such a case finds a defect, and doesn't name
    /// it. Their names say so.
    pub fn is_random(&self) -> bool {
        ["random", "agrees-with-model", "agree-with-model"].iter().any(|word| self.id.contains(word))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).field("needs", &self.needs).finish_non_exhaustive()
    }
}
