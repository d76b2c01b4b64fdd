//! Random histories against the rule as it reads.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine_api::key::VersionId;
use engine_api::version::{Batcher as _, Flow, OrderedKeyValue as _, Resolved};
use engine_api::{Fetch, KeyRange};

use super::NEEDS;
use super::lab::{Lab, tkey};
use crate::case::Case;
use crate::context::Context;
use crate::oracle::Oracle;
use crate::rng::Rng;
use crate::verdict::{Halt, Verdict, check_eq};

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

/// How long a case goes on making histories. The first are the same on every machine.
const TIME: Duration = Duration::from_secs(1);
const FEWEST: u64 = 3;
const KEYS: [&str; 6] = ["", "a", "a\0", "ab", "b", "\u{7f}"];

struct History {
    lab: Lab,
    oracle: Oracle,
    /// What was done, for the message of a failure.
    told: String,
}

fn random_history_agrees_with_the_rule(ctx: &Context) -> Verdict {
    each_history(ctx, |history, _| {
        let History { lab, oracle, .. } = history;
        for node in 1..=lab.len() {
            for key in KEYS {
                let got = lab.store.resolve(&lab.at(node), &tkey(key))?;
                check_eq!(got, oracle.resolve(key.as_bytes(), lab.version(node)), "{key:?} at node {node}");
            }
        }
        Ok(())
    })
}

fn random_ranges_agree_with_the_rule(ctx: &Context) -> Verdict {
    each_history(ctx, |history, rng| {
        let History { lab, oracle, .. } = history;
        for node in 1..=lab.len() {
            let (low, high) = (*rng.pick(&KEYS), *rng.pick(&KEYS));
            for range in [KeyRange::ALL, KeyRange::new(low.min(high)..low.max(high))] {
                let mut seen = Vec::new();
                lab.store.visit(&lab.at(node), &range, Fetch::Entries, &mut |key, resolved| {
                    seen.push((key.clone(), resolved));
                    Ok(Flow::Continue(()))
                })?;
                let expected: Vec<_> = oracle
                    .keys()
                    .filter(|key| range.contains(key))
                    .map(|key| (key, oracle.resolve(key, lab.version(node))))
                    .filter(|(_, resolved)| resolved.is_visible())
                    .map(|(key, resolved)| (key.as_ref().into(), resolved))
                    .collect();
                check_eq!(seen, expected, "the range {range:?} at node {node}");
            }
        }
        Ok(())
    })
}

fn random_conflicts_agree_with_the_rule(ctx: &Context) -> Verdict {
    each_history(ctx, |history, rng| {
        let (lab, mut oracle) = (&history.lab, history.oracle.clone());
        for node in 1..=lab.len() {
            lab.commit(node)?;
        }
        for round in 0..3 {
            let mut heads: Vec<_> =
                (0..2 + rng.below(2)).map(|_| lab.version(1 + rng.below(lab.len()))).collect();
            heads.sort_unstable();
            heads.dedup();
            let list = |versions: &[VersionId]| {
                let mut found = Vec::new();
                lab.store.conflicts(lab.instance, versions, &KeyRange::ALL, &mut |conflict| {
                    let sides = conflict.sides.iter().map(|side| side.version).collect();
                    found.push((conflict.tkey, Resolved::Conflict { versions: sides }));
                    Ok(Flow::Continue(()))
                })?;
                Verdict::Ok(found)
            };
            let foreseen = list(&heads)?;
            let merge = match heads[..] {
                [one] => one,
                _ => lab.store.merge(&heads, Some(&format!("merge-{round}")))?.id,
            };
            if heads.len() > 1 {
                oracle.add_version(merge, &heads);
            }
            let expected: Vec<_> = oracle
                .keys()
                .map(|key| (key.as_ref().into(), oracle.resolve(key, merge)))
                .filter(|(_, resolved)| matches!(resolved, Resolved::Conflict { .. }))
                .collect();
            check_eq!(foreseen, expected, "the conflicts before {heads:?} are merged");
            check_eq!(list(&[merge])?, expected, "the conflicts once they are");
        }
        Ok(())
    })
}

/// Makes histories for a while and checks each; a failure tells its seed and what was done.
fn each_history(ctx: &Context, check: impl Fn(&History, &mut Rng) -> Verdict) -> Verdict {
    let begun = Instant::now();
    for number in 0.. {
        if number >= FEWEST && begun.elapsed() > TIME {
            break;
        }
        let seed = ctx.seed().wrapping_add(number);
        let mut rng = Rng::new(seed);
        let place = ctx.elsewhere(&format!("history {number}"))?;
        let mut history =
            History { lab: Lab::at_place(&place)?, oracle: Oracle::default(), told: String::new() };
        let verdict = history.grow(&mut rng).and_then(|()| check(&history, &mut rng));
        verdict.map_err(|halt| match halt {
            Halt::Failed(message) => {
                Halt::failed(format!("seed {seed}: {message}\nthe history:\n{}", history.told))
            }
            ignored @ Halt::Ignored(_) => ignored,
        })?;
        drop(history);
        place.destroy()?;
    }
    Ok(())
}

impl History {
    /// Adds versions, and writes a little at each.
    fn grow(&mut self, rng: &mut Rng) -> Verdict {
        self.oracle.add_version(self.lab.version(1), &[]);
        self.tell(format_args!("  1 is the root"));
        self.write(1, rng)?;
        for node in 2..=4 + rng.below(8) {
            let mut parents = vec![1 + rng.below(node - 1)];
            let wanted = if rng.below(10) < 4 { 2 + rng.below(2) } else { 1 };
            for _ in 1..wanted {
                let parent = 1 + rng.below(node - 1);
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            self.lab.add(&parents)?;
            let versions: Vec<_> = parents.iter().map(|parent| self.lab.version(*parent)).collect();
            self.oracle.add_version(self.lab.version(node), &versions);
            self.tell(format_args!("  {node} descends from {parents:?}"));
            self.write(node, rng)?;
        }
        Ok(())
    }

    fn tell(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = writeln!(self.told, "{line}");
    }

    /// Writes a little at a node that is still open.
    fn write(&mut self, node: usize, rng: &mut Rng) -> Verdict {
        let (at, version) = (self.lab.at(node), self.lab.version(node));
        for number in 0..rng.below(4) {
            let key = *rng.pick(&KEYS);
            let value = Bytes::from(format!("{node}.{number}"));
            match rng.below(8) {
                0..4 => {
                    self.tell(format_args!("    put {key:?}"));
                    self.lab.store.put(&at, &tkey(key), value.clone())?;
                    self.oracle.write(key.as_bytes(), version, Some(value));
                }
                4..6 => {
                    self.tell(format_args!("    delete {key:?}"));
                    self.lab.store.delete(&at, &tkey(key))?;
                    self.oracle.write(key.as_bytes(), version, None);
                }
                6 => {
                    let other = *rng.pick(&KEYS);
                    self.tell(format_args!("    in a batch: delete {key:?}, put {other:?}"));
                    let mut batch = self.lab.store.batch(&at)?;
                    batch.delete(&tkey(key));
                    batch.put(&tkey(other), value.clone());
                    batch.commit()?;
                    self.oracle.write(key.as_bytes(), version, None);
                    self.oracle.write(other.as_bytes(), version, Some(value));
                }
                _ => {
                    self.tell(format_args!("    delete the range from {key:?} on"));
                    let range = KeyRange::new(key..);
                    let visible: Vec<_> = self
                        .oracle
                        .keys()
                        .filter(|key| range.contains(key))
                        .filter(|key| {
                            let resolved = self.oracle.resolve(key, version);
                            matches!(resolved, Resolved::Found { .. } | Resolved::Conflict { .. })
                        })
                        .cloned()
                        .collect();
                    let count = self.lab.store.delete_range(&at, &range)?;
                    check_eq!(count, visible.len() as u64, "the keys that the range delete deletes");
                    for key in visible {
                        self.oracle.write(&key, version, None);
                    }
                }
            }
        }
        Ok(())
    }
}
