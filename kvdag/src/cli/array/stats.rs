//! `kvdag array stats`.

use std::fmt;

use array_file::ArrayStats;
use engine_api::Result;
use serde::Serialize;

use super::place::{Arrays, PastArgs, failed};
use super::values::{bound_of, json_of};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// The array; all of them unless given.
    array: Option<String>,
    /// Of each stored chunk.
    #[arg(long, requires = "array")]
    chunks: bool,
}

#[derive(Debug, Serialize)]
struct Stats {
    file: String,
    commit: u64,
    arrays: Vec<Row>,
}

/// The statistics of an array or of a chunk.
#[derive(Debug, Serialize)]
struct Row {
    array: String,
    /// Where the chunk begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk: Option<Vec<u64>>,
    min: Option<serde_json::Value>,
    max: Option<serde_json::Value>,
    /// Whether the bounds are elements, and not the beginnings of long ones.
    exact: bool,
    elements: u64,
    /// Elements that are the fill value, or were never written.
    null: u64,
}

impl Row {
    fn of(stats: &ArrayStats, chunk: Option<Vec<u64>>) -> Self {
        Self {
            array: stats.name.clone(),
            chunk,
            min: stats.min.as_ref().map(bound_of).map(json_of),
            max: stats.max.as_ref().map(bound_of).map(json_of),
            exact: stats.min_is_exact && stats.max_is_exact,
            elements: stats.row_count,
            null: stats.null_count,
        }
    }

    fn cells(&self) -> Vec<String> {
        let bound = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "–".to_owned(),
        };
        let about = if self.exact { "" } else { "about " };
        let mut cells = vec![self.array.clone()];
        cells.extend(self.chunk.as_ref().map(|start| format!("from {start:?}")));
        cells.push(format!("{about}{} to {about}{}", bound(&self.min), bound(&self.max)));
        cells.push(format!("{} of {} elements", self.elements.saturating_sub(self.null), self.elements));
        cells
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        output::columns(f, &self.arrays.iter().map(Row::cells).collect::<Vec<_>>())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let opened = Arrays::to_read(&args.past)?;
    let names: Vec<String> = match &args.array {
        Some(name) => vec![opened.file.get_array(name).map_err(failed)?.name.clone()],
        None => opened.file.list_arrays().map(|meta| meta.name.clone()).collect(),
    };
    let mut arrays = Vec::new();
    for name in names {
        if args.chunks {
            for chunk in opened.place.wait(opened.file.stored_chunks(&name))? {
                arrays.push(Row::of(&chunk.stats, Some(chunk.start)));
            }
            continue;
        }
        match opened.place.wait(opened.file.array_stats(&name))? {
            Some(stats) => arrays.push(Row::of(&stats, None)),
            None => {
                let elements = opened.file.get_array(&name).map_err(failed)?.elements();
                let row = Row {
                    array: name,
                    chunk: None,
                    min: None,
                    max: None,
                    exact: true,
                    elements,
                    null: elements,
                };
                arrays.push(row);
            }
        }
    }
    output.print(&Stats { file: args.past.place.file.clone(), commit: opened.file.commit(), arrays })
}
