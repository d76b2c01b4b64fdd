//! `kvdag info`.

use std::fmt;

use engine_api::Result;
use engine_api::key::DataContext;
use engine_api::version::{Instance, OrderedKeyValue};
use engine_api::{Fetch, KeyRange};
use serde::Serialize;
use std::ops::ControlFlow;
use volume::Volume;

use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// Count keys at this version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Info {
    store: String,
    repos: Vec<RepoInfo>,
    version: String,
    branch: String,
    instances: Vec<InstanceInfo>,
}

#[derive(Debug, Serialize)]
struct RepoInfo {
    alias: String,
    uuid: String,
    created: String,
    versions: usize,
    branches: usize,
}

#[derive(Debug, Serialize)]
struct InstanceInfo {
    name: String,
    datatype: String,
    versioned: bool,
    /// Keys that are visible at the version.
    keys: u64,
    /// What the datatype says of it.
    properties: serde_json::Value,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        for repo in &self.repos {
            writeln!(
                f,
                "repo {} {}, created {}, versions: {}, branches: {}",
                repo.alias, repo.uuid, repo.created, repo.versions, repo.branches
            )?;
        }
        writeln!(f, "at {} on {}:", &self.version[..12.min(self.version.len())], self.branch)?;
        let mut rows = Vec::new();
        for instance in &self.instances {
            rows.push(vec![
                format!("  {}", instance.name),
                instance.datatype.clone(),
                format!("{} keys", instance.keys),
                summary(&instance.properties),
            ]);
        }
        output::columns(f, &rows)
    }
}

/// A volume's properties in a line.
fn summary(properties: &serde_json::Value) -> String {
    let Some(grid) = properties.get("grid") else { return String::new() };
    let list = |name: &str| {
        grid.get(name)
            .and_then(|value| value.as_array())
            .map(|numbers| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × "))
    };
    let text = |value: Option<&serde_json::Value>| {
        value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    format!(
        "{} {} in chunks of {}, {}",
        list("shape").unwrap_or_default(),
        text(grid.get("dtype")),
        list("chunk_shape").unwrap_or_default(),
        text(properties.get("codec")),
    )
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let dag = store.dag()?;
    let repos = dag
        .repos()
        .map(|repo| RepoInfo {
            alias: repo.alias.clone(),
            uuid: repo.uuid.simple().to_string(),
            created: output::time(repo.created),
            versions: dag.versions().filter(|version| version.repo == repo.id).count(),
            branches: dag.heads(repo.id).len(),
        })
        .collect();
    let version = store::version(&store, args.at.as_deref())?;
    let mut instances = Vec::new();
    for instance in dag.instances().filter(|instance| instance.repo == version.repo) {
        let ctx = if instance.versioned {
            DataContext::versioned(instance.id, version.id)
        } else {
            DataContext::unversioned(instance.id)
        };
        let mut keys = 0;
        store.visit(&ctx, &KeyRange::ALL, Fetch::Keys, &mut |_, _| {
            keys += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        instances.push(InstanceInfo {
            name: instance.name.clone(),
            datatype: instance.datatype.clone(),
            versioned: instance.versioned,
            keys,
            properties: properties(&store, instance)?,
        });
    }
    output.print(&Info {
        store: args.store.clone(),
        repos,
        version: version.uuid.simple().to_string(),
        branch: version.branch,
        instances,
    })
}

fn properties(store: &AnyStore, instance: &Instance) -> Result<serde_json::Value> {
    if instance.datatype == volume::DATATYPE {
        // Read as the datatype reads them, so that damage shows here too.
        Volume::open_unfinished(store, &instance.name)?;
    }
    Ok(instance.properties.clone())
}
