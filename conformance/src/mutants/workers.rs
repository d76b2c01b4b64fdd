//! Cases of mutants in processes of their own: what hangs can then be ended. A thread can't be, and one that goes in
//! circles takes a processor, and memory without end.

use std::io::{self, BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Mutant, catalogue};
use crate::case::Case;
use crate::catalogue::catalogue as cases;
use crate::context::scratch;
use crate::outcome::{CaseReport, Outcome};
use crate::runner::Runner;
use crate::target::Options;

/// So long a case of a mutant may run. One that takes longer hasn't caught it, unless hanging is what is wrong.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long for a mutant that is known to hang.
const IMPATIENCE: Duration = Duration::from_secs(1);

impl Mutant {
    fn patience(&self) -> Duration {
        if self.hangs { IMPATIENCE } else { PATIENCE }
    }

    pub(super) fn runner(&'static self, options: &Options) -> Runner {
        Runner::new(&self.target(), &options.clone().timeout(self.patience()))
    }
}

/// Whether a case was given up because it didn't end, and may still run.
pub(super) fn is_late(mutant: &Mutant, done: &CaseReport) -> bool {
    done.outcome == Outcome::Failed && done.seconds >= mutant.patience().as_secs_f64()
}

/// The folder for the stores of a process that runs cases of mutants.
const FOLDER: &str = "CONFORMANCE_CHILD_MUTANTS";

/// Runs cases of mutants, each in one of a few processes, as many at once as it is asked to.
pub(super) struct Workers<'o> {
    options: &'o Options,
    /// Those that wait for a case. They end before their folder goes.
    idle: Mutex<Vec<Worker>>,
    folder: io::Result<TempDir>,
}

impl<'o> Workers<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self { options, idle: Mutex::default(), folder: scratch(options) }
    }

    /// Runs a case on a mutant. A program that can't serve as its own child process does so itself, and keeps what hangs.
    pub(super) fn run(&self, mutant: &'static Mutant, case: &'static Case) -> CaseReport {
        if !self.options.child_process {
            return mutant.runner(self.options).run(case, self.options.seed);
        }
        let begun = Instant::now();
        let done = self.worker().and_then(|mut worker| {
            let done = worker.perform(mutant, case, self.options.seed)?;
            if !is_late(mutant, &done) {
                self.idle().push(worker);
            }
            Ok(done)
        });
        done.unwrap_or_else(|error| CaseReport {
            id: case.id.to_owned(),
            group: case.group().to_owned(),
            // That says nothing of the mutant, and mustn't count as its being caught.
            outcome: Outcome::Ignored,
            message: Some(format!("the process that ran the case: {error}")),
            seconds: begun.elapsed().as_secs_f64(),
            failures: Vec::new(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self) -> io::Result<Worker> {
        let idle = self.idle().pop();
        match (idle, &self.folder) {
            (Some(worker), _) => Ok(worker),
            (None, Ok(folder)) => Worker::start(folder.path()),
            (None, Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// A process that runs one case after another. It is killed when this is dropped.
struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(folder: &Path) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What mutants panic with is in the answers.
            .stderr(Stdio::null())
            .spawn()?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(orders), Some(answers)) => {
                Ok(Self { process, orders, answers: BufReader::new(answers).lines() })
            }
            _ => Err(io::Error::other("it has no pipes")),
        }
    }

    fn perform(&mut self, mutant: &Mutant, case: &Case, seed: u64) -> io::Result<CaseReport> {
        writeln!(self.orders, "{}\t{}\t{seed}", mutant.name, case.id)?;
        match self.answers.next() {
            Some(answer) => Ok(serde_json::from_str(&answer?)?),
            None => Err(io::Error::other(format!("it ended, with {}", self.process.wait()?))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended by itself can't be killed any more.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs the cases that the parent asks for, where this process was started for that.
pub(crate) fn serve() -> Option<ExitCode> {
    let folder = std::env::var_os(FOLDER)?;
    let options = Options::new().with_child_process().scratch(folder);
    Some(match serve_orders(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("child: {error}");
            ExitCode::FAILURE
        }
    })
}

fn serve_orders(options: &Options) -> io::Result<()> {
    for order in io::stdin().lines() {
        let order = order?;
        let (mutant, case, seed) =
            parse(&order).ok_or_else(|| io::Error::other(format!("no such order: {order}")))?;
        let done = mutant.runner(options).run(case, seed);
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &done)?;
        writeln!(out)?;
        out.flush()?;
        if is_late(mutant, &done) {
            // What still runs ends with this process.
            return Ok(());
        }
    }
    Ok(())
}

fn parse(order: &str) -> Option<(&'static Mutant, &'static Case, u64)> {
    let mut words = order.split('\t');
    let (mutant, case) = (words.next()?, words.next()?);
    let mutant = catalogue().find(|known| known.name == mutant)?;
    let case = cases().find(|known| known.id == case)?;
    Some((mutant, case, words.next()?.parse().ok()?))
}
