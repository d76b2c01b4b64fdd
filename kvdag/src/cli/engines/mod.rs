//! `kvdag engines`.

mod markdown;

use std::collections::BTreeMap;
use std::fmt;

use engine_api::{Descriptor, Limits, OptionSpec, Result};
use serde::Serialize;

use super::output::{self, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a document about the engines instead, in Markdown.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, default_missing_value = "guide")]
    markdown: Option<Document>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Document {
    /// What each can do, its limits and options, and when to choose it.
    Guide,
    /// A table, a row for each.
    Table,
}

#[derive(Debug, Serialize)]
struct Engine {
    name: &'static str,
    version: String,
    schemes: Vec<&'static str>,
    about: &'static str,
    choose: &'static str,
    capabilities: BTreeMap<&'static str, String>,
    limits: BTreeMap<&'static str, Option<u64>>,
    empty_key: bool,
    options: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    name: &'static str,
    values: String,
    default: &'static str,
    about: &'static str,
}

impl Engine {
    fn new(descriptor: &'static Descriptor) -> Self {
        let limits = &descriptor.capabilities.limits;
        Self {
            name: descriptor.name,
            version: descriptor.version.to_string(),
            schemes: descriptor.schemes.to_vec(),
            about: descriptor.about,
            choose: descriptor.choose,
            capabilities: descriptor.capabilities.facts().into_iter().collect(),
            limits: sizes(limits).into_iter().collect(),
            empty_key: limits.empty_key,
            options: std::iter::once(&OptionSpec::MODE)
                .chain(descriptor.options)
                .map(|option| Choice {
                    name: option.name,
                    values: option.kind.to_string(),
                    default: option.default,
                    about: option.about,
                })
                .collect(),
        }
    }
}

fn sizes(limits: &Limits) -> [(&'static str, Option<u64>); 5] {
    let wide = |limit: Option<usize>| limit.and_then(|limit| u64::try_from(limit).ok());
    [
        ("key_bytes", wide(limits.key_bytes)),
        ("value_bytes", wide(limits.value_bytes)),
        ("batch_ops", wide(limits.batch_ops)),
        ("batch_bytes", wide(limits.batch_bytes)),
        ("views", wide(limits.views)),
    ]
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Engines(Vec<Engine>);

impl fmt::Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, engine) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{} {}  {}:", engine.name, engine.version, engine.schemes.join(":, "))?;
            writeln!(f, "  {}", engine.about)?;
            if !engine.choose.is_empty() {
                writeln!(f, "  {}", engine.choose)?;
            }
            let mut rows = Vec::new();
            for (name, fact) in &engine.capabilities {
                rows.push(vec!["  ".to_owned() + &name.replace('_', " "), fact.clone()]);
            }
            for (name, limit) in &engine.limits {
                let limit = limit.map_or_else(|| "none stated".to_owned(), |limit| limit.to_string());
                rows.push(vec!["  most ".to_owned() + &name.replace('_', " "), limit]);
            }
            output::columns(f, &rows)?;
            for option in &engine.options {
                writeln!(f, "  ?{}=  {} (default {})", option.name, option.values, option.default)?;
                writeln!(f, "      {}", option.about)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let registry = kvdag::registry()?;
    let descriptors: Vec<_> = registry.engines().iter().map(|engine| engine.descriptor()).collect();
    match args.markdown {
        Some(Document::Guide) => return output::raw(markdown::guide(&descriptors).as_bytes()),
        Some(Document::Table) => return output::raw(markdown::table(&descriptors).as_bytes()),
        None => {}
    }
    output.print(&Engines(descriptors.into_iter().map(Engine::new).collect()))
}
