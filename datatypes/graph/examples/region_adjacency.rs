//! `cargo run -p graph --example region_adjacency`: draws the nuclei that the project ships, and the graph of those that touch, as graph.png.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "places in a small picture"
)]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use chunks::ChunkStore;
use engine_api::MemoryStore;
use engine_api::version::Versioned;
use graph::{CENTROID, Kind, RegionOptions, VersionedGraph, region_adjacency};

/// The edge of a voxel in the picture.
const ZOOM: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("graph.png"), PathBuf::from);
    println!("{}", story(&picture)?);
    Ok(())
}

/// A plane of the volume, looked at along the slowest axis.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

pub(crate) fn story(picture: &Path) -> Result<String, Box<dyn Error>> {
    let store = Versioned::create(MemoryStore::new())?;
    let repo = store.create_repo("cells", None)?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/nuclei_labels.tif");
    let mut image = volume::open_image(&file, None)?;
    let target = (repo.id, repo.root);
    let how = volume::ImportOptions::default();
    let nuclei = volume::import_image(&store, target, "nuclei", &mut *image, &how, &mut |_| Ok(()))?;
    let labels = nuclei.at(repo.root);

    let touching = VersionedGraph::create(&store, repo.id, "touching")?.at(repo.root);
    touching.create(Kind::Undirected)?;
    let (graph, ctx) = (touching.graph(), touching.ctx());
    let found = region_adjacency(&labels, &RegionOptions::default(), (graph, ctx), &mut |_| Ok(()))?;

    let mut drawn = seen_from_above(&labels)?;
    let place = |id| -> Result<(f64, f64), Box<dyn Error>> {
        let centroid = graph.get_vertex_property(ctx, id, CENTROID)?.ok_or("a label without a place")?;
        let [_, y, x]: [f64; 3] = serde_json::from_slice(&centroid)?;
        let zoom = ZOOM as f64;
        Ok(((x + 0.5) * zoom, (y + 0.5) * zoom))
    };
    let edges = graph.get_edges(ctx)?;
    let most = edges.iter().map(|edge| edge.weight).fold(1.0, f64::max);
    for edge in &edges {
        // As thick as they share faces.
        drawn.line(place(edge.from)?, place(edge.to)?, 1.0 + 3.0 * (edge.weight / most).sqrt());
    }
    for vertex in graph.get_vertices(ctx)? {
        let at = place(vertex.id)?;
        drawn.disc(at, 5.5, [0; 3]);
        drawn.disc(at, 4.0, [255; 3]);
    }
    drawn.save(picture)?;
    Ok(format!("{} nuclei, {} pairs of them touch", found.vertices, found.edges))
}

/// Each voxel in the colour of the first label below it, paler the deeper it lies.
fn seen_from_above(labels: &dyn ChunkStore) -> Result<Picture, Box<dyn Error>> {
    let bounds = labels.grid().bounds();
    let mut voxels = vec![0; bounds.bytes(2)?];
    chunks::read_region(labels, &bounds, &mut voxels)?;
    let [depth, rows, columns] = <[u64; 3]>::try_from(bounds.shape())?.map(|extent| extent as usize);
    let mut picture = Picture {
        width: columns * ZOOM,
        height: rows * ZOOM,
        pixels: vec![[24, 24, 28]; rows * columns * ZOOM * ZOOM],
    };
    for (at, pixel) in picture.pixels.iter_mut().enumerate() {
        let (row, column) = (at / (columns * ZOOM) / ZOOM, at % (columns * ZOOM) / ZOOM);
        for slice in 0..depth {
            let voxel = ((slice * rows + row) * columns + column) * 2;
            let label = u16::from_le_bytes([voxels[voxel], voxels[voxel + 1]]);
            if label > 0 {
                *pixel = colour(label, slice * 120 / depth);
                break;
            }
        }
    }
    Ok(picture)
}

/// Colours that differ for labels that follow each other.
fn colour(label: u16, darker: usize) -> [u8; 3] {
    let mixed = u32::from(label).wrapping_mul(0x9E37_79B9).to_be_bytes();
    let shade = |byte: u8| (90 + usize::from(byte) * 150 / 255).saturating_sub(darker) as u8;
    [shade(mixed[0]), shade(mixed[1]), shade(mixed[2])]
}

impl Picture {
    fn disc(&mut self, (x, y): (f64, f64), radius: f64, colour: [u8; 3]) {
        let columns = (x - radius).max(0.0) as usize..((x + radius) as usize + 1).min(self.width);
        for column in columns {
            for row in (y - radius).max(0.0) as usize..((y + radius) as usize + 1).min(self.height) {
                if (column as f64 + 0.5 - x).hypot(row as f64 + 0.5 - y) <= radius {
                    self.pixels[row * self.width + column] = colour;
                }
            }
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), thick: f64) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = (length.ceil() as usize).max(1);
        for step in 0..=steps {
            let share = step as f64 / steps as f64;
            let at = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            self.disc(at, thick / 2.0 + 0.5, [255, 235, 120]);
        }
    }

    fn save(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let (width, height) = (u32::try_from(self.width)?, u32::try_from(self.height)?);
        let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        Ok(writer.finish()?)
    }
}
