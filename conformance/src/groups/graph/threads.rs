//! Several threads on one graph.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use engine_api::ErrorKind;
use engine_api::graph::{Incident, Kind};

use super::NEEDS;
use super::lab::{bytes, edge, ends, everywhere, vertex};
use crate::case::Case;
use crate::context::Context;
use crate::groups::concurrency::on_threads;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.edges-added-at-once-to-one-vertex-lose-nothing",
        edges_added_at_once,
        "Eight threads that add edges to one vertex leave every edge, from both of its ends.",
        "In DVID each reads the vertex's list of neighbours, adds to it and writes it back, so neighbours are lost.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.properties-set-at-once-lose-nothing",
        properties_set_at_once,
        "Eight threads that set properties of one vertex and of one edge leave every property.",
        "A list of names in the vertex's value is read, added to and written back.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.of-many-adders-one-made-it",
        of_many_adders_one_made_it,
        "Of eight threads that add the same vertex and the same edge, exactly one is told that it is new.",
        "Who counts what is new counts wrongly.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.edge-against-the-removal-of-its-vertex",
        edge_against_removal,
        "Of an edge that is added and a vertex that is removed at one moment, the edge goes with the vertex or is NotFound; \
         added again, the vertex has no edge.",
        "Both look at a graph where the other hasn't been yet.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.readers-see-no-edge-without-its-ends",
        readers_see_no_dangling_edge,
        "While a vertex of many edges is removed and added again, a reader of one of its edges' ends sees all of them or none.",
        "A removal in several batches shows what it is made of.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::SnapshotReads]),
];

const THREADS: usize = 8;
const EACH: usize = 25;

fn number(at: usize) -> u64 {
    at as u64
}

/// Tells the others that one of them has ended, as it should or not: none waits for who is gone.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn edges_added_at_once(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let last = number(THREADS * EACH);
        graph.create_graph(at, Kind::Undirected)?;
        let items: Vec<_> = (0..=last).map(vertex).collect();
        graph.load(at, &items)?;
        let start = Barrier::new(THREADS);
        on_threads(THREADS, |thread| {
            start.wait();
            for round in 0..EACH {
                let ray = number(1 + thread * EACH + round);
                let (from, to) = if ray.is_multiple_of(2) { (0, ray) } else { (ray, 0) };
                check!(graph.add_edge(at, from, to, 0.5)?, "edge {from} {to} was there before");
            }
            Ok(())
        })?;
        let found = graph.neighbours(at, 0, Incident::Both)?;
        check!(found.iter().copied().eq(1..=last), "{} of {last} edges are there: {found:?}", found.len());
        spot.has_edges(&(1..=last).map(|ray| (0, ray)).collect::<Vec<_>>())
    })
}

fn properties_set_at_once(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        let start = Barrier::new(THREADS);
        on_threads(THREADS, |thread| {
            start.wait();
            for round in 0..EACH / 2 {
                let name = format!("{thread} {round:03}");
                graph.set_vertex_property(at, 1, &name, bytes(&name))?;
                graph.set_edge_property(at, 2, 1, &name, bytes(&name))?;
            }
            Ok(())
        })?;
        for found in [graph.vertex_properties(at, 1)?, graph.edge_properties(at, 1, 2)?] {
            check_eq!(found.len(), THREADS * (EACH / 2), "the properties");
            check!(
                found.iter().all(|(name, value)| value == name.as_bytes()),
                "a property has another's value"
            );
        }
        Ok(())
    })
}

fn of_many_adders_one_made_it(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[0], &[])?;
        for round in 1..10 {
            let (vertices, edges) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let start = Barrier::new(THREADS);
            on_threads(THREADS, |_| {
                start.wait();
                vertices.fetch_add(graph.add_vertex(at, round, 0.0)?.into(), Ordering::Relaxed);
                edges.fetch_add(graph.add_edge(at, round, 0, 0.5)?.into(), Ordering::Relaxed);
                Ok(())
            })?;
            check_eq!(vertices.into_inner(), 1, "how many were told that the vertex is new");
            check_eq!(edges.into_inner(), 1, "how many were told that the edge is new");
        }
        Ok(())
    })
}

fn edge_against_removal(ctx: &Context) -> Verdict {
    const VERTICES: u64 = 12;
    const REMOVALS: u64 = 24;
    const ADDERS: usize = 3;
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Directed, &(0..VERTICES).collect::<Vec<_>>(), &[])?;
        let done = AtomicBool::new(false);
        let tries: [AtomicUsize; ADDERS] = Default::default();
        let add = |adder: usize| -> Verdict {
            for round in (number(adder)..).take_while(|_| !done.load(Ordering::Relaxed)) {
                let (from, to) = (round * 5 % VERTICES, round * 7 % (VERTICES - 1));
                match graph.add_edge(at, from, to, 0.5) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => tries[adder].fetch_add(1, Ordering::AcqRel),
                };
            }
            Ok(())
        };
        let tried = || tries.each_ref().map(|tries| tries.load(Ordering::Acquire));
        let remove = || -> Verdict {
            for round in 0..REMOVALS {
                let id = round * 5 % VERTICES;
                graph.remove_vertex(at, id)?;
                let before = tried();
                // An edge that was on its way at the removal has come once all have tried again.
                let mut last = false;
                while !last && !done.load(Ordering::Relaxed) {
                    last = tried().iter().zip(before).all(|(now, before)| *now > before);
                    let left = ends(&graph.get_edges(at)?);
                    let of_it = left.iter().find(|(from, to)| *from == id || *to == id);
                    check_eq!(of_it, None, "an edge of vertex {id}, which was removed");
                    thread::yield_now();
                }
                check!(graph.add_vertex(at, id, 0.0)?, "vertex {id}, which was removed, is said to be there");
            }
            Ok(())
        };
        on_threads(ADDERS + 1, |thread| {
            let _end = End(&done);
            if thread < ADDERS { add(thread) } else { remove() }
        })?;
        let there: BTreeSet<_> = graph.get_vertices(at)?.iter().map(|vertex| vertex.id).collect();
        check_eq!(there.len(), 12, "the vertices");
        let edges = ends(&graph.get_edges(at)?);
        let dangling = edges.iter().find(|(from, to)| !there.contains(from) || !there.contains(to));
        check_eq!(dangling, None, "an edge without its ends");
        spot.has_edges(&edges)
    })
}

fn readers_see_no_dangling_edge(ctx: &Context) -> Verdict {
    const RAYS: usize = 1200;
    let last = number(RAYS);
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let mut items: Vec<_> = (0..=last).map(vertex).collect();
        items.extend((1..=last).map(|ray| edge(0, ray)));
        graph.create_graph(at, Kind::Directed)?;
        // Odd from when all edges are there until the next are added.
        let moment = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        let change = || -> Verdict {
            for _ in 0..2 {
                graph.load(at, &items)?;
                moment.fetch_add(1, Ordering::SeqCst);
                graph.remove_vertex(at, 0)?;
                moment.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        };
        let read = || -> Verdict {
            while !done.load(Ordering::Relaxed) {
                let before = moment.load(Ordering::SeqCst);
                let edges = graph.get_edges(at)?.len();
                let back = graph.degree(at, last, Incident::In);
                if before % 2 == 1 && moment.load(Ordering::SeqCst) == before {
                    check!(
                        edges == 0 || edges == RAYS,
                        "{edges} of {RAYS} edges of a vertex that is removed"
                    );
                    check!(edges == RAYS || back? == 0, "an edge of a vertex that was gone before");
                }
            }
            Ok(())
        };
        on_threads(3, |thread| {
            let _end = End(&done);
            if thread == 0 { change() } else { read() }
        })?;
        check_eq!(graph.get_edges(at)?, [], "the edges of a vertex that was removed");
        Ok(())
    })
}
