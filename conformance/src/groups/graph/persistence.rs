//! What is there of a graph when the store is opened again, after kills too.

use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use engine_api::graph::{Fault, Incident, Item, Kind, Vertex};
use engine_api::key::DataContext;
use engine_api::version::Versioned;
use engine_api::{Error, OpenMode, Result, Store};

use super::lab::{Lab, Spot, bytes, edge, ends, vertex};
use crate::case::Case;
use crate::child::{Task, say};
use crate::context::Context;
use crate::crash::Running;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.reopened-graph-is-as-it-was",
        reopened_graph_is_as_it_was,
        "A graph of a store that was closed and opened again has its vertices, edges, weights and properties.",
        "What an engine keeps of a graph beside its keys is easily kept in memory alone.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::Persistent]),
    Case::new(
        "graph.kills-during-the-removal-of-a-vertex",
        kills_during_a_removal,
        "After a kill at any moment of the removal of a vertex of many edges, the vertex is there with all of them, or gone \
         with all of them; what is left to do, the next writer does.",
        "More edges than one batch holds are removed in several, between which a process can end.",
    )
    .needs(&[
        Need::AtomicBatches,
        Need::Conditional,
        Need::KeysOf(128),
        Need::Persistent,
        Need::ChildProcess,
    ]),
];

fn reopened_graph_is_as_it_was(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    for spot in [lab.flat(), lab.at(1)] {
        spot.make(Kind::Directed, &[1, 2, 3], &[(1, 2), (2, 1), (3, 3)])?;
        let (graph, at) = spot.get();
        graph.set_vertex_property(at, 1, "a", bytes("vertex"))?;
        graph.set_edge_property(at, 2, 1, "a", bytes("edge"))?;
        graph.remove_vertex(at, 2)?;
        graph.add_vertex(at, 4, -0.0)?;
        graph.add_edge(at, 4, 1, f64::INFINITY)?;
    }
    lab.store.store().flush()?;
    drop(lab);
    let lab = Lab::again(ctx.open_in(OpenMode::Existing)?.store)?;
    for spot in [lab.flat(), lab.at(1)] {
        let (graph, at) = spot.get();
        check_eq!(graph.graph(at)?, Some(Kind::Directed), "the graph");
        let vertices: Vec<_> =
            graph.get_vertices(at)?.iter().map(|vertex| (vertex.id, vertex.weight.to_bits())).collect();
        let expected = [(1, 1.0_f64), (3, 3.0), (4, -0.0)].map(|(id, weight)| (id, weight.to_bits()));
        check_eq!(vertices, expected, "the vertices");
        spot.has_edges(&[(3, 3), (4, 1)])?;
        check_eq!(
            graph.vertex_properties(at, 1)?,
            [("a".to_owned(), bytes("vertex"))],
            "a vertex's properties"
        );
        let weight = graph.get_edge(at, 4, 1)?.map(|edge| edge.weight);
        check_eq!(weight, Some(f64::INFINITY), "the weight of an edge");
        check!(!graph.add_vertex(at, 1, 1.0)?, "a vertex is said to be new");
        spot.is_clean()?;
    }
    Ok(())
}

/// How many edges the vertex has, and how often a process that removes it is killed, where the run doesn't say.
const DEGREE: u64 = 2000;
const KILLS: usize = 3;

/// The vertex that is removed; it is joined to those from 1 on.
const HUB: u64 = 0;

/// What a child process does: removes the hub of both instances.
pub(crate) fn remove_hub(store: Box<dyn Store>) -> Result<()> {
    let store = Versioned::open(store)?;
    let root = store.only_repo()?.root;
    let places = [
        DataContext::unversioned(store.instance("flat")?.id),
        DataContext::versioned(store.instance("grown")?.id, root),
    ];
    say("opened")?;
    io::stdin().read_exact(&mut [0]).map_err(|error| Error::from_io(error, "nobody says when to begin"))?;
    for at in &places {
        engine_api::graph::of(&store, at).remove_vertex(at, HUB)?;
    }
    drop(store);
    say("closed")
}

fn kills_during_a_removal(ctx: &Context) -> Verdict {
    let degree = ctx.degree(DEGREE);
    let mut rng = ctx.rng();
    let lab = Lab::new(ctx)?;
    for spot in [lab.flat(), lab.at(1)] {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Undirected)?;
        let rays: Vec<_> = (1..=degree).map(vertex).collect();
        graph.load(at, &rays)?;
        graph.load(at, &(1..degree).step_by(97).map(|ray| edge(ray, ray + 1)).collect::<Vec<_>>())?;
        give_hub(&spot, degree)?;
    }
    lab.store.store().flush()?;
    drop(lab);
    // The first process is let be, to know how long it takes.
    let mut takes = None;
    for round in 0..=ctx.rounds(KILLS) {
        let mut running = Running::start(ctx.child(Task::RemoveHub)?)?;
        check!(running.wait_for_opening()?, "round {round}: the child couldn't open the store");
        running.begin()?;
        let begun = Instant::now();
        if let Some(takes) = takes {
            let moment = Duration::from_micros(rng.below(usize::try_from(takes).unwrap_or(1)) as u64);
            std::thread::sleep(moment);
            running.kill()?;
        } else {
            let (told, status) = running.finish()?;
            check!(told.closed && status.success(), "the child ended with {status}, after {told:?}");
            takes = Some(begun.elapsed().as_micros());
        }
        let lab = Lab::again(ctx.open_in(OpenMode::Existing)?.store)?;
        for (spot, named) in [(lab.flat(), "without versions"), (lab.at(1), "at a version")] {
            let after = format!("after kill {round} (seed {}), {named}", ctx.seed());
            whole_or_gone(&spot, degree, &after)?;
            give_hub(&spot, degree)?;
        }
        lab.store.store().flush()?;
    }
    Ok(())
}

/// Joins the hub to all others, each edge with a property now and then.
fn give_hub(spot: &Spot<'_>, degree: u64) -> Verdict {
    let (graph, at) = spot.get();
    if graph.get_vertex(at, HUB)?.is_some() {
        return Ok(());
    }
    let mut items = vec![Item::Vertex(Vertex { id: HUB, weight: 0.0 })];
    for ray in 1..=degree {
        items.push(edge(HUB, ray));
        if ray.is_multiple_of(16) {
            items.push(Item::EdgeProperty(HUB, ray, "a".to_owned(), bytes("edge")));
        }
    }
    Ok(graph.load(at, &items)?)
}

/// Fails unless the hub is there with all of its edges, or gone with all of them, whoever looks.
fn whole_or_gone(spot: &Spot<'_>, degree: u64, after: &str) -> Verdict {
    let (graph, at) = spot.get();
    let there = graph.get_vertex(at, HUB)?.is_some();
    let of_hub = |edges: &[(u64, u64)]| edges.iter().filter(|(from, _)| *from == HUB).count() as u64;
    let edges = ends(&graph.get_edges(at)?);
    let expected = if there { degree } else { 0 };
    check_eq!(of_hub(&edges), expected, "{after}: the edges of the vertex, which is {}", present(there));
    for ray in [1, 1 + degree / 2, degree] {
        let joined = graph.neighbours(at, ray, Incident::Both)?.contains(&HUB);
        check_eq!(
            joined,
            there,
            "{after}: whether {ray} is joined to the vertex, which is {}",
            present(there)
        );
    }
    check!(
        spot.faults()?.iter().all(|fault| !matches!(fault, Fault::OneSided(..))),
        "{after}: an edge is found from one of its ends alone"
    );
    // A writer ends what was left; nothing changes by it but what is stored.
    check!(!graph.add_vertex(at, 1, 1.0)?, "{after}: a vertex that nobody removed is gone");
    check!(ends(&graph.get_edges(at)?) == edges, "{after}: a writer has changed which edges there are");
    check_eq!(graph.resume(at)?, 0, "{after}: what is left to resume behind a writer");
    spot.is_clean()
}

const fn present(there: bool) -> &'static str {
    if there { "there" } else { "gone" }
}
