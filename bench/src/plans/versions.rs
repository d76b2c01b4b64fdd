//! Reading through the read rule, beside reading the very entry that answers.

use std::rc::Rc;
use std::sync::Arc;

use engine_api::key::{Context, DataContext, TKey};
use engine_api::version::{Ancestry, Flow, OrderedKeyValue as _, Reader, Resolved, Seen};
use engine_api::{Direction, Fetch, KeyRange, Store};

use super::Plan;
use crate::Outcome;
use crate::contest::{Contest, Side};
use crate::data;
use crate::history::{History, tkey};
use crate::peer::{Keys, Ranges, Snapshot};
use crate::scan_all;
use crate::stage::{HEAVY_VERSIONS, RUN, Scale, Stage};
use crate::target::Target;

const ABSENT: &str = "a key is absent that was written at every version";

/// A range of 1000 keys with so many versions that each is sought.
const SEEKS: Target = Target::RatioAndExtra(2.0, 300_000.0);

/// From which version keys are read.
type From = fn(&History) -> DataContext;

pub(super) fn plans<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let mut plans = Vec::new();
    for (which, count) in stage.scale.versions.into_iter().enumerate() {
        let get = |place: &str, how: &str, from: From, get: Get| {
            Plan::new(
                format!("versioned get 100 B, V = {count}, from the {place}, {how}, view held"),
                Target::Ratio(1.8),
                move || held(stage.history(which)?, from, get),
            )
        };
        plans.push(get("head", "borrowed", History::head, get_lent));
        if count > 1 {
            plans.push(get("middle", "borrowed", History::middle, get_lent));
        }
        plans.push(get("head", "owned", History::head, get_owned));
        plans.push(Plan::new(
            format!("versioned get 100 B, V = {count}, from the head, a view each"),
            Target::Ratio(1.8),
            move || each(stage.history(which)?),
        ));
        plans.push(Plan::new(
            format!("baseline: get 100 B, V = {count}, from the head, by a scan of all versions"),
            Target::None,
            move || baseline(stage.history(which)?),
        ));
    }
    let versions = stage.scale.versions;
    for which in [3, 4] {
        plans.push(Plan::new(
            format!("versioned get 100 B, V = {} beside V = {} (as raw)", versions[which], versions[1]),
            Target::Ratio(1.5),
            move || flat(stage.history(1)?, stage.history(which)?),
        ));
    }
    for (how, get) in [("borrowed", get_lent as Get), ("owned", get_owned)] {
        plans.push(Plan::new(
            format!("versioned get 64 KiB, V = 1, {how}, view held"),
            Target::Ratio(1.9),
            move || held(stage.large_history()?, History::head, get),
        ));
    }
    let range = |which: usize, how: &str, target, from: From, visit: Visit| {
        let count = versions[which];
        Plan::new(
            format!("versioned range of 1000 × 100 B, V = {count}{how}, view held"),
            target,
            move || ranges(stage.history(which)?, from, visit),
        )
    };
    plans.extend([
        range(0, "", Target::Ratio(1.5), History::head, visit_lent),
        range(0, ", owned", Target::None, History::head, visit_owned),
        range(1, "", Target::Ratio(1.3), History::head, visit_lent),
        range(1, ", from the middle", Target::Ratio(1.3), History::middle, visit_lent),
        range(1, ", owned", Target::None, History::head, visit_owned),
        // Two seeks a key: to its newest entry, and to the one that the reader sees; and 0.3 µs.
        range(2, "", SEEKS, History::head, visit_lent),
        range(2, ", from the middle", SEEKS, History::middle, visit_lent),
    ]);
    if stage.contender.takes_heavy_values() {
        let keys = stage.scale.heavy;
        let plan = Plan::new(
            format!("versioned range of {keys} × 2 MiB, V = {HEAVY_VERSIONS}, keys and winners' values"),
            Target::Ratio(1.3),
            move || ranges(stage.heavy_history()?, History::head, visit_lent),
        );
        // What no memory holds is read from the disk.
        plans.push(if keys > Scale::FULL.heavy { plan.on_the_wall() } else { plan });
    }
    // Beside nothing, one time isn't flat or steep.
    plans.retain(|plan| stage.contender.has_peer() || !plan.operation.contains("beside"));
    plans
}

fn tkeys(history: &History) -> Rc<[TKey]> {
    data::shuffled_by(history.keys, tkey)
}

/// The entries that answer when keys are read from `ctx`.
fn exact(history: &History, ctx: DataContext) -> Keys {
    data::shuffled_by(history.keys, |number| ctx.construct_key(&tkey(number)))
}

fn raw_get(history: &History, ctx: DataContext, snapshot: Snapshot) -> Outcome<Vec<Side<'_>>> {
    let raw = history.subject.peer.as_ref().map(|peer| peer.get(exact(history, ctx), snapshot));
    Ok(raw.transpose()?.into_iter().collect())
}

/// Reads a key, and answers its value's digest.
type Get = fn(&Reader<'_, Arc<dyn Store>>, &TKey) -> Outcome<u64>;

fn get_lent(reader: &Reader<'_, Arc<dyn Store>>, tkey: &TKey) -> Outcome<u64> {
    let mut read = None;
    reader.get_with(tkey, &mut |value| read = Some(data::digest(value)))?;
    read.ok_or_else(|| ABSENT.into())
}

fn get_owned(reader: &Reader<'_, Arc<dyn Store>>, tkey: &TKey) -> Outcome<u64> {
    Ok(data::digest(&reader.get(tkey)?.ok_or(ABSENT)?))
}

fn held_get(history: &History, ctx: DataContext, tkeys: Rc<[TKey]>, get: Get) -> Outcome<Side<'_>> {
    let reader = history.store.reader(&ctx)?;
    Ok(Side::over("ours", tkeys, move |tkey| get(&reader, tkey)))
}

fn held(history: &History, from: From, get: Get) -> Outcome<Contest<'_>> {
    let ctx = from(history);
    let ours = held_get(history, ctx, tkeys(history), get)?;
    Ok(Contest::of(raw_get(history, ctx, Snapshot::Held)?, ours))
}

fn each(history: &History) -> Outcome<Contest<'_>> {
    let ctx = history.head();
    let ours = Side::over("ours", tkeys(history), move |tkey| {
        Ok(data::digest(&history.store.get(&ctx, tkey)?.ok_or(ABSENT)?))
    });
    Ok(Contest::of(raw_get(history, ctx, Snapshot::Each)?, ours))
}

fn baseline(history: &History) -> Outcome<Contest<'_>> {
    let ctx = history.head();
    let ancestry = Ancestry::new(&history.store.dag()?, ctx.version().unwrap_or_default())?;
    let view = history.subject.store.view()?;
    let ours = Side::over("scan of all versions", tkeys(history), move |tkey| {
        Ok(data::digest(&scan_all::get(&*view, &ancestry, &ctx, tkey)?.ok_or(ABSENT)?))
    });
    Ok(Contest::of(raw_get(history, ctx, Snapshot::Held)?, ours))
}

/// Both read as many keys, spread over all that there are, so that caches serve them alike.
fn flat<'a>(short: &'a History, long: &'a History) -> Outcome<Contest<'a>> {
    let apart = (short.keys / long.keys).max(1);
    let spread = data::shuffled_by(short.keys.min(long.keys), |number| tkey(number * apart));
    let raw = vec![held_get(short, short.head(), spread, get_lent)?];
    let ours = held_get(long, long.head(), tkeys(long), get_lent)?;
    Ok(Contest { alike: false, ..Contest::of(raw, ours) })
}

/// Beside a scan of all the entries at every version, and beside a seek for each key.
fn ranges(history: &History, from: From, visit: Visit) -> Outcome<Contest<'_>> {
    let run_length = RUN.min(history.keys);
    let (ctx, runs) = (from(history), history.keys / run_length);
    let numbers = |run: usize| run * run_length..(run + 1) * run_length;
    let mut raw = Vec::new();
    if let Some(peer) = &history.subject.peer {
        let group = |number| ctx.unversioned_key_prefix(&tkey(number));
        let full: Ranges =
            data::shuffled_by(runs, |run| (group(numbers(run).start), group(numbers(run).end)));
        raw.extend(peer.scans(full, Direction::Forward)?);
        raw.push(peer.seeks(data::shuffled_by(runs, |run| {
            numbers(run).map(|number| ctx.construct_key(&tkey(number))).collect()
        }))?);
    }
    let reader = history.store.reader(&ctx)?;
    let ranges =
        data::shuffled_by(runs, |run| KeyRange::new(tkey(numbers(run).start)..tkey(numbers(run).end)));
    let mut ours = Side::over("ours", ranges, move |range| visit(&reader, range));
    // The raw scans read other entries too, so what ours reads is compared with what was written.
    let edition = history.versions.iter().position(|version| Some(*version) == ctx.version());
    let edition = edition.ok_or("the reader isn't a version of the history")?;
    let expected = (0..runs).flat_map(numbers).fold(0_u64, |sum, number| {
        let value = data::value(number, edition, history.bytes);
        sum.wrapping_add(data::glance(tkey(number).as_bytes(), &value))
    });
    if (ours.run)(runs as u64)? != expected {
        return Err("a range isn't what was written".into());
    }
    Ok(Contest { alike: false, ..Contest::of(raw, ours) })
}

/// Reads a range, and answers the sum of its entries' digests.
type Visit = fn(&Reader<'_, Arc<dyn Store>>, &KeyRange) -> Outcome<u64>;

fn visit_lent(reader: &Reader<'_, Arc<dyn Store>>, range: &KeyRange) -> Outcome<u64> {
    let mut sum = 0_u64;
    reader.visit_with(range, Fetch::Entries, &mut |tkey, seen| {
        if let Seen::Found { value, .. } = seen {
            sum = sum.wrapping_add(data::glance(tkey, value.bytes()?));
        }
        Ok(Flow::Continue(()))
    })?;
    Ok(sum)
}

fn visit_owned(reader: &Reader<'_, Arc<dyn Store>>, range: &KeyRange) -> Outcome<u64> {
    let mut sum = 0_u64;
    reader.visit_with(range, Fetch::Entries, &mut |tkey, seen| {
        if let Resolved::Found { value, .. } = seen.into_resolved()? {
            sum = sum.wrapping_add(data::glance(TKey::from(tkey).as_bytes(), &value));
        }
        Ok(Flow::Continue(()))
    })?;
    Ok(sum)
}
