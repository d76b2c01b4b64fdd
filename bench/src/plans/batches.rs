//! Writing.

use std::rc::Rc;

use engine_api::key::{Context, TKey};
use engine_api::layers::Relaxed;
use engine_api::version::{Batcher, Versioned};
use engine_api::{Bytes, Durability, Store};

use super::Plan;
use crate::Outcome;
use crate::contest::{Contest, Side};
use crate::data;
use crate::history::{tkey, versioned};
use crate::ours::{puts, read_back};
use crate::peer::{Batch, Batches};
use crate::stage::{RUN, Stage};
use crate::target::Target;

/// Batches alternate between two editions of the values, so that each of them changes every key.
const EDITIONS: [usize; 2] = [1, 2];

pub(super) fn plans<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let strongest = stage.contender.descriptor().capabilities.durability.strongest();
    let plain = |operation, count, durability, target| {
        Plan::new(operation, target, move || plain(stage, count, durability))
    };
    let versioned = |operation, count, durability| {
        Plan::new(operation, Target::None, move || through_versions(stage, count, durability))
    };
    let mut plans = vec![
        plain("batch put of 1000 × 100 B, relaxed", RUN, Durability::Relaxed, Target::Ratio(1.30)),
        versioned("versioned batch put of 1000 × 100 B, relaxed", RUN, Durability::Relaxed),
    ];
    if strongest > Durability::Relaxed {
        plans.extend([
            plain("batch put of 1000 × 100 B, durable", RUN, strongest, Target::Ratio(1.30)).on_the_wall(),
            plain("put of 100 B, durable", 1, strongest, Target::Extra(25_000.0)).on_the_wall(),
            versioned("versioned batch put of 1000 × 100 B, durable", RUN, strongest).on_the_wall(),
            versioned("versioned put of 100 B, durable", 1, strongest).on_the_wall(),
        ]);
    }
    plans
}

fn plain<'a>(stage: &'a Stage<'_>, count: usize, durability: Durability) -> Outcome<Contest<'a>> {
    let subject = stage.written(durability)?;
    let batches = batches(count, data::key);
    let raw = subject.peer.as_ref().map(|peer| peer.puts(Rc::clone(&batches), durability)).transpose()?;
    let ours = puts(&*subject.store, Rc::clone(&batches), durability);
    Ok(Contest::of(raw.into_iter().collect(), ours).settled(read_back(&*subject.store, keys_of(&batches))))
}

fn through_versions<'a>(stage: &'a Stage<'_>, count: usize, durability: Durability) -> Outcome<Contest<'a>> {
    let history = stage.written_history(durability)?;
    let (subject, ctx) = (&history.subject, history.head());
    let full = batches(count, |number| ctx.construct_key(&tkey(number)));
    let raw = subject.peer.as_ref().map(|peer| peer.puts(Rc::clone(&full), durability)).transpose()?;
    let ours = match durability {
        Durability::Relaxed => versioned_puts(versioned(Relaxed(&*subject.store))?, ctx, count),
        Durability::Process | Durability::Power => versioned_puts(versioned(&*subject.store)?, ctx, count),
    };
    Ok(Contest::of(raw.into_iter().collect(), ours).settled(read_back(&*subject.store, keys_of(&full))))
}

fn versioned_puts<'a>(store: Versioned<impl Store + 'a>, ctx: impl Context + 'a, count: usize) -> Side<'a> {
    let batches: Rc<[Entries<TKey>]> =
        EDITIONS.iter().map(|edition| entries(count, *edition, tkey)).collect();
    Side::over("ours", batches, move |entries| {
        let mut batch = store.batch(&ctx)?;
        for (tkey, value) in entries {
            batch.put(tkey, Bytes::copy_from_slice(value));
        }
        batch.commit()?;
        Ok(0)
    })
}

fn batches(count: usize, key: impl Fn(usize) -> Vec<u8> + Copy) -> Batches {
    EDITIONS.iter().map(|edition| entries(count, *edition, key)).collect()
}

type Entries<K> = Vec<(K, Vec<u8>)>;

fn entries<K>(count: usize, edition: usize, key: impl Fn(usize) -> K) -> Entries<K> {
    (0..count).map(|number| (key(number), data::value(number, edition, data::SMALL))).collect()
}

fn keys_of(batches: &[Batch]) -> Rc<[Vec<u8>]> {
    batches.iter().take(1).flatten().map(|(key, _)| key.clone()).collect()
}
