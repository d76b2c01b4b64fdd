//! `kvdag conformance`.

mod cases;
mod mutants;
mod place;
mod reports;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use conformance::{Options, Outcome, Progress, Report, Target, catalogue, levels_markdown};
use engine_api::{Engine, Persistence, Result, Uuid};

use super::interrupt::{self, Careful};
use super::output::{self, Output};
use place::Plan;

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    group = clap::ArgGroup::new("what").required(true).args(["urls", "all", "list"])
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The engines to test, with their options. A path names a folder for the stores, which is new or empty; without one
    /// they are made in a temporary folder.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Test every engine.
    #[arg(long)]
    all: bool,
    /// Own what a path names: a store that is there is destroyed first; in a folder with other files the stores are made in
    /// folders of their own, and nothing else is touched.
    #[arg(long)]
    own: bool,
    #[command(flatten)]
    which: Which,
    /// Run each case so many times, each time with another seed that follows from the first. A failure tells its own.
    #[arg(long, value_name = "TIMES", default_value = "1")]
    repeat: NonZeroUsize,
    /// How many edges a vertex has while whose removal processes are killed; a few thousand unless given. 100000 takes
    /// minutes.
    #[arg(long, value_name = "EDGES")]
    degree: Option<u64>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    answer: Answer,
}

/// Which cases are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// Only cases whose name contains this; may be given several times.
    #[arg(long, value_name = "TEXT")]
    case: Vec<String>,
    /// Only the cases of this group; may be given several times.
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
}

/// What is answered.
#[derive(Debug, clap::Args)]
struct Answer {
    /// Write reports to this folder: JSON, JUnit XML and Markdown for each engine, and one HTML page of all.
    #[arg(long, value_name = "FOLDER")]
    reports: Option<PathBuf>,
    /// Print the levels that the engines hold instead, in Markdown.
    #[arg(long)]
    markdown: bool,
    /// List the cases, in Markdown or JSON, and run none.
    #[arg(long)]
    list: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the kit on stores that are wrong in one way each, and print which cases catch which.
    Mutants(mutants::Args),
}

/// How cases are run, engines' and mutants'.
#[derive(Debug, clap::Args)]
struct How {
    /// What random cases start from: a number, or `random` to draw one.
    #[arg(long, value_name = "N|random")]
    seed: Option<Seed>,
    /// How many cases run at once; by default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Debug)]
enum Seed {
    Number(u64),
    Random,
}

impl std::str::FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if text == "random" { Ok(Self::Random) } else { text.parse().map(Self::Number) }
    }
}

impl How {
    fn options(&self) -> Options {
        let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let options =
            Options::new().with_child_process().jobs(self.jobs.map_or_else(processors, NonZeroUsize::get));
        match self.seed {
            None => options,
            Some(Seed::Number(seed)) => options.seed(seed),
            Some(Seed::Random) => {
                let (seed, _) = Uuid::new_v4().as_u64_pair();
                // Told before anything can hang or be interrupted.
                eprintln!("seed {seed}");
                options.seed(seed)
            }
        }
    }
}

/// Lets the kit start this program again as a process that it can kill.
pub(crate) fn serve_child() -> Option<ExitCode> {
    let registry = kvdag::registry().ok()?;
    conformance::serve_child(registry.engines())
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    if let Some(Command::Mutants(args)) = &args.command {
        return mutants::run(args, output);
    }
    let mut options = cases::only(args.how.options(), &args.which.case, &args.which.group)?;
    if args.answer.list {
        return cases::list(&options, output).map(|()| ExitCode::SUCCESS);
    }
    options = options.repeat(args.repeat.get());
    if let Some(edges) = args.degree {
        options = options.degree(edges);
    }
    let mut plans = Vec::new();
    if args.all {
        let engines = kvdag::registry()?.engines().to_vec();
        plans
            .extend(engines.into_iter().map(|engine| (target(engine, None, String::new()), Plan::Elsewhere)));
    }
    for url in &args.urls {
        plans.push(parse(url, args.own)?);
    }
    let careful = Careful::begin();
    let mut reports = Vec::new();
    for (target, plan) in plans {
        // What each is to have is known before the first store is destroyed.
        let place = plan.carry_out()?;
        let options = match place.folder() {
            Some(folder) => options.clone().scratch(folder),
            None => options.clone(),
        };
        reports.push(watched(&target, &options, output));
        drop(place);
        careful.check()?;
    }
    if let Some(folder) = &args.answer.reports {
        reports::write(folder, &reports)?;
    }
    let conforms = reports.iter().all(Report::is_success);
    if args.answer.markdown {
        output::raw(levels_markdown(&reports).as_bytes())?;
    } else {
        output.print(&reports::Reports::from(reports))?;
    }
    Ok(if conforms { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the cases beside a bar that names the one that runs; Ctrl-C ends the run behind the cases that were begun.
fn watched(target: &Target, options: &Options, output: Output) -> Report {
    let runs = catalogue().filter(|case| options.asks_for(case.id)).count() * options.repetitions();
    let bar = output.progress(u64::try_from(runs).unwrap_or(0), "running cases");
    let mut failed = 0;
    let report = conformance::run_with(target, options, |progress| {
        match progress {
            Progress::Begun(case) => {
                let failures = if failed > 0 { format!("{failed} FAILED ") } else { String::new() };
                bar.set_message(format!("{} {failures}{}", target.name(), case.id));
            }
            Progress::Ended(done) => {
                failed += usize::from(done.outcome == Outcome::Failed);
                bar.inc(1);
            }
            _ => {}
        }
        flow()
    });
    bar.finish_and_clear();
    report
}

/// Whether to go on.
fn flow() -> ControlFlow<()> {
    if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The engine and options of a URL, and what is to become of the place that it names.
fn parse(url: &str, own: bool) -> Result<(Target, Plan)> {
    let registry = kvdag::registry()?;
    let config = registry.config(url)?;
    let engine = registry.engine_of(&config)?;
    let plan = Plan::of(engine, &config, own)?;
    let query = url.split_once('?').filter(|_| url.contains(':')).map(|(_, query)| format!("?{query}"));
    let host = config.authority().map(str::to_owned);
    Ok((target(engine, host, query.unwrap_or_default()).named(url), plan))
}

/// At a host the folders are names of spaces, which nobody else has.
fn target(engine: &'static dyn Engine, host: Option<String>, query: String) -> Target {
    let descriptor = engine.descriptor();
    let scheme = descriptor.schemes.first().copied().unwrap_or(descriptor.name);
    let in_memory = descriptor.capabilities.persistence == Persistence::Memory;
    Target::new(engine, move |folder| match &host {
        Some(host) => format!("{scheme}://{host}{}/store{query}", folder.display()),
        None if in_memory => format!("{scheme}:{query}"),
        None => format!("{scheme}:{}/store{query}", folder.display()),
    })
}
