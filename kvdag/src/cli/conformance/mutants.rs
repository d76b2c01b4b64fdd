//! `kvdag conformance mutants`.

use std::fmt;
use std::process::ExitCode;

use conformance::mutants::{KillTable, Scope, kill_table};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::super::interrupt::Careful;
use super::super::output::{self, Output};
use super::{How, flow};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run every case on every mutant, and list the cases that catch none too.
    #[arg(long)]
    all_cases: bool,
    /// Print the table in Markdown.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Table(KillTable);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text())
    }
}

pub(super) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let scope = if args.all_cases { Scope::All } else { Scope::Named };
    let careful = Careful::begin();
    let bar = output.progress(0, "hunting mutants");
    let table = kill_table(&args.how.options(), scope, |what, of| {
        bar.set_length(u64::try_from(of).unwrap_or(0));
        bar.set_message(what.to_owned());
        bar.inc(1);
        flow()
    });
    bar.finish_and_clear();
    careful.check()?;
    let table = table.ok_or_else(|| Error::new(ErrorKind::Internal, "the hunt ended before its end"))?;
    let success = table.is_success();
    if args.markdown {
        output::raw(table.to_markdown().as_bytes())?;
    } else {
        output.print(&Table(table))?;
    }
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
