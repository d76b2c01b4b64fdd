//! `kvdag volume fill`.

use std::fmt;

use chunks::{ChunkStore, Fill, Region, zeroed};
use engine_api::Result;
use serde::Serialize;
use volume::{Volume, edit_region};

use crate::cli::output::Output;
use crate::cli::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// What to fill, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1")]
    region: String,
    /// The value.
    #[arg(long, default_value = "0", allow_negative_numbers = true)]
    value: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Filled {
    volume: String,
    version: String,
    region: String,
    value: String,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        write!(f, "filled {} of {} with {} at {version}", self.region, self.volume, self.value)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let region = args.region.parse()?;
    let store = store::open_to_write(&args.store)?;
    output.print(&fill(&store, &args.volume, &region, &args.value, args.at.as_deref())?)
}

pub(crate) fn fill(
    store: &AnyStore,
    name: &str,
    region: &Region,
    value: &str,
    at: Option<&str>,
) -> Result<Filled> {
    let version = store::version(store, at)?;
    let volume = Volume::open(store, name)?.at(version.id);
    let grid = volume.grid();
    grid.check_region(region)?;
    let value = Fill::parse(grid.dtype(), value)?;
    let mut data = zeroed(region.bytes(grid.element_size())?)?;
    value.write(&mut data);
    edit_region(&volume, region, &data)?;
    Ok(Filled {
        volume: name.to_owned(),
        version: version.uuid.simple().to_string(),
        region: region.to_string(),
        value: value.to_string(),
    })
}
