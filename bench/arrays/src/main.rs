//! `cargo run --release -p bench-arrays`: array files beside the crate `array-format`. See `README.md`.
#![allow(clippy::cast_possible_truncation, reason = "what is measured fits into memory")]

mod clock;
mod data;
mod plan;
mod side;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::plan::{Cube, Subject};
use crate::side::{Ours, Peer, Place, Side};
use crate::table::Table;

type Outcome<T> = Result<T, Box<dyn Error>>;

const OURS: &str = "array-file";
const PEER: &str = "array-format";

/// What array files take to write, to read and to edit, beside array-format.
#[derive(Debug, Parser)]
struct Options {
    /// Small arrays, once: shows that everything runs, and no more.
    #[arg(long)]
    quick: bool,
    /// How often each step is done; the table has the least.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Also a file of 512^3 voxels of u16, little-endian, such as the labels of an image.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Only data whose name has this in it: noisy, blocky, labels, small chunks, layers.
    #[arg(long, default_value = "")]
    only: String,
    /// Only our side.
    #[arg(long)]
    alone: bool,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let runtime = Arc::new(Builder::new_multi_thread().enable_all().build()?);
    let run = Run { folder: folder.path(), runtime, alone: options.alone };
    let (extent, edge, rounds) = if options.quick { (128, 32, 1) } else { (512, 64, options.rounds) };
    let mut table = Table::default();
    let chosen = |name: &str| name.contains(&options.only);
    if chosen("noisy") {
        run.cubes(&mut table, "noisy", &Cube::new(data::noisy(extent), edge), rounds)?;
    }
    if chosen("blocky") {
        run.cubes(&mut table, "blocky", &Cube::new(data::blocky(extent), edge), rounds)?;
    }
    if let Some(path) = options.labels.as_ref().filter(|_| chosen("labels")) {
        run.cubes(&mut table, "labels", &Cube::new(data::from_file(path, 512)?, 64), rounds)?;
    }
    let (small, cycles) = if options.quick { (64, 5) } else { (256, 100) };
    if chosen("small chunks") {
        // The peer takes minutes: once.
        run.small_chunks(&mut table, small)?;
    }
    if chosen("layers") {
        run.layers(&mut table, cycles, rounds)?;
    }
    print!("{table}");
    Ok(())
}

struct Run<'a> {
    folder: &'a Path,
    runtime: Arc<Runtime>,
    alone: bool,
}

impl Run<'_> {
    fn place(&self, program: &str, codec: &str) -> Place {
        let folder = self.folder.join(program);
        Place { runtime: Arc::clone(&self.runtime), folder, codec: codec.to_owned(), forced: false }
    }

    /// Every codec of both sides; the sides take turns.
    fn cubes(&self, table: &mut Table, data: &str, cube: &Cube, rounds: usize) -> Outcome<()> {
        for _ in 0..rounds {
            for codec in ["zstd:3", "lz4", "none"] {
                if !self.alone {
                    self.cube::<Peer>(table, PEER, data, codec, cube)?;
                }
                self.cube::<Ours>(table, OURS, data, codec, cube)?;
            }
            for codec in ["zstd:1+shuffle", "lz4+shuffle"] {
                self.cube::<Ours>(table, OURS, data, codec, cube)?;
            }
            let codec = "zstd:1+shuffle";
            let of = Subject { program: OURS, data, codec };
            plan::forced_edit::<Ours>(table, of, &self.place(OURS, codec), cube)?;
        }
        Ok(())
    }

    fn cube<S: Side>(
        &self,
        table: &mut Table,
        program: &str,
        data: &str,
        codec: &str,
        cube: &Cube,
    ) -> Outcome<()> {
        plan::whole::<S>(table, Subject { program, data, codec }, &self.place(program, codec), cube)
    }

    fn small_chunks(&self, table: &mut Table, extent: usize) -> Outcome<()> {
        let codec = "zstd:3";
        let data = &format!("{} chunks of 8^3", (extent / 8).pow(3));
        let of = |program| Subject { program, data, codec };
        plan::small_chunks::<Ours>(table, of(OURS), &self.place(OURS, codec), extent)?;
        if !self.alone {
            plan::small_chunks::<Peer>(table, of(PEER), &self.place(PEER, codec), extent)?;
        }
        Ok(())
    }

    fn layers(&self, table: &mut Table, cycles: usize, rounds: usize) -> Outcome<()> {
        let codec = "zstd:3";
        let data = &format!("{cycles} layers of 256^3");
        let of = |program| Subject { program, data, codec };
        for _ in 0..rounds {
            if !self.alone {
                plan::layers::<Peer>(table, of(PEER), &self.place(PEER, codec), cycles)?;
            }
            plan::layers::<Ours>(table, of(OURS), &self.place(OURS, codec), cycles)?;
        }
        Ok(())
    }
}
