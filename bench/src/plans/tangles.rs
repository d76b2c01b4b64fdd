//! Reading keys through the read rule, where most entries are others' or the history is full of merges.

use std::rc::Rc;

use engine_api::Direction;
use engine_api::key::TKey;

use super::Plan;
use crate::Outcome;
use crate::contest::{Contest, Side};
use crate::data;
use crate::history::tkey;
use crate::peer::{Keys, Ranges, Snapshot};
use crate::stage::Stage;
use crate::tangle::{Shape, Tangle};
use crate::target::Target;

const MISSED: &str = "a key isn't what it must be for the reader";

pub(super) fn plans<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let foreign = stage.contender.targets().foreign;
    let plan = |(which, shape): (usize, &Shape)| match *shape {
        Shape::Branches(entries) => {
            let name =
                format!("versioned get 100 B, V = {entries}, 90% foreign at random branches, view held");
            Plan::new(name, foreign, move || found(stage.tangle(which)?))
        }
        Shape::Run(entries) => {
            let name = format!("versioned get 100 B, V = {entries}, 90% foreign in one run, view held");
            Plan::new(name, foreign, move || found(stage.tangle(which)?))
        }
        Shape::Alternating { entries, apart } => {
            let name = format!(
                "versioned get of nothing, V = {entries}, all foreign, empty ancestors between, {apart} versions \
                 apart, beside a raw scan of them"
            );
            Plan::new(name, Target::Ratio(1.6), move || nothing(stage.tangle(which)?))
        }
        Shape::Diamonds(count) => {
            let name =
                format!("versioned get 100 B, from the root through {count} stacked merges, view held");
            Plan::new(name, Target::Within(10_000.0), move || found(stage.tangle(which)?))
        }
    };
    stage.scale.shapes.iter().enumerate().map(plan).collect()
}

fn get(tangle: &Tangle, read: fn(Option<&[u8]>) -> Outcome<u64>) -> Outcome<Side<'_>> {
    let reader = tangle.store.reader(&tangle.reader)?;
    let tkeys: Rc<[TKey]> = data::shuffled_by(tangle.keys, tkey);
    Ok(Side::over("ours", tkeys, move |tkey| {
        let mut answer = Ok(0);
        let found = reader.get_with(tkey, &mut |value| answer = read(Some(value)))?;
        if found { answer } else { read(None) }
    }))
}

/// Beside reading the very entries that answer.
fn found(tangle: &Tangle) -> Outcome<Contest<'_>> {
    let answers: Option<Vec<_>> =
        data::shuffled(tangle.keys).into_iter().map(|number| tangle.answers[number].clone()).collect();
    let answers: Keys = answers.ok_or(MISSED)?.into();
    let raw = tangle.subject.peer.as_ref().map(|peer| peer.get(answers, Snapshot::Held)).transpose()?;
    let ours = get(tangle, |value| Ok(data::digest(value.ok_or(MISSED)?)))?;
    Ok(Contest::of(raw.into_iter().collect(), ours))
}

/// Beside stepping over all entries of the key.
fn nothing(tangle: &Tangle) -> Outcome<Contest<'_>> {
    let group = |number| tangle.reader.unversioned_key_prefix(&tkey(number));
    let groups: Ranges = data::shuffled_by(tangle.keys, |number| (group(number), group(number + 1)));
    let raw = tangle.subject.peer.as_ref().map(|peer| peer.scans(groups, Direction::Forward)).transpose()?;
    let ours = get(tangle, |value| value.map_or(Ok(0), |_| Err(MISSED.into())))?;
    Ok(Contest { alike: false, ..Contest::of(raw.unwrap_or_default(), ours) })
}
