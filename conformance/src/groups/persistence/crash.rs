//! What is there after kills at random instants, again and again.

use std::time::{Duration, Instant};

use engine_api::{Durability, OpenMode};

use crate::case::Case;
use crate::child;
use crate::context::Context;
use crate::crash::{Ledger, Moment, Pace, Running, Script, Told};
use crate::need::Need;
use crate::rng::Rng;
use crate::verdict::{Verdict, check};

pub(super) const CASES: &[Case] = &[Case::new(
    "persistence.random-kills-keep-a-prefix",
    random_kills_keep_a_prefix,
    "Among commits of every durability that is declared, those of durability process or more are there after a kill at \
     any instant, with all before them; each batch is whole or not there, kill after kill.",
    "A kill comes in the middle of a commit, of a clean-up, and of the recovery from the kill before it.",
)
.needs(&[Need::Persistent, Need::AtomicBatches, Need::ChildProcess])];

/// How many kills where the run doesn't say.
const KILLS: usize = 10;

/// A process that isn't killed before ends by itself.
const BATCHES: usize = 2000;

fn random_kills_keep_a_prefix(ctx: &Context) -> Verdict {
    let mut rng = ctx.rng();
    let mut ledger = Ledger::default();
    drop(ctx.open()?);
    for round in 0..ctx.rounds(KILLS) {
        let script =
            Script { create: false, pace: Pace::Any, from: ledger.next(), count: BATCHES, seed: rng.next() };
        let told = killed(ctx, &script, &mut rng)?;
        check!(
            told.unopened.is_none(),
            "kill {round} has left a store that can't be opened: {:?}",
            told.unopened
        );
        ledger.note(&script, &told, Durability::Process);
        let store = ctx.open_in(OpenMode::Existing)?.store;
        ledger.check(&store, &format!("after kill {} (seed {})", round + 1, ctx.seed()))?;
    }
    Ok(())
}

/// Lets a child run, and kills it after so many commits or so long, from the start or from the opening.
fn killed(ctx: &Context, script: &Script, rng: &mut Rng) -> Verdict<Told> {
    let commits = 1 << rng.below(8);
    let opening = rng.one_in(4);
    let moment = Duration::from_micros(rng.below(20_000) as u64);
    let mut running = Running::start(child::script(script.to_text(), ctx.url())?)?;
    if opening {
        std::thread::sleep(moment);
        return running.kill();
    }
    if running.wait_for_opening()? {
        running.begin()?;
        while running.told().committed.len() < commits
            && running.hear(Duration::from_secs(1))? != Moment::Ended
        {}
        let until = Instant::now() + moment / 16;
        while Instant::now() < until && running.hear(until - Instant::now())? == Moment::Line {}
    }
    running.kill()
}
