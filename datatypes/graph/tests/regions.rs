//! The graph of touching labels, beside one that was counted voxel by voxel.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that can't go on has failed"
)]

use std::collections::BTreeMap;

use chunks::{ChunkStore, Codec, DType, Grid, MemoryChunks, MultiscaleStore, Region, write_region};
use engine_api::version::Versioned;
use engine_api::{ErrorKind, MemoryStore};
use graph::{CENTROID, Kind, RegionOptions, Regions, VersionedGraph, region_adjacency};
use proptest::prelude::*;

type Vertices = BTreeMap<u64, (f64, Vec<f64>)>;
type Edges = BTreeMap<(u64, u64), f64>;

/// What is counted without any cleverness.
fn naive(shape: &[u64], origin: &[i64], labels: &[u64], background: Option<u64>) -> (Vertices, Edges) {
    let at = |mut index: usize| -> Vec<i64> {
        let mut place = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            place[axis] = i64::try_from(index as u64 % shape[axis]).unwrap();
            index /= usize::try_from(shape[axis]).unwrap();
        }
        place
    };
    let (mut sums, mut edges) = (BTreeMap::<u64, (u64, Vec<i64>)>::new(), Edges::new());
    for (index, label) in labels.iter().enumerate() {
        if Some(*label) == background {
            continue;
        }
        let place = at(index);
        let sum = sums.entry(*label).or_insert((0, vec![0; shape.len()]));
        sum.0 += 1;
        for axis in 0..shape.len() {
            sum.1[axis] += place[axis] + origin[axis];
            let stride: u64 = shape[axis + 1..].iter().product();
            if place[axis] + 1 == i64::try_from(shape[axis]).unwrap() {
                continue;
            }
            let other = labels[index + usize::try_from(stride).unwrap()];
            if other != *label && Some(other) != background {
                *edges.entry((*label.min(&other), *label.max(&other))).or_default() += 1.0;
            }
        }
    }
    let mean = |(label, (count, sums)): (u64, (u64, Vec<i64>))| {
        (label, (count as f64, sums.iter().map(|sum| *sum as f64 / count as f64).collect()))
    };
    (sums.into_iter().map(mean).collect(), edges)
}

/// What is found, by vertex and by edge.
fn found(labels: &dyn ChunkStore, options: &RegionOptions) -> (Vertices, Edges) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let at = VersionedGraph::create(&store, repo.id, "g").unwrap().at(repo.root);
    at.create(Kind::Undirected).unwrap();
    let counted = region_adjacency(labels, options, (at.graph(), at.ctx()), &mut |_| Ok(())).unwrap();
    let mut vertices = Vertices::new();
    for vertex in at.graph().get_vertices(at.ctx()).unwrap() {
        let centroid = at.graph().get_vertex_property(at.ctx(), vertex.id, CENTROID).unwrap().unwrap();
        vertices.insert(vertex.id, (vertex.weight, serde_json::from_slice(&centroid).unwrap()));
    }
    let edges: Edges =
        at.graph().get_edges(at.ctx()).unwrap().iter().map(|e| ((e.from, e.to), e.weight)).collect();
    let voxels = vertices.values().map(|(weight, _)| *weight as u64).sum();
    let expected = Regions { vertices: vertices.len() as u64, edges: edges.len() as u64, voxels };
    assert_eq!(counted, expected);
    (vertices, edges)
}

fn array(shape: &[u64], chunk: &[u64], origin: &[i64], labels: &[u64]) -> MemoryChunks {
    let grid = Grid::new(shape, chunk, DType::U64).unwrap().with_origin(origin).unwrap();
    let array = MemoryChunks::new(grid, Codec::default());
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    write_region(&array, &grid.bounds(), &bytes).unwrap();
    array
}

/// Close enough for two ways to round a mean.
fn assert_same((vertices, edges): &(Vertices, Edges), expected: &(Vertices, Edges)) {
    assert_eq!(edges, &expected.1);
    assert_eq!(vertices.keys().collect::<Vec<_>>(), expected.0.keys().collect::<Vec<_>>());
    for (label, (weight, centroid)) in vertices {
        let (expected_weight, expected) = &expected.0[label];
        assert!((weight - expected_weight).abs() < f64::EPSILON, "{label}");
        assert!(
            centroid.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
            "{centroid:?} {expected:?}"
        );
    }
}

prop_compose! {
    fn case()(rank in 1..=4_usize)
    (
        shape in prop::collection::vec(1..=9_u64, rank),
        chunk in prop::collection::vec(1..=4_u64, rank),
        origin in prop::collection::vec(-7..=7_i64, rank),
        colours in 1..=5_u64,
        seed in any::<u64>(),
    ) -> (Vec<u64>, Vec<u64>, Vec<i64>, Vec<u64>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let labels = (0..shape.iter().product()).map(|_| random.u64(0..=colours) << 33).collect();
        (shape, chunk, origin, labels)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_array_in_any_chunks_and_any_memory(
        (shape, chunk, origin, labels) in case(),
        memory in prop::sample::select(vec![1, 2000, 20_000, 256 << 20]),
        all: bool,
    ) {
        let background = if all { None } else { Some(0) };
        let array = array(&shape, &chunk, &origin, &labels);
        let options = RegionOptions { background, region: None, memory };
        assert_same(&found(&array, &options), &naive(&shape, &origin, &labels, background));
    }
}

#[test]
fn the_nuclei_at_any_version_and_scale_and_in_part() {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/nuclei_labels.tif");
    let how = volume::ImportOptions {
        chunk_shape: Some(vec![8, 16, 16]),
        labels: true,
        scales: volume::ScaleChoice::Halving,
        ..Default::default()
    };
    let mut image = volume::open_image(&file, None).unwrap();
    let nuclei =
        volume::import_image(&store, (repo.id, repo.root), "nuclei", &mut *image, &how, &mut |_| Ok(()))
            .unwrap();
    store.commit_version(repo.root, "").unwrap();
    let edited = store.new_version(repo.root, None).unwrap();
    let hole = Region::new(&[0, 0, 0], &[31, 30, 57]).unwrap();
    volume::edit_region(&nuclei.at(edited.id), &hole, &vec![0; hole.bytes(2).unwrap()]).unwrap();

    let mut sizes = Vec::new();
    for (version, scale) in [(repo.root, 0), (edited.id, 0), (repo.root, 1)] {
        let at = nuclei.at(version);
        let labels = at.scale(scale).unwrap();
        let bounds = labels.grid().bounds();
        let part = Region::new(&[1, 3, 5], &[12, 20, 21]).unwrap();
        for region in [bounds, part] {
            let mut bytes = vec![0; region.bytes(2).unwrap()];
            chunks::read_region(labels, &region, &mut bytes).unwrap();
            let values: Vec<u64> =
                bytes.chunks_exact(2).map(|label| u16::from_le_bytes([label[0], label[1]]).into()).collect();
            let expected = naive(region.shape(), region.offset(), &values, Some(0));
            for memory in [10_000, 256 << 20] {
                let options = RegionOptions { background: Some(0), region: Some(region), memory };
                assert_same(&found(labels, &options), &expected);
            }
            sizes.push((expected.0.len(), expected.1.len()));
        }
    }
    assert_eq!(sizes[0].0, 51);
    assert!(sizes[0].1 > 10 && sizes[2].0 < 51, "{sizes:?}");
}

#[test]
fn what_are_no_labels_is_refused() {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let at = VersionedGraph::create(&store, repo.id, "g").unwrap().at(repo.root);
    let run = |dtype, bytes: &[u8]| {
        let grid = Grid::new(&[bytes.len() as u64 / dtype_size(dtype)], &[4], dtype).unwrap();
        let array = MemoryChunks::new(grid, Codec::default());
        write_region(&array, &grid.bounds(), bytes).unwrap();
        region_adjacency(&array, &RegionOptions::default(), (at.graph(), at.ctx()), &mut |_| Ok(()))
    };
    let directions = run(DType::U8, &[1, 2]).unwrap_err();
    assert_eq!(directions.kind(), ErrorKind::InvalidArgument);
    at.create(Kind::Undirected).unwrap();
    assert_eq!(run(DType::F32, &[0; 8]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let negative = run(DType::I8, &[1, 0xFE]).unwrap_err();
    assert_eq!(negative.field("label"), Some("-2"));
    assert_eq!(run(DType::I16, &[1, 0, 2, 0]).unwrap(), Regions { vertices: 2, edges: 1, voxels: 2 });
}

fn dtype_size(dtype: DType) -> u64 {
    dtype.size() as u64
}
