//! `kvdag volume downres`.

use std::fmt;

use chunks::{ChunkStore, MultiscaleStore, Region};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{ScaleChoice, Volume, add_scales, downres_since, downres_volume};

use super::scales::{ScaleOptions, stages};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume.
    volume: String,
    /// The version, which must be open; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    #[command(flatten)]
    scales: ScaleOptions,
    /// Only what a region of full resolution has a part in, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1", conflicts_with_all = ["since", "scales", "factors"])]
    region: Option<String>,
    /// The first scale to make; the finer ones are taken as they are.
    #[arg(long, default_value_t = 1, value_name = "SCALE", conflicts_with_all = ["since", "scales", "factors"])]
    from: usize,
    /// Only where full resolution differs from that of another version: after a merge, of the first that was merged.
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["scales", "factors", "method"])]
    since: Option<String>,
}

#[derive(Debug, Serialize)]
struct Made {
    volume: String,
    version: String,
    method: String,
    scales: Vec<ScaleShape>,
    /// The chunks that were made anew, where it was asked for what differs.
    chunks: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ScaleShape {
    scale: usize,
    shape: Vec<u64>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version[..12.min(self.version.len())];
        let what = match self.chunks {
            Some(chunks) => format!("{chunks} chunks of {} anew", self.volume),
            None => format!("the scales of {}", self.volume),
        };
        writeln!(f, "made {what} at {version}, by {}", self.method)?;
        for scale in &self.scales {
            let shape: Vec<String> = scale.shape.iter().map(ToString::to_string).collect();
            writeln!(f, "  {}: {}", scale.scale, shape.join(" × "))?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let mut volume = Volume::open(&store, &args.volume)?;
    let choice = args.scales.choice();
    let reducer = args.scales.reducer()?;
    let (bar, show) = stages(output);
    let careful = Careful::resumable();
    let watch = &mut |progress: volume::Progress| {
        show(&bar, progress);
        careful.check()
    };
    let mut chunks = None;
    if choice != ScaleChoice::None {
        add_scales(&mut volume, version.id, &choice, reducer, watch)?;
    } else if volume.scales().len() == 1 {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the volume has no coarser scales; --scales or --factors gives it some",
        ));
    } else {
        if let Some(reducer) = reducer
            && reducer != volume.properties().reducer()
        {
            let was = volume.properties().reducer();
            if args.region.is_some() || args.from != 1 {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "one volume's scales are all made by one method",
                )
                .with("method", was));
            }
            let properties = volume::Properties { reducer: Some(reducer), ..volume.properties().clone() };
            volume.set_properties(properties)?;
        }
        let at = volume.at(version.id);
        match &args.since {
            Some(since) => chunks = Some(downres_since(&at, store.find(since)?.id)?),
            None => {
                let region = match args.region.as_deref() {
                    Some(region) => region.parse::<Region>()?,
                    None => at.grid().bounds(),
                };
                downres_volume(&at, &region, args.from, &mut |progress| watch(progress.into()))?;
            }
        }
    }
    bar.finish_and_clear();
    let at = volume.at(version.id);
    let scales = at.scales().grids().iter().enumerate();
    output.print(&Made {
        volume: args.volume.clone(),
        version: version.uuid.simple().to_string(),
        method: volume.properties().reducer().to_string(),
        scales: scales.map(|(scale, grid)| ScaleShape { scale, shape: grid.shape().to_vec() }).collect(),
        chunks,
    })
}
