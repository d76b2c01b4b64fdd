//! Writers at once, removals that are cut short, and batches that are too large.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use engine_api::graph::{Edge, Fault, Graph, Incident, Item, Kind, Vertex};
use engine_api::{
    Bytes, Capabilities, Durability, Error, ErrorKind, MemoryStore, Result, Store, View, WriteBatch,
};

use crate::lab::{Lab, with_vertices};

#[test]
fn eight_threads_add_edges_to_one_hub_and_none_is_lost() -> Result<()> {
    for lab in [false, true].map(Lab::new) {
        with_vertices(&lab, Kind::Undirected, 1 + 8 * 50);
        let (graph, ctx, start) = (lab.graph(), lab.ctx(), Barrier::new(8));
        thread::scope(|scope| {
            for writer in 0..8_u32 {
                let (graph, start) = (&graph, &start);
                scope.spawn(move || {
                    start.wait();
                    for at in 0..50 {
                        let ray = 2 + writer * 50 + at;
                        assert!(graph.add_edge(&ctx, ray.into(), 1, ray.into()).unwrap());
                    }
                });
            }
        });
        assert!(graph.neighbours(&ctx, 1, Incident::Both)?.into_iter().eq(2..=1 + 8 * 50));
        assert_eq!(lab.faults(&ctx), []);
    }
    Ok(())
}

#[test]
fn an_edge_is_added_before_its_vertex_is_removed_or_not_at_all() {
    for lab in [false, true].map(Lab::new) {
        with_vertices(&lab, Kind::Directed, 40);
        let (graph, ctx, done) = (lab.graph(), lab.ctx(), AtomicBool::new(false));
        let other = lab.graph();
        thread::scope(|scope| {
            for (writer, graph) in (0_u64..).zip([&graph, &other, &graph]) {
                let done = &done;
                scope.spawn(move || {
                    for at in (1_u64..).take_while(|_| !done.load(Ordering::Relaxed)) {
                        let (from, to) = (1 + at * 7 % 40, 1 + (at * 11 + writer) % 40);
                        match graph.add_edge(&ctx, from, to, 0.0) {
                            Ok(_) => _ = graph.set_edge_property(&ctx, from, to, "a", Bytes::new()),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
                        }
                    }
                });
            }
            for round in 0..200 {
                let id = 1 + round * 13 % 40;
                graph.remove_vertex(&ctx, id).unwrap();
                // Whoever sees an edge sees its ends.
                let there: BTreeSet<_> = graph.get_vertices(&ctx).unwrap().iter().map(|v| v.id).collect();
                assert!(!there.contains(&id));
                for edge in graph.get_edges(&ctx).unwrap() {
                    assert!(there.contains(&edge.from) && there.contains(&edge.to), "{edge:?} without {id}");
                }
                assert!(graph.add_vertex(&ctx, id, 0.0).unwrap());
            }
            done.store(true, Ordering::Relaxed);
        });
        let faults = lab.faults(&ctx);
        assert!(faults.iter().all(|fault| matches!(fault, Fault::Orphan(_))), "{faults:?}");
    }
}

/// A store that takes small batches, and none any more after so many: as if the process had ended.
#[derive(Debug)]
struct Dying(MemoryStore, Capabilities, AtomicUsize);

impl Dying {
    fn new(limits: engine_api::Limits) -> Self {
        let store = MemoryStore::new();
        let capabilities = store.capabilities().limits(limits);
        Self(store, capabilities, AtomicUsize::new(usize::MAX))
    }
}

impl Store for Dying {
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.1, durability)?;
        if self.2.load(Ordering::Relaxed) == 0 {
            return Err(Error::new(ErrorKind::Closed, "the process has ended"));
        }
        self.0.commit(batch, durability)?;
        self.2.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// A star of so many rays from 0, each with a property, in a store that takes at most 40 operations at once.
fn star(versioned: bool, rays: u64) -> Lab<Dying> {
    let limits = MemoryStore::CAPABILITIES.limits.batch_ops(40);
    let lab = Lab::on(Dying::new(limits), versioned);
    let (graph, ctx) = (lab.graph(), lab.ctx());
    graph.create_graph(&ctx, Kind::Directed).unwrap();
    let mut items: Vec<_> = (0..=rays + 1).map(|id| Item::Vertex(Vertex { id, weight: 0.0 })).collect();
    for id in 1..=rays {
        let (from, to) = if id % 2 == 0 { (0, id) } else { (id, 0) };
        items.push(Item::Edge(Edge { from, to, weight: 0.0 }));
        items.push(Item::EdgeProperty(from, to, "a".into(), Bytes::from("e")));
    }
    items.push(Item::Edge(Edge { from: rays, to: rays + 1, weight: 0.5 }));
    graph.load(&ctx, &items).unwrap();
    lab
}

#[test]
fn a_removal_that_is_cut_short_anywhere_is_a_removal() -> Result<()> {
    for versioned in [false, true] {
        let mut cuts = 0;
        for cut in 0.. {
            let lab = star(versioned, 60);
            let ctx = lab.ctx();
            lab.store.store().2.store(cut, Ordering::Relaxed);
            let outcome = lab.graph().remove_vertex(&ctx, 0);
            lab.store.store().2.store(usize::MAX, Ordering::Relaxed);
            let graph = lab.graph();
            if cut == 0 {
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Closed);
                assert_eq!(graph.degree(&ctx, 0, Incident::Both)?, 60);
                continue;
            }
            // It was removed, whoever looks.
            assert_eq!(graph.get_vertex(&ctx, 0)?, None);
            assert_eq!(graph.get_edges(&ctx)?, [Edge { from: 60, to: 61, weight: 0.5 }], "after {cut}");
            assert_eq!(graph.get_edge(&ctx, 1, 0)?, None);
            assert_eq!(graph.get_edge_property(&ctx, 1, 0, "a")?, None);
            assert_eq!(graph.degree(&ctx, 1, Incident::Both)?, 0);
            if outcome.is_ok() {
                assert_eq!(lab.faults(&ctx), []);
                break;
            }
            cuts += 1;
            assert!(lab.faults(&ctx).contains(&Fault::Removal(0)));
            // The next writer ends it, or who resumes.
            match cut % 3 {
                0 => assert!(graph.add_vertex(&ctx, 0, 0.0)?),
                1 => assert!(!graph.add_vertex(&ctx, 1, 0.0)?),
                _ => assert_eq!((graph.resume(&ctx)?, graph.resume(&ctx)?), (1, 0)),
            }
            assert_eq!(lab.faults(&ctx), [], "after {cut}");
            graph.add_vertex(&ctx, 0, 0.0)?;
            assert_eq!(graph.degree(&ctx, 0, Incident::Both)?, 0);
            graph.add_edge(&ctx, 1, 0, 0.0)?;
            assert_eq!(graph.get_edge_property(&ctx, 1, 0, "a")?, None);
        }
        assert!(cuts > 3, "{cuts} cuts are too few to tell");
    }
    Ok(())
}

#[test]
fn a_graphs_removal_that_is_cut_short_anywhere_is_a_removal() -> Result<()> {
    for versioned in [false, true] {
        for cut in 1.. {
            let lab = star(versioned, 30);
            let ctx = lab.ctx();
            lab.store.store().2.store(cut, Ordering::Relaxed);
            let outcome = lab.graph().remove_graph(&ctx);
            lab.store.store().2.store(usize::MAX, Ordering::Relaxed);
            let graph = lab.graph();
            assert_eq!(graph.graph(&ctx)?, None);
            assert_eq!(graph.get_vertices(&ctx).unwrap_err().kind(), ErrorKind::NotFound);
            graph.create_graph(&ctx, Kind::Undirected)?;
            assert_eq!((graph.get_vertices(&ctx)?, lab.faults(&ctx)), (vec![], vec![]));
            if outcome.is_ok() {
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn a_removal_that_was_cut_short_and_committed_is_ended_below() -> Result<()> {
    let lab = star(true, 60);
    lab.store.store().2.store(2, Ordering::Relaxed);
    assert!(lab.graph().remove_vertex(&lab.ctx(), 0).is_err());
    lab.store.store().2.store(usize::MAX, Ordering::Relaxed);
    let graph = lab.graph();
    let (left, right) = (lab.branch(lab.root, "left"), lab.branch(lab.root, "right"));
    assert_eq!(graph.resume(&lab.ctx()).unwrap_err().kind(), ErrorKind::ReadOnly);
    for version in [lab.root, left, right] {
        assert_eq!(graph.get_edges(&lab.at(version))?.len(), 1);
    }
    assert_eq!(graph.resume(&lab.at(left))?, 1);
    graph.add_vertex(&lab.at(left), 0, 1.0)?;
    graph.add_edge(&lab.at(left), 0, 1, 1.0)?;
    assert_eq!(lab.faults(&lab.at(left)), []);
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(graph.get_edges(&merged)?.len(), 2);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn removals_of_two_branches_in_one_place_are_both_ended_behind_a_merge() -> Result<()> {
    // Numbers whose removals leave their record in one place.
    let (first, second) =
        (0_u64, (1..=60).find(|id: &u64| id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 == 0).unwrap());
    let lab = star(true, 60);
    let graph = lab.graph();
    let (left, right) = (lab.branch(lab.root, "left"), lab.branch(lab.root, "right"));
    graph.add_edge(&lab.at(right), second, 61, 0.1)?;
    for (version, id) in [(left, first), (right, second)] {
        lab.store.store().2.store(1, Ordering::Relaxed);
        assert!(lab.graph().remove_vertex(&lab.at(version), id).is_err());
        lab.store.store().2.store(usize::MAX, Ordering::Relaxed);
    }
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(graph.get_edges(&merged)?.len(), 1);
    assert!(lab.faults(&merged).contains(&Fault::Removal(first)));
    assert!(lab.faults(&merged).contains(&Fault::Removal(second)));
    assert_eq!((graph.resume(&merged)?, graph.resume(&merged)?), (2, 0));
    assert_eq!(lab.faults(&merged), []);
    assert!(graph.add_vertex(&merged, first, 0.0)? && graph.add_vertex(&merged, second, 0.0)?);
    assert_eq!(graph.degree(&merged, first, Incident::Both)?, 0);
    Ok(())
}
