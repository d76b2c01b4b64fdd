//! `kvdag graph check`.

use std::fmt;
use std::ops::ControlFlow;
use std::process::ExitCode;

use engine_api::Result;
use graph::KeyValueGraph;
use serde::Serialize;

use super::Place;
use crate::cli::check::DAMAGED;
use crate::cli::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    /// What isn't as a graph makes it.
    problems: Vec<String>,
    /// What merges and kills have left, which nobody sees.
    hidden: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hidden in &self.hidden {
            writeln!(f, "harmless: {hidden}")?;
        }
        for problem in &self.problems {
            writeln!(f, "damaged: {problem}")?;
        }
        writeln!(f, "problems: {}", self.problems.len())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let store = args.place.open_to_read()?;
    let at = args.place.graph(&store)?;
    let mut findings = Findings::default();
    KeyValueGraph::new(&store).check(at.ctx(), &mut |fault| {
        let list = if fault.is_harmless() { &mut findings.hidden } else { &mut findings.problems };
        list.push(fault.to_string());
        Ok(ControlFlow::Continue(()))
    })?;
    let code = if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) };
    output.print(&findings)?;
    Ok(code)
}
