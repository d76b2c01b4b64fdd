//! The kit's program started again, as a process that can be killed or shut out.

use std::io::{self, Write as _};
use std::process::Command;

use engine_api::{Config, Durability, Engine, Error, OpenMode, Result, WriteBatch};

use crate::groups::remove_hub;
use crate::verdict::{Halt, Verdict};

pub(crate) const SCRIPT: &str = "CONFORMANCE_CHILD_SCRIPT";
pub(crate) const TASK: &str = "CONFORMANCE_CHILD_TASK";
pub(crate) const URL: &str = "CONFORMANCE_CHILD_URL";

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
    /// Opens the store, prints `opened`, waits for a line, removes a vertex of many edges, and prints `closed`.
    RemoveHub,
}

impl Task {
    pub(crate) const ALL: [Self; 6] = [
        Self::Commit(Durability::Relaxed),
        Self::Commit(Durability::Process),
        Self::Commit(Durability::Power),
        Self::CommitThenFlush,
        Self::Open,
        Self::RemoveHub,
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Commit(durability) => format!("commit-{durability}"),
            Self::CommitThenFlush => "commit-then-flush".to_owned(),
            Self::Open => "open".to_owned(),
            Self::RemoveHub => "remove-hub".to_owned(),
        }
    }
}

pub(crate) fn command(task: Task, url: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(TASK, task.name()).env(URL, url);
    Ok(command)
}

/// This program again, as a process that does what the text of a script says.
pub(crate) fn script(text: String, url: &str) -> Verdict<Command> {
    let program = std::env::current_exe()
        .map_err(|error| Halt::failed(format!("the child process can't be started: {error}")))?;
    let mut command = Command::new(program);
    command.env(SCRIPT, text).env(URL, url);
    Ok(command)
}

/// What a child does whose task this is.
pub(crate) fn perform(task: Task, engine: &dyn Engine, config: Config) -> Result<()> {
    let opened = engine.open(&config.with_mode(OpenMode::Existing));
    let durability = match task {
        Task::Open => {
            return say(&opened.map_or_else(|error| error.kind().to_string(), |_| "opened".to_owned()));
        }
        Task::RemoveHub => return remove_hub(opened?.store),
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

pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::from_io(error, "nobody listens"))
}
