//! What is there after the disk has failed.

use std::time::Duration;

use engine_api::{Durability, ErrorKind};
use power_loss::{Disk, Faults};

use super::NEEDS;
use crate::case::Case;
use crate::context::Context;
use crate::crash::{Ledger, Machine, Moment, Pace, Script, Told};
use crate::rng::Rng;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "power.failed-sync-loses-nothing-acknowledged",
        failed_sync_loses_nothing_acknowledged,
        "When an fsync fails, no commit is acknowledged that a power cut then takes, neither before nor after it.",
        "What a failed fsync should have written is dropped, and the next one succeeds without it.",
    )
    .needs(NEEDS),
    Case::new(
        "power.failed-write-loses-nothing-acknowledged",
        failed_write_loses_nothing_acknowledged,
        "When a write fails, no commit is acknowledged that a power cut then takes, neither before nor after it.",
        "A write whose answer isn't looked at is lost in silence.",
    )
    .needs(NEEDS),
    Case::new(
        "power.short-writes-are-completed-or-reported",
        short_writes_are_completed_or_reported,
        "When the system takes a part of a write, the rest follows, or the commit answers an error.",
        "A write may write less than it was given, and say so.",
    )
    .needs(NEEDS),
    Case::new(
        "power.full-disk-is-reported-and-passes",
        full_disk_is_reported_and_passes,
        "On a full disk a commit answers full, or that its outcome is unknown; nothing is lost, and once there is room \
         the store takes commits, or says that it must be opened anew and takes them then.",
        "Disks get full, and somebody makes room.",
    )
    .needs(NEEDS),
    Case::new(
        "power.failed-read-is-reported",
        failed_read_is_reported,
        "When reads fail, opening or reading answers an error; nothing is left out, and all is there once they succeed. An \
         engine whose process ends by it, as it reads through a memory map, isn't said to pass.",
        "An error that is taken for the end of a log is how a bad cable loses data.",
    )
    .needs(NEEDS),
];

/// How often the disk fails where the run doesn't say.
const FAILURES: usize = 6;

/// The batches of one life.
const BATCHES: usize = 60;

const PACE: Pace = Pace::Always(Durability::Power);

/// Lets the disk of a new store fail, then cuts its power, and checks what is there. Answers how many of the faults
/// have happened.
fn failing(ctx: &Context, rng: &mut Rng, faults: Faults) -> Verdict<u64> {
    let mut machine = Machine::new(ctx)?;
    let disk = machine.turn_on()?;
    let script = Script { create: true, pace: PACE, from: 0, count: BATCHES, seed: rng.next() };
    let told = machine.run_to_end(&disk, &script, faults)?;
    let met = disk.faults_met();
    machine.turn_off(disk);
    let mut ledger = Ledger::default();
    ledger.note(&script, &told, Durability::Power);
    machine.check(&mut ledger, &format!("after {faults:?} (seed {})", ctx.seed()))?;
    Ok(met)
}

fn failed_sync_loses_nothing_acknowledged(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    let mut met = 0;
    for _ in 0..ctx.rounds(FAILURES) {
        let sync = 1 + rng.below(BATCHES / 2) as u64;
        met += failing(ctx, &mut rng, Faults::NONE.fail_sync(sync))?;
    }
    check!(met > 0, "{BATCHES} commits of durability power have synced nothing");
    Ok(())
}

fn failed_write_loses_nothing_acknowledged(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    let mut met = 0;
    for _ in 0..ctx.rounds(FAILURES) {
        let write = 1 + rng.below(BATCHES / 2) as u64;
        met += failing(ctx, &mut rng, Faults::NONE.fail_write(write))?;
    }
    check!(met > 0, "{BATCHES} commits of durability power have written nothing");
    Ok(())
}

fn short_writes_are_completed_or_reported(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    for _ in 0..ctx.rounds(FAILURES) {
        let each = 2 + rng.below(12) as u64;
        failing(ctx, &mut rng, Faults::NONE.short_writes(each))?;
    }
    Ok(())
}

fn full_disk_is_reported_and_passes(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    let mut filled = 0;
    for _ in 0..ctx.rounds(FAILURES) {
        let (mut machine, mut ledger) = (Machine::new(ctx)?, Ledger::default());
        let disk = machine.turn_on()?;
        let script = Script { create: true, pace: PACE, from: 0, count: BATCHES, seed: rng.next() };
        let told = until_full(&machine, &disk, &script, 4096 * (1 + rng.below(40) as u64))?;
        filled += told.refused.len();
        ledger.note(&script, &told, Durability::Power);
        let again = Script { create: false, from: ledger.next(), ..script };
        let told = machine.run_to_end(&disk, &again, Faults::NONE)?;
        check_eq!(told.unopened, None, "opening a store when there is room again");
        check!(told.refused.is_empty(), "there is room again, and commits are refused: {:?}", told.refused);
        ledger.note(&again, &told, Durability::Power);
        machine.turn_off(disk);
        machine.check(&mut ledger, &format!("after a full disk (seed {})", ctx.seed()))?;
    }
    check!(filled > 0, "the disk was full, and every commit was acknowledged");
    Ok(())
}

/// Commits until the disk is full, then makes room and lets the same process go on.
fn until_full(machine: &Machine<'_>, disk: &Disk, script: &Script, room: u64) -> Verdict<Told> {
    let mut running = machine.start(script)?;
    running.wait_for_opening()?;
    disk.set_faults(Faults::NONE.room(disk.taken() + room));
    running.begin()?;
    while running.told().refused.is_empty() {
        if running.hear(Duration::from_secs(1))? == Moment::Ended {
            break;
        }
    }
    disk.set_faults(Faults::NONE);
    let (told, status) = running.finish()?;
    check!(status.success(), "on a full disk the child ended with {status}, after {told:?}");
    let usual = [ErrorKind::Full, ErrorKind::Ambiguous];
    if let Some((number, kind)) = told.refused.first() {
        check!(usual.contains(kind), "on a full disk commit {number} was refused as {kind}");
    }
    let after: Vec<_> = told.refused.iter().skip(1).map(|(_, kind)| *kind).collect();
    let known = |kind: &ErrorKind| usual.contains(kind) || *kind == ErrorKind::Poisoned;
    check!(after.iter().all(known), "after the disk was full commits were refused as {after:?}");
    Ok(told)
}

fn failed_read_is_reported(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    let limits = ctx.capabilities().limits;
    let (mut machine, mut ledger) = (Machine::new(ctx)?, Ledger::default());
    let script = Script { create: true, pace: PACE, from: 0, count: 2 * BATCHES, seed: rng.next() };
    let disk = machine.turn_on()?;
    let told = machine.run_to_end(&disk, &script, Faults::NONE)?;
    machine.turn_off(disk);
    ledger.note(&script, &told, Durability::Power);
    let all = Some(ledger.entries(&limits));
    let reading = Script { create: false, pace: Pace::Read, from: 0, count: 0, seed: 0 };
    let disk = machine.turn_on()?;
    let told = machine.run_at_once(&reading)?;
    let reads = disk.reads();
    machine.turn_off(disk);
    check_eq!(told.and_then(|told| told.read), all, "entries that are read while nothing fails");
    let mut ended = 0;
    for _ in 0..ctx.rounds(FAILURES) {
        let disk = machine.turn_on()?;
        let from = 1 + rng.next() % reads.max(1);
        disk.set_faults(Faults::NONE.fail_reads(from));
        let told = machine.run_at_once(&reading)?;
        machine.turn_off(disk);
        let after = format!("when read {from} of {reads} failed (seed {})", ctx.seed());
        let Some(told) = told else {
            ended += 1;
            machine.check(&mut ledger, &after)?;
            continue;
        };
        let missing = told.unopened.as_deref() == Some(ErrorKind::NotFound.as_str());
        check!(!missing, "{after} the store is said not to be there");
        check!(
            told.read.is_none() || told.read == all,
            "{after} {:?} entries were read of {all:?}",
            told.read
        );
        machine.check(&mut ledger, &after)?;
    }
    if ended > 0 {
        let reason =
            "the engine reads through a memory map, where a read that fails ends the process (SIGBUS)";
        return Err(Halt::ignored(format!("{reason}: {ended} times; nothing was lost")));
    }
    Ok(())
}
