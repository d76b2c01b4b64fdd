//! What a command answers, as text for people or as JSON for programs.

use std::fmt;
use std::io::{self, Write};

use engine_api::{Error, ErrorKind, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON value on standard output.
    Json,
}

/// Where answers and progress go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) silent: bool,
}

impl Output {
    /// Prints an answer.
    pub(crate) fn print<T: Serialize + fmt::Display>(self, answer: &T) -> Result<()> {
        match self.format {
            Format::Text => Self::line(answer),
            Format::Json => {
                let json = serde_json::to_string_pretty(answer).map_err(|error| {
                    Error::new(ErrorKind::Internal, "the answer can't be written as JSON").caused_by(error)
                })?;
                Self::line(&json)
            }
        }
    }

    fn line(text: &dyn fmt::Display) -> Result<()> {
        let mut text = text.to_string();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        raw(text.as_bytes())
    }

    /// A bar for work of so many steps; it shows on a terminal, and nowhere else.
    pub(crate) fn progress(self, steps: u64, what: &'static str) -> ProgressBar {
        let target = if self.silent { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(steps), target).with_message(what);
        match ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}, {eta} left") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// Prints bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<()> {
    finish(io::stdout().lock().write_all(bytes))
}

/// A reader that went away, such as `head`, has what it wanted.
fn finish(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Error::from_io(error, "the answer can't be written")),
    }
}

/// An error as programs read it.
#[derive(Serialize)]
struct Failure<'a> {
    kind: &'a str,
    message: &'a str,
    fields: serde_json::Map<String, serde_json::Value>,
    causes: Vec<String>,
}

/// Prints an error on standard error, in the format of answers.
pub(crate) fn report(error: &Error, format: Format) {
    match format {
        Format::Text => eprintln!("error: {}", error.report()),
        Format::Json => {
            let mut causes = Vec::new();
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                causes.push(error.to_string());
                cause = error.source();
            }
            let fields = error.fields().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let failure = Failure { kind: error.kind().as_str(), message: error.message(), fields, causes };
            let json = serde_json::json!({ "error": failure });
            eprintln!("{json:#}");
        }
    }
}

/// The exit code for an error; the help text lists them.
pub(crate) fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::InvalidArgument | ErrorKind::InvalidConfig => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::ReadOnly | ErrorKind::TooLarge => 4,
        ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::Poisoned => 5,
        ErrorKind::Locked | ErrorKind::Busy | ErrorKind::Unavailable => 6,
        ErrorKind::Internal => 70,
        _ => 1,
    }
}

/// A time as people and programs read it: RFC 3339, UTC.
pub(crate) fn time(milliseconds: u64) -> String {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
        .map_or_else(|| milliseconds.to_string(), |at| at.to_string())
}

/// So many keys, in words.
pub(crate) fn keys(count: u64) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

/// A number of bytes as people read it.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// Aligns the columns of rows with two spaces between.
pub(crate) fn columns(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..count).map(width).collect();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
