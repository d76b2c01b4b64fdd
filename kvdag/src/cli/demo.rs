//! `kvdag demo`.

use std::fmt;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use chunks::{ChunkStore, DType, Region, fill_region, read_region};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;
use volume::{CreateOptions, GraySlice, ImageReader, Volume, slice_png};

use super::output::{self, Format, Output};
use super::store::{self, AnyStore};
use super::through::Through;
use super::volume::{export, fill, import};
use super::{branch, commit, init};

/// The MNI ICBM152 T1 template at 1 mm; its notice is beside it in the repository.
static HEAD: &[u8] = include_bytes!("../../../testdata/mni152_t1_1mm.nii.gz");
const HEAD_NAME: &str = "mni152_t1_1mm.nii.gz";
const STORE_NAME: &str = "kvdag-demo.redb";
const PICTURE_NAME: &str = "kvdag-demo.png";
const VOLUME: &str = "head";
const BRANCH: &str = "blanked";
/// In the left half of the brain: z, y, x.
const BOX: &str = "70:120,90:150,105:155";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store to make; a temporary one unless given, or kvdag-demo.redb here with --keep.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Leave the store and the image here, to go on with.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Serialize)]
struct Story {
    store: String,
    kept: bool,
    picture: String,
    steps: Vec<Step>,
    /// Voxels of each version that were compared with the imported file.
    voxels_verified: u64,
    /// Voxels that differ between the two versions, all of them in the box.
    voxels_changed: u64,
}

#[derive(Debug, Serialize)]
struct Step {
    /// What a reader could type.
    command: String,
    answer: String,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "every one of {} voxels of both versions is as it should be; {} differ between them, all in the box",
            self.voxels_verified, self.voxels_changed
        )?;
        writeln!(f, "wrote {}: the middle slices of both versions, main left, {BRANCH} right", self.picture)?;
        if self.kept {
            let store = &self.store;
            writeln!(
                f,
                "go on with: kvdag log {store}; kvdag info {store}; kvdag diff {store} main {BRANCH}"
            )?;
        }
        Ok(())
    }
}

/// Prints each step as it is done, and keeps it for the answer.
struct Narrator {
    output: Output,
    steps: Vec<Step>,
}

impl Narrator {
    fn tell(&mut self, command: String, answer: &dyn fmt::Display) -> Result<()> {
        let step = Step { command, answer: answer.to_string() };
        if self.output.format == Format::Text {
            output::raw(format!("$ kvdag {}\n{}\n\n", step.command, step.answer.trim_end()).as_bytes())?;
        }
        self.steps.push(step);
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let temporary =
        tempfile::tempdir().map_err(|error| Error::from_io(error, "no temporary folder can be made"))?;
    let folder = if args.keep { PathBuf::new() } else { temporary.path().to_path_buf() };
    let url = match &args.store {
        Some(url) => url.clone(),
        None => folder.join(STORE_NAME).display().to_string(),
    };
    let image = folder.join(HEAD_NAME);
    let store = store::create(&url)?;
    fs::write(&image, HEAD)
        .map_err(|error| Error::from_io(error, "the image can't be written").with("file", image.display()))?;
    let mut narrator = Narrator { output, steps: Vec::new() };
    tell_story(&store, &url, &image, &folder, &mut narrator)?;

    let original = read_all(&mut *volume::open_image(&image, None)?)?;
    let (first, second) = (versions_voxels(&store, "main")?, versions_voxels(&store, BRANCH)?);
    let changed = verify(&store, &original, &first, &second)?;
    draw(&store, &first, &second)?;
    output.print(&Story {
        store: url,
        kept: args.keep,
        picture: PICTURE_NAME.to_owned(),
        steps: narrator.steps,
        voxels_verified: u64::try_from(original.len()).unwrap_or(u64::MAX),
        voxels_changed: changed,
    })
}

/// Does what the commands do, by the same functions.
fn tell_story(
    store: &AnyStore,
    url: &str,
    image: &Path,
    folder: &Path,
    narrator: &mut Narrator,
) -> Result<()> {
    let repo = init::set_up(store, init::DEFAULT_REPO, None)?;
    let made = format!("made {url} with the repo {} {}; branch main is open", repo.alias, repo.uuid.simple());
    narrator.tell(format!("init {url}"), &made)?;

    let options = import::Options::default();
    let imported = import::import(store, import::open(image, &options)?, VOLUME, &options, narrator.output)?;
    narrator.tell(format!("volume import {url} {} --name {VOLUME}", image.display()), &imported)?;

    let committed = commit::commit(store, Some("main"), "as imported", false)?;
    narrator.tell(format!("commit {url} main -m 'as imported'"), &committed)?;

    let started = branch::branch(store, BRANCH, Some("main"))?;
    narrator.tell(format!("branch {url} {BRANCH} --from main"), &started)?;

    let filled = fill::fill(store, VOLUME, &BOX.parse()?, "0", Some(BRANCH))?;
    narrator.tell(format!("volume fill {url} {VOLUME} --region {BOX} --value 0 --at {BRANCH}"), &filled)?;

    let committed = commit::commit(store, Some(BRANCH), "a box blanked", false)?;
    narrator.tell(format!("commit {url} {BRANCH} -m 'a box blanked'"), &committed)?;

    for version in ["main", BRANCH] {
        let file = folder.join(format!("{VOLUME}-{version}.nii.gz"));
        let exported = export::export(
            (store, &Through::default()),
            VOLUME,
            &file,
            Some(version),
            (0, None),
            CreateOptions::default(),
            narrator.output,
        )?;
        narrator
            .tell(format!("volume export {url} {VOLUME} {} --at {version}", file.display()), &exported)?;
        let voxels = read_all(&mut *volume::open_image(&file, None)?)?;
        if voxels != versions_voxels(store, version)? {
            return Err(wrong(
                "an exported file differs from the version that it was exported from",
                version,
            ));
        }
    }
    Ok(())
}

fn read_all(reader: &mut dyn ImageReader) -> Result<Vec<u8>> {
    let mut voxels = vec![0; reader.info().slab_bytes(reader.info().slices())?];
    let slice = reader.info().slice_bytes()?;
    let mut at = 0;
    while at < voxels.len() {
        let slices = reader.next_slab(&mut voxels[at..])?;
        if slices == 0 {
            return Err(Error::new(ErrorKind::Corrupt, "the image ends too early"));
        }
        at += slice * usize::try_from(slices).unwrap_or(usize::MAX / slice);
    }
    Ok(voxels)
}

fn versions_voxels(store: &AnyStore, version: &str) -> Result<Vec<u8>> {
    let volume = Volume::open(store, VOLUME)?.at(store::version_id(store, Some(version))?);
    let bounds = volume.grid().bounds();
    let mut voxels = vec![0; bounds.bytes(volume.grid().element_size())?];
    read_region(&volume, &bounds, &mut voxels)?;
    Ok(voxels)
}

/// Compares every voxel of both versions with the imported file; answers how many the two don't share.
fn verify(store: &AnyStore, original: &[u8], first: &[u8], second: &[u8]) -> Result<u64> {
    if first != original {
        return Err(wrong("a version differs from what was imported", "main"));
    }
    let grid = Volume::open(store, VOLUME)?.properties().grid;
    let region: Region = BOX.parse()?;
    let mut blanked = original.to_vec();
    fill_region(&mut blanked, &grid.bounds(), &region, grid.fill())?;
    if second != blanked {
        return Err(wrong("a version differs from what was imported with the box blanked", BRANCH));
    }
    let differing = first.iter().zip(second).filter(|(left, right)| left != right).count();
    Ok(u64::try_from(differing).unwrap_or(u64::MAX))
}

fn wrong(message: &'static str, version: &str) -> Error {
    Error::new(ErrorKind::Internal, message).with("version", version)
}

/// Draws the middle slices across z, y and x of both versions.
fn draw(store: &AnyStore, first: &[u8], second: &[u8]) -> Result<()> {
    let volume = Volume::open(store, VOLUME)?;
    let grid = volume.properties().grid;
    let mut planes = Vec::new();
    for voxels in [first, second] {
        for axis in 0..grid.rank() {
            let middle = i64::try_from(grid.shape()[axis] / 2).unwrap_or(0);
            let plane = grid.bounds().slice(axis, middle, middle + 1);
            let mut pixels = vec![0; plane.bytes(grid.element_size())?];
            chunks::copy_region(voxels, &grid.bounds(), &mut pixels, &plane, &plane, grid.element_size())?;
            let sides: Vec<_> =
                (0..grid.rank()).filter(|other| *other != axis).map(|side| grid.shape()[side]).collect();
            if axis != 0 {
                // Rows go up the body; pictures go down.
                let width = usize::try_from(sides[1]).unwrap_or(1) * grid.element_size();
                pixels = pixels.chunks(width).rev().flatten().copied().collect();
            }
            planes.push((sides, pixels));
        }
    }
    let mut slices = Vec::new();
    for (sides, pixels) in &planes {
        let side = |at: usize| {
            usize::try_from(sides[at]).map_err(|error| {
                Error::new(ErrorKind::TooLarge, "the slice doesn't fit a picture").caused_by(error)
            })
        };
        slices.push(GraySlice { height: side(0)?, width: side(1)?, dtype: DType::U8, data: pixels });
    }
    let failed = |error| Error::from_io(error, "the picture can't be written").with("file", PICTURE_NAME);
    let partial = format!(".{PICTURE_NAME}.partial");
    slice_png(&slices, None, BufWriter::new(File::create(&partial).map_err(failed)?))?;
    fs::rename(&partial, PICTURE_NAME).map_err(failed)
}
