//! `kvdag note`.

use std::fmt;

use engine_api::Result;
use serde::Serialize;

use super::output::{self, Output};
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// What to say.
    text: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Noted {
    version: String,
    at: String,
    text: String,
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "noted of {}", &self.version[..12.min(self.version.len())])
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let line = store.log_version(version.id, &args.text)?;
    output.print(&Noted {
        version: version.uuid.simple().to_string(),
        at: output::time(line.at),
        text: line.text,
    })
}
