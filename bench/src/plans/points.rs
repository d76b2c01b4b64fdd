//! Reading one key.

use std::rc::Rc;

use engine_api::Store;

use super::Plan;
use crate::Outcome;
use crate::contenders::Subject;
use crate::contest::{Contest, Side};
use crate::data;
use crate::ours::{get_borrowed, get_owned};
use crate::peer::{Keys, Snapshot};
use crate::stage::Stage;
use crate::target::Target;

type Ours = for<'s> fn(&'s dyn Store, Keys, Snapshot) -> Outcome<Side<'s>>;

pub(super) fn plans<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let small = |operation, target, snapshot, ours| {
        Plan::new(operation, target, move || gets(stage.small()?, stage.scale.small, snapshot, ours))
    };
    let large = |operation, target, ours| {
        Plan::new(operation, target, move || gets(stage.large()?, stage.scale.large, Snapshot::Held, ours))
    };
    let targets = stage.contender.targets();
    let (borrowed, lent, copied) = (Target::Ratio(1.10), Target::Ratio(1.05), Target::Ratio(1.90));
    vec![
        small("get 100 B, borrowed, view held", borrowed, Snapshot::Held, get_borrowed as Ours),
        small("get 100 B, owned, view held", targets.owned, Snapshot::Held, get_owned),
        small("get 100 B, borrowed, a view each", borrowed, Snapshot::Each, get_borrowed),
        small("get 100 B, owned, a view each", targets.owned, Snapshot::Each, get_owned),
        large("get 64 KiB, borrowed, view held", lent, get_borrowed as Ours),
        if targets.lends {
            large("get 64 KiB, owned (lent, no copy), view held", lent, get_owned)
        } else {
            large("get 64 KiB, owned (copied), view held", copied, get_owned)
        },
    ]
}

fn gets(subject: &Subject, count: usize, snapshot: Snapshot, ours: Ours) -> Outcome<Contest<'_>> {
    let keys = data::shuffled_by(count, data::key);
    let raw = subject.peer.as_ref().map(|peer| peer.get(Rc::clone(&keys), snapshot)).transpose()?;
    Ok(Contest::of(raw.into_iter().collect(), ours(&*subject.store, keys, snapshot)?))
}
