//! What commands are told of scales, and how they show progress over them.

use engine_api::Result;
use indicatif::ProgressBar;
use volume::{Progress, ScaleChoice, Stage};

use crate::cli::output::Output;

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ScaleOptions {
    /// Make coarser scales: each half the one before along axes longer than a chunk, down to one chunk.
    #[arg(long)]
    pub(crate) scales: bool,
    /// Make a coarser scale by these factors, slowest axis first; once for each scale, such as --factors 1,2,2
    /// --factors 2,2,2.
    #[arg(long, value_name = "Z,Y,X", conflicts_with = "scales", value_parser = parse_factors)]
    pub(crate) factors: Vec<Factors>,
    /// How an element of a coarser scale is made: mean, mean-truncated, median, min, max, stride, mode, mode-nonzero,
    /// mode-first, and with -sparse where zeros don't count. Means for images and mode-nonzero for labels unless given.
    #[arg(long)]
    pub(crate) method: Option<String>,
}

/// The factors of one scale, slowest axis first.
#[derive(Clone, Debug)]
pub(crate) struct Factors(Vec<u64>);

fn parse_factors(text: &str) -> Result<Factors, String> {
    text.split(',')
        .map(|factor| factor.trim().parse().map_err(|_| format!("`{factor}` isn't a factor")))
        .collect::<Result<_, _>>()
        .map(Factors)
}

impl ScaleOptions {
    pub(crate) fn choice(&self) -> ScaleChoice {
        match self.factors.as_slice() {
            [] if self.scales => ScaleChoice::Halving,
            [] => ScaleChoice::None,
            factors => ScaleChoice::Factors(factors.iter().map(|factors| factors.0.clone()).collect()),
        }
    }

    pub(crate) fn reducer(&self) -> Result<Option<downres::Reducer>> {
        self.method.as_deref().map(str::parse).transpose()
    }
}

/// A bar over the stages of an import.
pub(crate) fn stages(output: Output) -> (ProgressBar, impl Fn(&ProgressBar, Progress) + Copy) {
    let show = |bar: &ProgressBar, progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(match progress.stage {
            Stage::Slices => "importing".to_owned(),
            Stage::Scale(0) => "importing chunks".to_owned(),
            Stage::Scale(scale) => format!("making scale {scale}"),
        });
    };
    (output.progress(0, "importing"), show)
}
