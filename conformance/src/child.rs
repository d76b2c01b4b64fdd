//! The kit's program started again, as a process that can be killed or shut out.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};

use engine_api::{Durability, Engine, Error, OpenMode, Result, WriteBatch};

use crate::target::configure;

const TASK: &str = "CONFORMANCE_CHILD_TASK";
const URL: &str = "CONFORMANCE_CHILD_URL";

/// How many keys each numbered batch of a child puts.
pub(crate) const KEYS_PER_BATCH: usize = 8;

/// A child that nobody kills ends by itself.
const MOST_BATCHES: usize = 1_000_000;

/// What a child does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Commits numbered batches, and prints the number of each once its commit has returned.
    Commit(Durability),
    /// The same with relaxed commits, each followed by a flush before its number is printed.
    CommitThenFlush,
    /// Opens the store, and prints `opened` or the kind of the error.
    Open,
}

impl Task {
    const ALL: [Self; 5] = [
        Self::Commit(Durability::Relaxed),
        Self::Commit(Durability::Process),
        Self::Commit(Durability::Power),
        Self::CommitThenFlush,
        Self::Open,
    ];

    fn name(self) -> String {
        match self {
            Self::Commit(durability) => format!("commit-{durability}"),
            Self::CommitThenFlush => "commit-then-flush".to_owned(),
            Self::Open => "open".to_owned(),
        }
    }
}

pub(crate) fn command(task: Task, url: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(TASK, task.name()).env(URL, url);
    Ok(command)
}

/// Does what a child process of the kit is for, where this process is one; `None` where it isn't.
///
/// A program that runs the kit calls this first in its `main`, with the engines it knows, returns the code
/// that it gets, and passes [`Options::with_child_process`](crate::Options::with_child_process).
/// [`main!`](crate::main!) does so by itself.
pub fn serve_child(engines: &[&'static dyn Engine]) -> Option<ExitCode> {
    if let Some(code) = crate::watchdog::serve() {
        return Some(code);
    }
    let (task, url) = (std::env::var(TASK).ok()?, std::env::var(URL).ok()?);
    let served = Task::ALL
        .into_iter()
        .find(|known| known.name() == task)
        .ok_or_else(|| Error::new(engine_api::ErrorKind::InvalidArgument, "no such task of a child"))
        .and_then(|task| serve(task, engines, &url));
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("child: {error:?}");
            ExitCode::FAILURE
        }
    })
}

fn serve(task: Task, engines: &[&'static dyn Engine], url: &str) -> Result<()> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let engine = engines
        .iter()
        .copied()
        .chain(crate::mutants::engines())
        .find(|engine| engine.descriptor().schemes.contains(&scheme))
        .or_else(|| engines.first().copied())
        .ok_or_else(|| Error::new(engine_api::ErrorKind::InvalidConfig, "the child knows no engine"))?;
    let config = configure(engine, url)?.with_mode(OpenMode::Existing);
    let opened = engine.open(&config);
    let durability = match task {
        Task::Open => {
            return say(&opened.map_or_else(|error| error.kind().to_string(), |_| "opened".to_owned()));
        }
        Task::Commit(durability) => durability,
        Task::CommitThenFlush => Durability::Relaxed,
    };
    let store = opened?.store;
    for number in 0..MOST_BATCHES {
        store.commit(&numbered_batch(number), durability)?;
        if task == Task::CommitThenFlush {
            store.flush()?;
        }
        say(&number.to_string())?;
    }
    Ok(())
}

/// The keys of batch `number`; `at` counts within the batch.
pub(crate) fn numbered_key(number: usize, at: usize) -> String {
    format!("{number:08}/{at}")
}

fn numbered_batch(number: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for at in 0..KEYS_PER_BATCH {
        batch.put(numbered_key(number, at), number.to_string());
    }
    batch
}

fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::from_io(error, "nobody listens"))
}
