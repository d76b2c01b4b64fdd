//! `kvdag array attrs`.

use std::fmt;

use array_file::FileConfig;
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::attribute_values::{AttributeType, attribute_json, attribute_of};
use super::place::{Arrays, PastArgs, failed};
use crate::cli::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// The array.
    array: String,
    /// The attribute; all are listed without one.
    name: Option<String>,
    /// The value that it gets: a number, true, false, a JSON list, or any text.
    #[arg(conflicts_with = "commit", allow_negative_numbers = true)]
    value: Option<String>,
    /// The type of the value, where it isn't to be int64, float64, bool, list or string by what it looks like.
    #[arg(long = "type", value_enum, value_name = "TYPE", requires = "value")]
    kind: Option<AttributeType>,
    /// Take the attribute away.
    #[arg(long, requires = "name", conflicts_with_all = ["value", "commit"])]
    delete: bool,
}

#[derive(Debug, Serialize)]
struct Attributes {
    file: String,
    commit: u64,
    array: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Serialize)]
struct Attribute {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: serde_json::Value,
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |attribute: &Attribute| {
            vec![attribute.name.clone(), attribute.kind.to_owned(), attribute.value.to_string()]
        };
        output::columns(f, &self.attributes.iter().map(row).collect::<Vec<_>>())
    }
}

#[derive(Debug, Serialize)]
struct Changed {
    file: String,
    commit: u64,
    array: String,
    attribute: String,
    /// What it is now; nothing where it was taken away.
    value: Option<serde_json::Value>,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, array, attribute, .. } = self;
        match (&self.value, self.kind) {
            (Some(value), Some(kind)) => {
                write!(f, "{attribute} of {array} is {value}, {kind}, in commit {commit}")
            }
            _ => write!(f, "deleted {attribute} of {array} in commit {commit}"),
        }
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let Some(name) = args.name.as_deref().filter(|_| args.value.is_some() || args.delete) else {
        return show(args, output);
    };
    let value = args.value.as_deref().map(|value| attribute_of(args.kind, value)).transpose()?;
    let arrays = Arrays::to_write(&args.past.place, FileConfig::default())?;
    let shown = value.as_ref().map(attribute_json);
    let commit = arrays.change(|arrays| {
        match value {
            Some(value) => arrays.file.set_attribute(&args.array, name, value).map_err(failed)?,
            None => {
                if !arrays.file.remove_attribute(&args.array, name).map_err(failed)? {
                    return Err(missing(&args.array, name));
                }
            }
        }
        arrays.flush()
    })?;
    let (value, kind) = shown.unzip();
    output.print(&Changed {
        file: args.past.place.file.clone(),
        commit,
        array: args.array.clone(),
        attribute: name.to_owned(),
        value,
        kind,
    })
}

fn show(args: &Args, output: Output) -> Result<()> {
    let arrays = Arrays::to_read(&args.past)?;
    let all = arrays.file.attributes(&args.array).map_err(failed)?;
    let wanted = all.iter().filter(|(name, _)| args.name.as_ref().is_none_or(|wanted| *name == wanted));
    let attributes: Vec<Attribute> = wanted
        .map(|(name, value)| {
            let (value, kind) = attribute_json(value);
            Attribute { name: name.clone(), kind, value }
        })
        .collect();
    if let Some(name) = args.name.as_deref().filter(|_| attributes.is_empty()) {
        return Err(missing(&args.array, name));
    }
    output.print(&Attributes {
        file: args.past.place.file.clone(),
        commit: arrays.file.commit(),
        array: args.array.clone(),
        attributes,
    })
}

fn missing(array: &str, name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "the array has no such attribute")
        .with("array", array)
        .with("attribute", name)
}
