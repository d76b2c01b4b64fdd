//! What an engine is good for, in a word: levels, each of which asks for declarations and for groups without a failure.

use std::fmt;

use engine_api::{Capabilities, Requirements};
use serde::Serialize;

use crate::catalogue::catalogue;
use crate::outcome::{CaseReport, Outcome};

/// A level. Those beyond [`Core`](Self::Core) ask for what it asks for too, and not for each other: a store in memory can
/// be transactional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// An ordered store: keys, ranges, batches, views, limits, errors, and opening. It needs no declaration.
    Core,
    /// What is committed stays: declared are persistence and durability of power, and no commit is lost, by a kill either, nor
    /// by a power cut where one can be tried.
    Durable,
    /// Several writers and readers at once: declared are batches that are atomic over the store, batches with requirements,
    /// and snapshots.
    Transactional,
    /// Versions stand on it: declared are batches that are atomic over the store, and batches with requirements.
    Versioned,
    /// Graphs stand on it: declared are batches that are atomic over the store, and batches with requirements.
    Graph,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 5] = [Self::Core, Self::Durable, Self::Transactional, Self::Versioned, Self::Graph];

    /// The level in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "Core",
            Self::Durable => "Durable",
            Self::Transactional => "Transactional",
            Self::Versioned => "Versioned",
            Self::Graph => "Graph",
        }
    }

    /// What it says of an engine, in a sentence or two.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Core => {
                "Keys, ranges, cursors, batches, views, limits, opening and errors are as the contract says."
            }
            Self::Durable => {
                "What was committed stays, when the store is closed, when its process is killed, and, where the kit can cut \
                 the power of a disk, when that is cut; commits that wait for the disk are declared."
            }
            Self::Transactional => {
                "Batches are all or nothing, are judged by what is stored, and are seen whole by snapshots, whatever other \
                 threads do."
            }
            Self::Versioned => "Versions, branches and merges stand on it.",
            Self::Graph => {
                "Graphs stand on it: vertices and edges with weights and properties, with versions and without."
            }
        }
    }

    /// The groups of which no case may fail or be waived, besides those of [`Core`](Self::Core).
    pub const fn groups(self) -> &'static [&'static str] {
        match self {
            Self::Core => &["point", "scan", "cursor", "batch", "view", "limits", "open", "errors"],
            Self::Durable => &["persistence", "power"],
            Self::Transactional => &["conditional", "concurrency"],
            Self::Versioned => &["versioned"],
            Self::Graph => &["graph"],
        }
    }

    /// Cases that must have passed: that they don't apply here is no excuse.
    const fn proofs(self) -> &'static [&'static str] {
        match self {
            Self::Durable => {
                &["persistence.reopen-keeps-committed", "persistence.power-durable-commits-survive-a-kill"]
            }
            _ => &[],
        }
    }

    /// What a store must declare.
    pub fn requirements(self) -> Requirements {
        let needed = Requirements::new(self.as_str());
        match self {
            Self::Core => needed,
            Self::Durable => needed.persistent().durable(),
            Self::Transactional => needed.atomic().conditional().snapshots(),
            Self::Versioned | Self::Graph => needed.atomic().conditional(),
        }
    }

    /// What is missing of it, in a few words.
    fn undeclared(self, declared: &Capabilities) -> Option<String> {
        let error = self.requirements().check(declared).err()?;
        Some(format!("doesn't declare {}", error.field("missing").unwrap_or("what it needs")))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a level is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It is.
    Held,
    /// It isn't: something isn't declared, failed or is waived.
    NotHeld,
    /// It can't be said: cases that it asks for didn't run.
    NotTested,
}

impl Holds {
    /// The same in a word or two.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "not held",
            Self::NotTested => "not tested",
        }
    }
}

/// How a store stands to a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// The level.
    pub level: Level,
    /// Whether it is held.
    pub holds: Holds,
    /// Why it isn't.
    pub why: Option<String>,
}

impl Standing {
    /// By what a store declares, where one could be opened, and by how its cases ended.
    pub(crate) fn of(level: Level, declared: Option<&Capabilities>, cases: &[CaseReport]) -> Self {
        let (holds, why) = match judge(level, declared, cases) {
            Ok(()) => (Holds::Held, None),
            Err((holds, why)) => (holds, Some(why)),
        };
        Self { level, holds, why }
    }
}

fn judge(level: Level, declared: Option<&Capabilities>, cases: &[CaseReport]) -> Result<(), (Holds, String)> {
    let not_tested = |why: String| Err((Holds::NotTested, why));
    let groups = || Level::Core.groups().iter().chain(level.groups());
    let asked = |group: &str| groups().any(|asked| *asked == group);
    let empty = |group: &&&str| !catalogue().any(|case| case.group() == **group);
    if let Some(group) = groups().find(empty) {
        return not_tested(format!("the kit has no cases of the group {group} yet"));
    }
    let Some(declared) = declared else {
        return not_tested("no store could be opened".to_owned());
    };
    if let Some(bad) = cases
        .iter()
        .find(|case| asked(&case.group) && matches!(case.outcome, Outcome::Failed | Outcome::Waived))
    {
        return Err((Holds::NotHeld, format!("{} {}", bad.id, bad.outcome.as_str())));
    }
    if let Some(undeclared) = level.undeclared(declared) {
        return Err((Holds::NotHeld, undeclared));
    }
    let left_out =
        catalogue().find(|case| asked(case.group()) && !cases.iter().any(|done| done.id == case.id));
    if let Some(case) = left_out {
        return not_tested(format!("{} didn't run", case.id));
    }
    for proof in level.proofs() {
        if let Some(done) = cases.iter().find(|done| done.id == *proof && done.outcome == Outcome::Ignored) {
            let why = done.message.as_deref().unwrap_or_default();
            return not_tested(format!("{proof} was ignored ({why})"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine_api::{Durability, DurabilityLevels, MEMORY, Persistence};

    use super::*;
    use crate::report::Report;
    use crate::target::{Options, Target};

    /// The report of a store of which all cases passed but one.
    fn report(declared: Capabilities, but: Option<(&str, Outcome)>) -> Report {
        let target = Target::new(&MEMORY, |_| "memory:".to_owned());
        let mut report = Report::new(&target, &Options::new(), Some(declared));
        for case in catalogue() {
            let outcome =
                but.filter(|(id, _)| *id == case.id).map_or(Outcome::Passed, |(_, outcome)| outcome);
            report.push(CaseReport {
                id: case.id.to_owned(),
                group: case.group().to_owned(),
                outcome,
                message: None,
                seconds: 0.0,
                failures: Vec::new(),
            });
        }
        report
    }

    fn holds(report: &Report) -> [Holds; 5] {
        Level::ALL.map(|level| Standing::of(level, report.declared.as_ref(), &report.cases).holds)
    }

    const MEMORY_STORE: Capabilities = engine_api::MemoryStore::CAPABILITIES;
    const DISK: Capabilities =
        MEMORY_STORE.persistence(Persistence::Disk).durability(DurabilityLevels::new(&[Durability::Power]));

    #[test]
    fn a_level_needs_its_declarations() {
        use Holds::{Held, NotHeld};
        assert_eq!(holds(&report(DISK, None)), [Held; 5]);
        assert_eq!(holds(&report(MEMORY_STORE, None)), [Held, NotHeld, Held, Held, Held]);
        let least = Capabilities::MINIMAL;
        assert_eq!(holds(&report(least, None)), [Held, NotHeld, NotHeld, NotHeld, NotHeld]);
        let report = report(least, None);
        let standing = Standing::of(Level::Transactional, report.declared.as_ref(), &report.cases);
        let why = standing.why.unwrap();
        assert!(why.starts_with("doesn't declare batches that are atomic"), "{why}");
    }

    #[test]
    fn a_failure_or_a_waiver_takes_the_levels_that_ask_for_its_group() {
        use Holds::{Held, NotHeld};
        for outcome in [Outcome::Failed, Outcome::Waived] {
            let found = holds(&report(DISK, Some(("conditional.absent-requirement", outcome))));
            assert_eq!(found[..4], [Held, Held, NotHeld, Held]);
            let found = holds(&report(DISK, Some(("point.put-then-get", outcome))));
            assert_eq!(found[..4], [NotHeld; 4], "everything stands on the core");
        }
    }

    #[test]
    fn what_did_not_run_proves_nothing() {
        use Holds::{Held, NotTested};
        let mut partial = report(DISK, None);
        partial.cases.retain(|case| case.id != "versioned.own-entry-wins");
        assert_eq!(holds(&partial)[..4], [Held, Held, Held, NotTested]);
        let unkilled =
            report(DISK, Some(("persistence.power-durable-commits-survive-a-kill", Outcome::Ignored)));
        assert_eq!(holds(&unkilled)[..4], [Held, NotTested, Held, Held]);
    }

    #[test]
    fn every_group_is_asked_for_by_one_level() {
        for case in catalogue() {
            let levels = Level::ALL.iter().filter(|level| level.groups().contains(&case.group())).count();
            assert_eq!(levels, 1, "{}", case.group());
        }
    }
}
