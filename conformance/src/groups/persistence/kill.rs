//! What is there after the process that wrote it was killed.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use engine_api::{Durability, OpenMode, Scan};

use crate::case::Case;
use crate::checks::{check_usable, entries};
use crate::child::{KEYS_PER_BATCH, Task, numbered_key};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "persistence.power-durable-commits-survive-a-kill",
        power_durable_commits_survive_a_kill,
        "Every commit of durability power that had returned is there after a kill, whole, and none but the next.",
        "A commit that has returned is a promise.",
    )
    .needs(&[Need::Persistent, Need::DurableTo(Durability::Power), Need::ChildProcess]),
    Case::new(
        "persistence.process-durable-commits-survive-a-kill",
        process_durable_commits_survive_a_kill,
        "Every commit of durability process that had returned is there after a kill, whole, and none but the next.",
        "A buffer inside the process dies with it.",
    )
    .needs(&[Need::Persistent, Need::DurableTo(Durability::Process), Need::ChildProcess]),
    Case::new(
        "persistence.flushed-commits-survive-a-kill",
        flushed_commits_survive_a_kill,
        "Every relaxed commit that was flushed is there after a kill.",
        "A flush that returns before the disk has it is none.",
    )
    .needs(&[Need::Persistent, Need::DurableTo(Durability::Process), Need::ChildProcess]),
    Case::new(
        "persistence.relaxed-commits-are-whole-after-a-kill",
        relaxed_commits_are_whole_after_a_kill,
        "After a kill the store opens, and each relaxed commit is there whole or not at all.",
        "Relaxed gives up the latest commits, and never their atomicity.",
    )
    .needs(&[Need::Persistent, Need::AtomicBatches, Need::ChildProcess]),
];

/// How many batches the child has committed at least when it is killed.
const BATCHES: usize = 30;

fn power_durable_commits_survive_a_kill(ctx: &Context) -> Verdict {
    acknowledged_survive(ctx, Task::Commit(Durability::Power))
}

fn process_durable_commits_survive_a_kill(ctx: &Context) -> Verdict {
    acknowledged_survive(ctx, Task::Commit(Durability::Process))
}

fn flushed_commits_survive_a_kill(ctx: &Context) -> Verdict {
    acknowledged_survive(ctx, Task::CommitThenFlush)
}

fn relaxed_commits_are_whole_after_a_kill(ctx: &Context) -> Verdict {
    killed(ctx, Task::Commit(Durability::Relaxed))?;
    survivors(ctx).map(drop)
}

fn acknowledged_survive(ctx: &Context, task: Task) -> Verdict {
    let acknowledged = killed(ctx, task)?;
    let found = survivors(ctx)?;
    let prefix = found.iter().enumerate().all(|(at, number)| at == *number);
    check!(prefix, "after the kill the batches aren't a prefix of those committed: {found:?}");
    check!(
        found.len() >= acknowledged,
        "{acknowledged} commits had returned before the kill, and {} are there",
        found.len()
    );
    check!(
        found.len() <= acknowledged + 1,
        "{acknowledged} commits had returned before the kill, and {} are there: one at most was under way",
        found.len()
    );
    Ok(())
}

/// Lets a child commit batches and kills it; answers how many of its commits had returned.
fn killed(ctx: &Context, task: Task) -> Verdict<usize> {
    drop(ctx.open()?);
    let mut child = ctx.child(task)?.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
    let mut lines = lines.ok_or_else(|| Halt::failed("the child has no output"))?;
    let mut acknowledged = 0;
    while acknowledged < BATCHES {
        let Some(line) = lines.next().transpose()? else {
            let status = child.wait()?;
            return Err(Halt::failed(format!("the child ended after {acknowledged} commits: {status}")));
        };
        check_eq!(line, acknowledged.to_string(), "what the child says");
        acknowledged += 1;
    }
    child.kill()?;
    child.wait()?;
    // What the child had said before the kill, and nobody had read yet, counts.
    for line in lines {
        if line?.parse() == Ok(acknowledged) {
            acknowledged += 1;
        }
    }
    Ok(acknowledged)
}

/// The numbers of the batches that are there; each must be whole.
fn survivors(ctx: &Context) -> Verdict<Vec<usize>> {
    let store = ctx.open_in(OpenMode::Existing)?.store;
    let found = entries(store.view()?.as_ref(), Scan::all())?;
    let mut numbers = Vec::new();
    for batch in found.chunks(KEYS_PER_BATCH) {
        let number: usize = std::str::from_utf8(&batch[0].1)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Halt::failed(format!("a value that no child has put: {:?}", batch[0])))?;
        for at in 0..KEYS_PER_BATCH {
            let whole = batch
                .get(at)
                .is_some_and(|(key, value)| *key == numbered_key(number, at) && *value == number.to_string());
            check!(whole, "after the kill batch {number} isn't whole: {batch:?}");
        }
        numbers.push(number);
    }
    check_usable(&store, "a kill")?;
    Ok(numbers)
}
