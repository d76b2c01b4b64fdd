//! Reading a range.

use std::rc::Rc;

use engine_api::{Direction, Store};

use super::Plan;
use crate::Outcome;
use crate::contest::{Contest, Side};
use crate::data;
use crate::ours::{cursor, scan};
use crate::peer::Ranges;
use crate::stage::{RUN, Stage};

type Ours = for<'s> fn(&'s dyn Store, Ranges, Direction) -> Outcome<Side<'s>>;

pub(super) fn plans<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let targets = stage.contender.targets();
    let plan = |operation, target, direction, ours| {
        Plan::new(operation, target, move || scans(stage, direction, ours))
    };
    vec![
        plan("scan of 1000 × 100 B, visitor", targets.visitor, Direction::Forward, scan as Ours),
        plan("scan of 1000 × 100 B, lending cursor", targets.cursor, Direction::Forward, cursor),
        plan("reverse scan of 1000 × 100 B, visitor", targets.visitor, Direction::Reverse, scan),
        plan("reverse scan of 1000 × 100 B, lending cursor", targets.cursor, Direction::Reverse, cursor),
    ]
}

fn scans<'a>(stage: &'a Stage<'_>, direction: Direction, ours: Ours) -> Outcome<Contest<'a>> {
    let subject = stage.small()?;
    let ranges =
        data::shuffled_by(stage.scale.small / RUN, |run| (data::key(run * RUN), data::key((run + 1) * RUN)));
    let raw = match &subject.peer {
        Some(peer) => peer.scans(Rc::clone(&ranges), direction)?,
        None => Vec::new(),
    };
    Ok(Contest::of(raw, ours(&*subject.store, ranges, direction)?))
}
