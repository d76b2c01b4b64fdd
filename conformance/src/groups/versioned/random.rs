//! Random histories against the rule as it reads.

use super::NEEDS;
use crate::case::Case;
use crate::context::Context;
use crate::model::{Weights, history_agrees};
use crate::verdict::Verdict;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.random-history-agrees-with-the-rule",
        random_history_agrees_with_the_rule,
        "In random histories with merges of two and three, each key at each version is what the rule on sets says.",
        "DVID's walk parts from its own rule in one history of a hundred thousand.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.random-ranges-agree-with-the-rule",
        random_ranges_agree_with_the_rule,
        "In random histories, ranges at each version give the keys that the rule on sets says, conflicts among them.",
        "Ranges resolve by another path than single keys.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.random-conflicts-agree-with-the-rule",
        random_conflicts_agree_with_the_rule,
        "In random histories, the conflicts of a merge of any versions are the rule's, before it is made and after.",
        "What is foreseen is only worth something if it is what comes.",
    )
    .needs(NEEDS),
];

fn random_history_agrees_with_the_rule(ctx: &Context) -> Verdict {
    let case = "versioned.random-history-agrees-with-the-rule";
    history_agrees(ctx, case, Weights { keys: 16, ranges: 2, conflicts: 2 })
}

fn random_ranges_agree_with_the_rule(ctx: &Context) -> Verdict {
    let case = "versioned.random-ranges-agree-with-the-rule";
    history_agrees(ctx, case, Weights { keys: 2, ranges: 20, conflicts: 2 })
}

fn random_conflicts_agree_with_the_rule(ctx: &Context) -> Verdict {
    let case = "versioned.random-conflicts-agree-with-the-rule";
    history_agrees(ctx, case, Weights { keys: 2, ranges: 2, conflicts: 16 })
}
