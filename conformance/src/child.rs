//! The kit's program started again, as a process that can be killed or shut out.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};

use engine_api::{Config, Durability, Engine, Error, OpenMode, Result, WriteBatch};

use crate::crash::Script;
use crate::target::configure;
use crate::verdict::{Halt, Verdict};

const SCRIPT: &str = "CONFORMANCE_CHILD_SCRIPT";
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

/// This program again, as a process that does what a script says.
pub(crate) fn script(script: &Script, url: &str) -> Verdict<Command> {
    let program = std::env::current_exe()
        .map_err(|error| Halt::failed(format!("the child process can't be started: {error}")))?;
    let mut command = Command::new(program);
    command.env(SCRIPT, script.to_text()).env(URL, url);
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
    let url = std::env::var(URL).ok()?;
    let unknown = || Error::new(engine_api::ErrorKind::InvalidArgument, "no such task of a child");
    let served = match std::env::var(SCRIPT) {
        Ok(script) => Script::from_text(&script).ok_or_else(unknown).and_then(|script| {
            find(engines, &url).and_then(|(engine, config)| script.perform(engine, config))
        }),
        Err(_) => {
            let task = std::env::var(TASK).ok()?;
            let known = Task::ALL.into_iter().find(|known| known.name() == task);
            known.ok_or_else(unknown).and_then(|task| serve(task, engines, &url))
        }
    };
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("child: {error:?}");
            ExitCode::FAILURE
        }
    })
}

fn find(engines: &[&'static dyn Engine], url: &str) -> Result<(&'static dyn Engine, Config)> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let engine = engines
        .iter()
        .copied()
        .chain(crate::mutants::engines())
        .find(|engine| engine.descriptor().schemes.contains(&scheme))
        .or_else(|| engines.first().copied())
        .ok_or_else(|| Error::new(engine_api::ErrorKind::InvalidConfig, "the child knows no engine"))?;
    Ok((engine, configure(engine, url)?))
}

fn serve(task: Task, engines: &[&'static dyn Engine], url: &str) -> Result<()> {
    let (engine, config) = find(engines, url)?;
    let opened = engine.open(&config.with_mode(OpenMode::Existing));
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

pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::from_io(error, "nobody listens"))
}
