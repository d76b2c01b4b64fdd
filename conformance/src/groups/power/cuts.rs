//! What is there after the power was cut.

use engine_api::{Durability, ErrorKind, OpenMode};
use power_loss::Faults;

use super::NEEDS;
use crate::case::Case;
use crate::context::Context;
use crate::crash::{Fault, Ledger, Machine, Pace, Script};
use crate::rng::Rng;
use crate::verdict::{Halt, Verdict, check};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "power.durable-commits-survive-a-cut",
        durable_commits_survive_a_cut,
        "Every commit of durability power that had returned is there after a power cut, each batch is whole, and none \
         is there without those before it.",
        "A commit that has returned is a promise, and what wasn't forced to the disk is lost, torn or out of order.",
    )
    .needs(NEEDS),
    Case::new(
        "power.flushed-commits-survive-a-cut",
        flushed_commits_survive_a_cut,
        "Every relaxed commit that was flushed is there after a power cut.",
        "A flush that reaches the operating system alone is none.",
    )
    .needs(NEEDS),
    Case::new(
        "power.commits-of-any-durability-are-a-prefix-after-a-cut",
        any_commits_are_a_prefix_after_a_cut,
        "Among commits of every durability that is declared, those of durability power are there after a power cut, \
         with all before them; the others are whole or not there, and the store opens.",
        "Relaxed gives up the latest commits, and never their atomicity or their order.",
    )
    .needs(NEEDS),
    Case::new(
        "power.a-cut-during-creation-leaves-a-store-or-none",
        a_cut_during_creation_leaves_a_store_or_none,
        "After a power cut during creation the store is there, or can be created, or what is there is refused; once a \
         commit of durability power has returned it is there.",
        "A file may have its name before it has its bytes, and no name although it has been synced.",
    )
    .needs(NEEDS),
];

/// How often the power is cut where the run doesn't say.
const CUTS: usize = 12;

/// The most batches of one life: a cut comes sooner, as a rule.
const BATCHES: usize = 600;

fn durable_commits_survive_a_cut(ctx: &Context) -> Verdict {
    lives(ctx, Pace::Always(Durability::Power))
}

fn flushed_commits_survive_a_cut(ctx: &Context) -> Verdict {
    lives(ctx, Pace::ThenFlush)
}

fn any_commits_are_a_prefix_after_a_cut(ctx: &Context) -> Verdict {
    lives(ctx, Pace::Any)
}

/// One store through many cuts. Each life begins with what the cut before it has left, so that recovery is cut
/// too.
fn lives(ctx: &Context, pace: Pace) -> Verdict {
    let mut rng = ctx.rng();
    let (mut machine, mut ledger) = (Machine::new(ctx)?, Ledger::default());
    for life in 0..ctx.rounds(CUTS) {
        let create = life == 0;
        let script = Script { create, pace, from: ledger.next(), count: BATCHES, seed: rng.next() };
        let faults = Faults::NONE.cut_at(soon(&mut rng));
        // A store that hasn't been created yet isn't there: that is another case.
        let fault = if create { Fault::Opened(faults) } else { Fault::AtOnce(faults) };
        let told = machine.run_until_cut(&script, fault)?;
        check!(told.unopened.is_none() || !create, "a store can't be created: {:?}", told.unopened);
        ledger.note(&script, &told, Durability::Power);
        let after = format!("after cut {} at {:?} (seed {})", life + 1, faults.cut_at, ctx.seed());
        if create && ledger.acknowledged() == 0 {
            // Nothing says that what was created is there before the first durable commit.
            let found = machine.found()?;
            if let Ok(opened) = found.place.open_in(OpenMode::Existing) {
                ledger.check(&opened.store, &after)?;
                continue;
            }
            (machine, ledger) = (Machine::new(ctx)?, Ledger::default());
            let script = Script { create, pace, from: 0, count: 1, seed: 0 };
            let disk = machine.turn_on()?;
            let told = machine.run_to_end(&disk, &script, Faults::NONE)?;
            machine.turn_off(disk);
            ledger.note(&script, &told, Durability::Power);
            continue;
        }
        machine.check(&mut ledger, &after)?;
    }
    check!(ledger.acknowledged() > 0 || pace == Pace::Any, "no commit returned before a cut");
    Ok(())
}

/// The number of a change: as often below ten as in the hundreds.
fn soon(rng: &mut Rng) -> u64 {
    let most = 2 << rng.below(10);
    1 + rng.below(most) as u64
}

fn a_cut_during_creation_leaves_a_store_or_none(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    for round in 0..ctx.rounds(CUTS) {
        let mut machine = Machine::new(ctx)?;
        let pace = Pace::Always(Durability::Power);
        let script = Script { create: true, pace, from: 0, count: 3, seed: rng.next() };
        let faults = Faults::NONE.cut_at(1 + rng.below(40) as u64);
        let told = machine.run_until_cut(&script, Fault::AtOnce(faults))?;
        let mut ledger = Ledger::default();
        ledger.note(&script, &told, Durability::Power);
        let after = format!("after cut {} at {:?} (seed {})", round + 1, faults.cut_at, ctx.seed());
        if ledger.acknowledged() > 0 {
            machine.check(&mut ledger, &after)?;
            continue;
        }
        let found = machine.found()?;
        match found.place.open_in(OpenMode::Create) {
            Ok(opened) => ledger.check(&opened.store, &after)?,
            Err(error) if matches!(error.kind(), ErrorKind::Incompatible | ErrorKind::Corrupt) => {}
            Err(error) => {
                let what =
                    "what a creation that was cut short has left is refused otherwise than as no store";
                return Err(Halt::failed(format!("{after}: {what}: {error:?}")));
            }
        }
    }
    Ok(())
}
