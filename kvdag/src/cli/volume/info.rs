//! `kvdag volume info`.

use std::fmt;

use chunks::MultiscaleStore;
use engine_api::Result;
use serde::Serialize;
use volume::Volume;

use crate::cli::output::{self, Output};
use crate::cli::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Info {
    volume: String,
    version: String,
    dtype: String,
    fill: String,
    chunk_shape: Vec<u64>,
    codec: String,
    labels: bool,
    method: String,
    axes: Vec<volume::Axis>,
    scales: Vec<ScaleInfo>,
}

#[derive(Debug, Serialize)]
struct ScaleInfo {
    scale: usize,
    origin: Vec<i64>,
    shape: Vec<u64>,
    /// Elements of full resolution that become one, per axis.
    factors: Vec<u64>,
    /// Whether it is made at the version.
    made: bool,
    chunks: u64,
    chunks_stored: u64,
    bytes_stored: u64,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[u64]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
        let kind = if self.labels { "labels" } else { "image" };
        writeln!(
            f,
            "{} at {}: {kind}, {}, fill value {}, chunks of {}, {}",
            self.volume,
            &self.version[..12.min(self.version.len())],
            self.dtype,
            self.fill,
            list(&self.chunk_shape),
            self.codec
        )?;
        let axes: Vec<String> = self
            .axes
            .iter()
            .map(|axis| match (axis.spacing, axis.unit.as_deref()) {
                (Some(spacing), Some(unit)) => format!("{} {spacing} {unit}", axis.name),
                (Some(spacing), None) => format!("{} {spacing}", axis.name),
                (None, _) => axis.name.clone(),
            })
            .collect();
        writeln!(f, "axes: {}", axes.join(", "))?;
        let mut rows = Vec::new();
        for scale in &self.scales {
            let origin = if scale.origin.iter().any(|start| *start != 0) {
                let start: Vec<String> = scale.origin.iter().map(ToString::to_string).collect();
                format!("from ({})", start.join(","))
            } else {
                String::new()
            };
            rows.push(vec![
                format!("  scale {}", scale.scale),
                list(&scale.shape),
                origin,
                if scale.made {
                    format!("{} of {} chunks stored", scale.chunks_stored, scale.chunks)
                } else {
                    "not made at this version".to_owned()
                },
                output::bytes(scale.bytes_stored),
            ]);
        }
        output::columns(f, &rows)?;
        if self.scales.len() > 1 {
            writeln!(f, "coarser scales by {}", self.method)?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let volume = Volume::open_unfinished(&store, &args.volume)?;
    let at = volume.at(version.id);
    let made = at.scales_made()?;
    let stored = at.stored()?;
    let mut scales = Vec::new();
    for (scale, grid) in at.scales().grids().iter().enumerate() {
        let (chunks_stored, bytes_stored) = stored.get(scale).copied().unwrap_or_default();
        scales.push(ScaleInfo {
            scale,
            origin: grid.origin().to_vec(),
            shape: grid.shape().to_vec(),
            factors: at.scales().total_factors(scale)?,
            made: scale < made,
            chunks: grid.chunk_count(),
            chunks_stored,
            bytes_stored,
        });
    }
    let properties = volume.properties();
    output.print(&Info {
        volume: args.volume.clone(),
        version: version.uuid.simple().to_string(),
        dtype: properties.grid.dtype().to_string(),
        fill: properties.grid.fill().to_string(),
        chunk_shape: properties.grid.chunk_shape().to_vec(),
        codec: properties.codec.to_string(),
        labels: properties.labels,
        method: properties.reducer().to_string(),
        axes: properties.axes.clone(),
        scales,
    })
}
