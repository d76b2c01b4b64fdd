//! `kvdag conformance`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conformance::{Options, Outcome, Report, Target, catalogue, catalogue_markdown};
use engine_api::{Engine, Error, Persistence, Result};
use serde::Serialize;

use super::output::{self, Output};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["urls", "all", "list"]))]
pub(crate) struct Args {
    /// The engines to test, with their options. A path names a new folder for the stores; without one they
    /// are made in a temporary folder.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Test every engine.
    #[arg(long, conflicts_with = "urls")]
    all: bool,
    /// Only cases whose name contains this; may be given several times.
    #[arg(long, value_name = "TEXT")]
    case: Vec<String>,
    /// What random cases start from.
    #[arg(long)]
    seed: Option<u64>,
    /// Write a report for each engine to this folder: JSON, JUnit XML and Markdown.
    #[arg(long, value_name = "FOLDER")]
    reports: Option<PathBuf>,
    /// List the cases, in Markdown, and run none.
    #[arg(long, exclusive = true)]
    list: bool,
}

#[derive(Debug, Serialize)]
struct Reports {
    engines: Vec<EngineReport>,
}

#[derive(Debug, Serialize)]
struct EngineReport {
    #[serde(flatten)]
    report: Report,
    /// Why each case that was ignored was.
    ignored_reasons: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    case: String,
    reason: String,
}

impl From<Report> for EngineReport {
    fn from(report: Report) -> Self {
        let ignored_reasons = report
            .with_outcome(Outcome::Ignored)
            .map(|case| Reason { case: case.id.clone(), reason: case.message.clone().unwrap_or_default() })
            .collect();
        Self { report, ignored_reasons }
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engines.iter().try_for_each(|engine| f.write_str(&engine.report.to_text()))
    }
}

/// Lets the kit start this program again as a process that it can kill.
pub(crate) fn serve_child() -> Option<ExitCode> {
    let registry = kvdag::registry().ok()?;
    conformance::serve_child(registry.engines())
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    if args.list {
        output::raw(catalogue_markdown().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut targets = Vec::new();
    if args.all {
        for engine in kvdag::registry()?.engines() {
            targets.push((target(*engine, String::new()), None));
        }
    }
    for url in &args.urls {
        targets.push(parse(url)?);
    }
    let mut reports = Vec::new();
    for (target, folder) in targets {
        let mut options = Options::new().with_child_process();
        for case in &args.case {
            options = options.only(case);
        }
        if let Some(seed) = args.seed {
            options = options.seed(seed);
        }
        if let Some(folder) = &folder {
            make_folder(folder)?;
            options = options.scratch(folder);
        }
        let cases = u64::try_from(catalogue().count()).unwrap_or(0);
        let bar = output.progress(cases, "running cases");
        let report = conformance::run_with(&target, &options, |_| bar.inc(1));
        bar.finish_and_clear();
        if let Some(reports) = &args.reports {
            write_reports(reports, &report)?;
        }
        reports.push(report);
    }
    let conforms = reports.iter().all(Report::is_success);
    output.print(&Reports { engines: reports.into_iter().map(EngineReport::from).collect() })?;
    Ok(if conforms { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The engine and options of a URL, and the folder that its path names.
fn parse(url: &str) -> Result<(Target, Option<PathBuf>)> {
    let registry = kvdag::registry()?;
    let config = registry.config(url)?;
    let engine = registry.engine_of(&config)?;
    let query = url.split_once('?').filter(|_| url.contains(':')).map(|(_, query)| format!("?{query}"));
    let target = target(engine, query.unwrap_or_default()).named(url);
    Ok((target, config.path().map(Path::to_path_buf)))
}

fn target(engine: &'static dyn Engine, query: String) -> Target {
    let descriptor = engine.descriptor();
    let scheme = descriptor.schemes.first().copied().unwrap_or(descriptor.name);
    let in_memory = descriptor.capabilities.persistence == Persistence::Memory;
    Target::new(engine, move |folder| {
        if in_memory {
            format!("{scheme}:{query}")
        } else {
            format!("{scheme}:{}/store{query}", folder.display())
        }
    })
}

/// Stores are made and destroyed in the folder, so it must hold nothing of anyone's.
fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir(folder).map_err(|error| {
        Error::from_io(error, "conformance makes its stores in a folder of its own, which can't be made")
            .with("folder", folder.display())
    })
}

fn write_reports(folder: &Path, report: &Report) -> Result<()> {
    let name: String = report
        .engine
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let failed = |error| Error::from_io(error, "a report can't be written").with("folder", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let files = [("json", report.to_json()), ("xml", report.to_junit()), ("md", report.to_markdown())];
    for (ending, text) in files {
        fs::write(folder.join(format!("conformance-{name}.{ending}")), text).map_err(failed)?;
    }
    Ok(())
}
