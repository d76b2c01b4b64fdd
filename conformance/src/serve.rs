//! Being the child process that a run has started.

use std::process::ExitCode;

use engine_api::{Config, Engine, Error, ErrorKind, Result};

use crate::child::{self, Task};
use crate::crash::Script;
use crate::target::configure;
use crate::{mutants, watchdog};

/// Does what a child process of the kit is for, where this process is one; `None` where it isn't.
///
/// A program that runs the kit calls this first in its `main`, with the engines it knows, returns the code
/// that it gets, and passes [`Options::with_child_process`](crate::Options::with_child_process).
/// [`main!`](crate::main!) does so by itself.
pub fn serve_child(engines: &[&'static dyn Engine]) -> Option<ExitCode> {
    if let Some(code) = watchdog::serve() {
        return Some(code);
    }
    // A worker's own children have what it has in their environment, and a store beside it.
    let Ok(url) = std::env::var(child::URL) else { return mutants::serve() };
    let unknown = || Error::new(ErrorKind::InvalidArgument, "no such task of a child");
    let served = match std::env::var(child::SCRIPT) {
        Ok(script) => Script::from_text(&script).ok_or_else(unknown).and_then(|script| {
            find(engines, &url).and_then(|(engine, config)| script.perform(engine, config))
        }),
        Err(_) => {
            let task = std::env::var(child::TASK).ok()?;
            let known = Task::ALL.into_iter().find(|known| known.name() == task);
            known.ok_or_else(unknown).and_then(|task| {
                find(engines, &url).and_then(|(engine, config)| child::perform(task, engine, config))
            })
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
        .chain(mutants::engines())
        .find(|engine| engine.descriptor().schemes.contains(&scheme))
        .or_else(|| engines.first().copied())
        .ok_or_else(|| Error::new(ErrorKind::InvalidConfig, "the child knows no engine"))?;
    Ok((engine, configure(engine, url)?))
}
