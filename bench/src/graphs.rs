//! What graphs take on every engine, beside raw puts and scans of the same bytes.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use engine_api::graph::{Edge, Graph, Incident, Item, KeyValueGraph, Kind, Vertex, everything};
use engine_api::key::DataContext;
use engine_api::layers::Relaxed;
use engine_api::version::{NewInstance, Versioned};
use engine_api::{Bytes, Durability, Registry, Scan, Step, Store, Value, WriteBatch, visitor};

use crate::Outcome;

/// The engines, by their schemes.
const ENGINES: [&str; 5] = ["memory", "redb", "sled", "sqlite", "lmdb"];

/// Edges in one batch.
const AT_ONCE: usize = 1024;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Random edges.
    pub edges: usize,
    /// Between so many vertices.
    pub vertices: u64,
    /// Edges of the hub.
    pub degree: u64,
    /// The most that is waited for edges that are inserted one by one.
    pub patience: Duration,
}

impl Size {
    /// As the results are stated.
    pub const WHOLE: Self =
        Self { edges: 100_000, vertices: 20_000, degree: 100_000, patience: Duration::from_secs(2) };
    /// To see that everything runs.
    pub const QUICK: Self =
        Self { edges: 2_000, vertices: 400, degree: 1_000, patience: Duration::from_millis(100) };
}

/// Measures all engines; answers lines of a table: engine, durability, what, per second, and the same by raw puts or a raw scan.
///
/// # Errors
/// Those of the engines, and of what is compared.
pub fn run(folder: &Path, size: Size) -> Outcome<Vec<String>> {
    let registry = Registry::linked()?;
    let mut lines = Vec::new();
    for engine in ENGINES {
        for relaxed in [false, true] {
            let levels = registry.engine(engine)?.descriptor().capabilities.durability;
            let durability = if relaxed { levels.serve(Durability::Relaxed)? } else { levels.strongest() };
            if relaxed && durability == levels.strongest() {
                continue;
            }
            let at = folder.join(format!("{engine}-{durability}"));
            std::fs::create_dir(&at)?;
            let open = |name: &str| -> Outcome<Box<dyn Store>> {
                let url = if engine == "memory" {
                    "memory:".to_owned()
                } else {
                    format!("{engine}:{}", at.join(name).display())
                };
                Ok(registry.open(&url)?.store)
            };
            let [graph, raw, single] = ["graph", "raw", "single"].map(open);
            let (graph, raw, single) = (graph?, raw?, single?);
            let found = if relaxed {
                measure(Relaxed(&*graph), (&*raw, &*single), durability, size)?
            } else {
                measure(&*graph, (&*raw, &*single), durability, size)?
            };
            lines.extend(found.into_iter().map(|line| format!("{engine}\t{durability}\t{line}")));
        }
    }
    Ok(lines)
}

fn measure(
    store: impl Store,
    (raw, single): (&dyn Store, &dyn Store),
    durability: Durability,
    size: Size,
) -> Outcome<Vec<String>> {
    let mut lines = Vec::new();
    let store = Versioned::create(store)?;
    let repo = store.create_repo("bench", None)?;
    let make = |name: &str| -> Outcome<DataContext> {
        let instance = store.create_instance(repo.id, &NewInstance::new(name, "graph"))?;
        let ctx = DataContext::versioned(instance.id, repo.root);
        let graph = KeyValueGraph::new(&store);
        graph.create_graph(&ctx, Kind::Undirected)?;
        let vertices: Vec<_> =
            (0..size.vertices).map(|id| Item::Vertex(Vertex { id, weight: 1.0 })).collect();
        graph.load(&ctx, &vertices)?;
        Ok(ctx)
    };
    let graph = KeyValueGraph::new(&store);
    let edges = random_edges(size);

    let batched = make("batched")?;
    let clock = Instant::now();
    for piece in edges.chunks(AT_ONCE) {
        let items: Vec<_> = piece.iter().map(|edge| Item::Edge(*edge)).collect();
        graph.load(&batched, &items)?;
    }
    let ours = rate(edges.len(), clock);

    // The same entries, as the engine has them, in the order of nobody.
    let entries = entries(store.store(), &edges)?;
    let clock = Instant::now();
    for piece in entries.chunks(2 * AT_ONCE) {
        commit(raw, piece, durability)?;
    }
    lines.push(line("edges inserted, 1024 a batch", ours, rate(entries.len() / 2, clock)));

    let one_by_one = make("single")?;
    let clock = Instant::now();
    let mut done = 0;
    for edge in &edges {
        graph.add_edge(&one_by_one, edge.from, edge.to, edge.weight)?;
        done += 1;
        if clock.elapsed() > size.patience {
            break;
        }
    }
    let ours = rate(done, clock);
    let clock = Instant::now();
    let mut done = 0;
    for pair in entries.chunks(2) {
        commit(single, pair, durability)?;
        done += 1;
        if clock.elapsed() > size.patience {
            break;
        }
    }
    lines.push(line("edges inserted one by one", ours, rate(done, clock)));

    let clock = Instant::now();
    let mut seen = 0;
    graph.visit_edges(&batched, everything(), &mut |edge| {
        seen += usize::from(edge.found()?.weight > 0.0);
        Ok(ControlFlow::Continue(()))
    })?;
    let ours = rate(seen, clock);
    if seen != edges.len() {
        return Err(format!("{seen} edges of {}", edges.len()).into());
    }
    lines.push(line("all edges scanned", ours, scan(raw)?));

    let hub = make("hub")?;
    let around: Vec<_> = (1..=size.degree)
        .flat_map(|id| {
            let id = id + size.vertices;
            [Item::Vertex(Vertex { id, weight: 1.0 }), Item::Edge(Edge { from: 0, to: id, weight: 1.0 })]
        })
        .collect();
    graph.load(&hub, &around)?;
    let clock = Instant::now();
    let found = graph.neighbours(&hub, 0, Incident::Both)?.len();
    if found as u64 != size.degree {
        return Err(format!("{found} neighbours of {}", size.degree).into());
    }
    lines.push(line("neighbours of a hub", rate(found, clock), scan(raw)?));
    Ok(lines)
}

/// Different edges without loops, in no order.
fn random_edges(size: Size) -> Vec<Edge> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut taken = std::collections::HashSet::new();
    let mut edges = Vec::new();
    while edges.len() < size.edges {
        let (from, to) = (random.u64(..size.vertices), random.u64(..size.vertices));
        if from < to && taken.insert((from, to)) {
            edges.push(Edge { from, to, weight: random.f64() + 0.5 });
        }
    }
    edges
}

type Entries = Vec<(Vec<u8>, Bytes)>;

/// What the edges are in the engine: the entries with their weights.
fn entries(store: &impl Store, edges: &[Edge]) -> Outcome<Entries> {
    let weights: std::collections::HashSet<u64> = edges.iter().map(|edge| edge.weight.to_bits()).collect();
    let mut found = Entries::new();
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        let bytes = value.bytes()?;
        if let Ok(weight) = <[u8; 8]>::try_from(bytes)
            && weights.contains(&u64::from_be_bytes(weight))
        {
            found.push((key.to_vec(), Bytes::copy_from_slice(bytes)));
        }
        Ok(Step::Next)
    });
    store.view()?.scan(Scan::all(), &mut each)?;
    if found.len() != 2 * edges.len() {
        return Err(format!("{} entries of {} edges", found.len(), edges.len()).into());
    }
    fastrand::Rng::with_seed(2).shuffle(&mut found);
    Ok(found)
}

fn commit(store: &dyn Store, entries: &[(Vec<u8>, Bytes)], durability: Durability) -> Outcome {
    let mut batch = WriteBatch::new();
    for (key, value) in entries {
        batch.put(key.clone(), value.clone());
    }
    Ok(store.commit(&batch, durability)?)
}

/// Entries by second of a scan of all that was put.
fn scan(raw: &dyn Store) -> Outcome<f64> {
    let clock = Instant::now();
    let mut seen = 0;
    let mut bytes = 0;
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        seen += 1;
        bytes += key.len() + value.bytes()?.len();
        Ok(Step::Next)
    });
    raw.view()?.scan(Scan::all(), &mut each)?;
    if bytes == 0 {
        return Err("nothing was put".into());
    }
    Ok(rate(seen, clock))
}

#[allow(clippy::cast_precision_loss, reason = "a rate is rounded")]
fn rate(count: usize, clock: Instant) -> f64 {
    count as f64 / clock.elapsed().as_secs_f64()
}

fn line(what: &str, ours: f64, raw: f64) -> String {
    format!("{what}\t{ours:.0}/s\traw {raw:.0}/s\t{:.2}", ours / raw)
}
