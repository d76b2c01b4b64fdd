//! The `kvdag` command, for a program that links engines of its own beside those of the crate's features.
//!
//! Such a program names the crate of its engine, so that it is linked, and calls [`main`]: every command then knows
//! the engine by its scheme.
//!
//! ```no_run
//! // extern crate engine_of_mine as _;
//!
//! fn main() -> std::process::ExitCode {
//!     kvdag::cli::main()
//! }
//! ```

// One module per command, each with its arguments, its work, and its answer.

#[cfg(feature = "tiers")]
mod archive;
#[cfg(feature = "array")]
mod array;
#[cfg(feature = "blockfs")]
mod blockfs;
mod branch;
mod branch_change;
mod bundle;
#[cfg(feature = "cache")]
mod cache;
mod check;
mod clone;
mod commit;
mod compact;
mod conflicts;
mod conformance;
mod copy;
mod defects;
mod demo;
mod diff;
mod engines;
mod gc;
#[cfg(feature = "graph")]
mod graph;
mod info;
mod init;
mod interrupt;
mod keys;
mod log;
mod merge;
mod migrate;
mod new;
mod note;
mod output;
mod repair;
mod resolve;
mod scan;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod serve_catalog;
#[cfg(all(any(feature = "blockfs", feature = "http"), feature = "serve"))]
mod serve_single;
#[cfg(all(feature = "http", feature = "serve"))]
mod serve_source;
mod show;
mod squash;
mod store;
mod tag;
mod through;
mod volume;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use engine_api::Result;

use output::{Format, Output};

const AFTER_HELP: &str = "\
A STORE is a URL such as redb:///data/brain.redb?cache=256MiB or memory:, or a plain path, which is a redb file.
`kvdag engines` lists the engines and their options.

A VERSION is a branch, meaning its newest version, a tag, or the first digits (four at least) of a version's UUID;
~N behind it goes back N versions, along the first parent of each. Where a store has several repos, write
REPO:VERSION; a REPO is an alias or the first digits of any of its versions.

`kvdag import`, `export` and `fill` are short for `kvdag volume import` and so on.

Exit codes: 0 done; 1 failed; 2 an argument or URL makes no sense; 3 something isn't there; 4 refused: it
conflicts, exists already, is read-only or too large; 5 the store or a file is damaged or of an unknown format;
6 the store is in use; 70 a defect of kvdag; 130 interrupted.";

/// Versioned data in any ordered key-value engine.
#[derive(Debug, Parser)]
#[command(name = "kvdag", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    /// How answers and errors are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Show no progress bars.
    #[arg(long, global = true)]
    silent: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole story on a head MRI: import, commit, branch, change, compare, and leave a picture.
    Demo(demo::Args),
    /// Make a store with an empty repo.
    Init(init::Args),
    /// Say what a store holds.
    Info(info::Args),
    /// Volumes: import images, edit, make and check scales, export.
    #[command(subcommand)]
    Volume(volume::Command),
    /// Array files: regions of arrays, on disk or in a store, with a history of commits.
    #[cfg(feature = "array")]
    #[command(subcommand)]
    Array(array::Command),
    /// BlockFS: volumes in a few large files, read and written by many processes at once.
    #[cfg(feature = "blockfs")]
    #[command(subcommand)]
    Blockfs(blockfs::Command),
    /// Dataset caches: one bounded file in front of slow volumes.
    #[cfg(feature = "cache")]
    #[command(subcommand)]
    Cache(cache::Command),
    /// Graphs: import, look at, edit, export; the graph of labels that touch.
    #[cfg(feature = "graph")]
    #[command(subcommand)]
    Graph(graph::Command),
    /// Short for `kvdag volume import`.
    #[command(hide = true)]
    Import(volume::import::Args),
    /// Short for `kvdag volume export`.
    #[command(hide = true)]
    Export(volume::export::Args),
    /// Short for `kvdag volume fill`.
    #[command(hide = true)]
    Fill(volume::fill::Args),
    /// Print the value of a key.
    Get(keys::GetArgs),
    /// Store a value under a key.
    Put(keys::PutArgs),
    /// Delete a key.
    Delete(keys::DeleteArgs),
    /// List keys and values.
    Scan(scan::Args),
    /// Draw the history: versions, branches and notes, newest first.
    Log(log::Args),
    /// Commit a version, which closes it for writing for ever.
    Commit(commit::Args),
    /// Move what a committed version holds to the store of its immutable tier.
    #[cfg(feature = "tiers")]
    Archive(archive::Args),
    /// Start a new version on the branch of a committed one.
    New(new::Args),
    /// List branches, start one from a committed version, or change those that are there.
    Branch(branch::Args),
    /// List tags, put one on a version, or take one away.
    Tag(tag::Args),
    /// Add a line to a version's log, committed or not.
    Note(note::Args),
    /// Show a version: where it stands, what is said of it, and how much was written at it.
    Show(show::Args),
    /// List the keys that differ between two versions.
    Diff(diff::Args),
    /// Merge committed versions into a branch, or onto a new one; conflicts are counted, and left to be resolved.
    Merge(merge::Args),
    /// List the keys in conflict, with every side: at a version, or before several are merged.
    Conflicts(conflicts::Args),
    /// Choose a side, or another value, for one key in conflict or for all of them.
    Resolve(resolve::Args),
    /// Copy a store to another engine or place, whole, with its history.
    Copy(copy::Args),
    /// Carry versions from store to store in a file.
    Bundle(bundle::Args),
    /// Bring a repo, with its committed versions, to another store.
    Clone(clone::Args),
    /// Copy a collection or volume along a path of versions to another store.
    Migrate(migrate::MigrateArgs),
    /// Copy what a version shows to another store, without its history.
    Flatten(migrate::FlattenArgs),
    /// Read everything and compare checksums and structure.
    Check(check::Args),
    /// Mend a store that was left damaged, as far as its engine can.
    Repair(repair::Args),
    /// Make old versions unreadable, and remove what only they need.
    Gc(gc::Args),
    /// Make one version of a run of versions.
    Squash(squash::Args),
    /// Give space back to the operating system, where the engine can.
    Compact(compact::Args),
    /// Show volumes over HTTP, read-only: to browsers, Neuroglancer and other programs.
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// List the engines: schemes, capabilities, limits and options.
    Engines(engines::Args),
    /// Run the conformance kit on engines.
    Conformance(conformance::Args),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Print the help of every command, in Markdown.
    #[command(hide = true)]
    Manual,
}

/// Reads the program's arguments and runs the command that they name; answers the program's exit code.
///
/// It takes the process for its own: it ends it when the arguments make no sense, listens for interrupts, writes to the
/// standard streams, and replaces the panic hook. Call it first: the conformance kit starts the program again as a child.
pub fn main() -> ExitCode {
    if let Some(code) = conformance::serve_child() {
        return code;
    }
    #[cfg(feature = "blockfs")]
    let cli = Cli::parse_from(blockfs::arguments(std::env::args_os()));
    #[cfg(not(feature = "blockfs"))]
    let cli = Cli::parse();
    let output = Output { format: cli.format, silent: cli.silent };
    interrupt::listen();
    let outcome = defects::contain(|| run(cli.command, output));
    match outcome {
        Ok(code) => code,
        Err(error) if interrupt::requested() => {
            eprintln!("{}", error.message());
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            output::report(&error, output.format);
            ExitCode::from(output::exit_code(&error))
        }
    }
}

fn run(command: Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args, output),
        Command::Init(args) => init::run(&args, output),
        Command::Info(args) => info::run(&args, output),
        Command::Volume(command) => return volume::run(command, output),
        #[cfg(feature = "array")]
        Command::Array(command) => return array::run(command, output),
        #[cfg(feature = "blockfs")]
        Command::Blockfs(command) => return blockfs::run(command, output),
        #[cfg(feature = "cache")]
        Command::Cache(command) => return cache::run(command, output),
        #[cfg(feature = "graph")]
        Command::Graph(command) => return graph::run(command, output),
        Command::Import(args) => volume::import::run(&args, output),
        Command::Export(args) => volume::export::run(&args, output),
        Command::Fill(args) => volume::fill::run(&args, output),
        Command::Get(args) => keys::get(&args, output),
        Command::Put(args) => keys::put(&args, output),
        Command::Delete(args) => keys::delete(&args, output),
        Command::Scan(args) => scan::run(&args, output),
        Command::Log(args) => log::run(&args, output),
        Command::Commit(args) => commit::run(&args, output),
        #[cfg(feature = "tiers")]
        Command::Archive(args) => archive::run(&args, output),
        Command::New(args) => new::run(&args, output),
        Command::Branch(args) => branch::run(&args, output),
        Command::Tag(args) => tag::run(&args, output),
        Command::Note(args) => note::run(&args, output),
        Command::Show(args) => show::run(&args, output),
        Command::Diff(args) => diff::run(&args, output),
        Command::Merge(args) => merge::run(&args, output),
        Command::Conflicts(args) => conflicts::run(&args, output),
        Command::Resolve(args) => resolve::run(&args, output),
        Command::Copy(args) => copy::run(&args, output),
        Command::Bundle(args) => bundle::run(&args, output),
        Command::Clone(args) => clone::run(&args, output),
        Command::Migrate(args) => migrate::migrate(&args, output),
        Command::Flatten(args) => migrate::flatten(&args, output),
        Command::Check(args) => return check::run(&args, output),
        Command::Repair(args) => repair::run(&args, output),
        Command::Gc(args) => gc::run(&args, output),
        Command::Squash(args) => squash::run(&args, output),
        Command::Compact(args) => compact::run(&args, output),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, output),
        Command::Engines(args) => engines::run(&args, output),
        Command::Conformance(args) => return conformance::run(&args, output),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "kvdag", &mut std::io::stdout());
            Ok(())
        }
        Command::Manual => manual(),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn manual() -> Result<()> {
    let mut text = String::from("# The `kvdag` command\n\nGenerated from the command's own help.\n");
    let mut root = Cli::command().term_width(110);
    root.build();
    pages(&mut root, &mut text);
    output::raw(text.as_bytes())
}

/// A command's help, and that of the commands within it.
fn pages(command: &mut clap::Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("kvdag").to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    text.extend(["\n## `", &name, "`\n\n```text\n", lines.join("\n").trim_end(), "\n```\n"]);
    let shown = |command: &&mut clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for command in command.get_subcommands_mut().filter(shown) {
        pages(command, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
