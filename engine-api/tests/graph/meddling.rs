//! Another's write that comes between what a write has read and its commit.

use std::fmt;
use std::sync::Mutex;

use engine_api::graph::{Graph, Incident, KeyValueGraph, Kind};
use engine_api::key::DataContext;
use engine_api::version::Versioned;
use engine_api::{Bytes, Capabilities, Durability, ErrorKind, MemoryStore, Result, Store, View, WriteBatch};

use crate::lab::Lab;

type Meddler = Box<dyn FnOnce() + Send>;

/// A store that does something else before its next commit.
#[derive(Default)]
struct Meddled(MemoryStore, Mutex<Option<Meddler>>);

impl fmt::Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddled")
    }
}

impl Store for Meddled {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let meddler = self.1.lock().unwrap().take();
        if let Some(meddle) = meddler {
            meddle();
        }
        self.0.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

type Keyed<'l> = KeyValueGraph<'l, Versioned<Meddled>>;
type Write = fn(&Keyed<'_>, &DataContext) -> Result<()>;

/// What a write answers between whose reading and commit another comes; and where.
fn meddled(versioned: bool, write: Write, other: Write) -> (Result<()>, &'static Lab<Meddled>) {
    // The store outlives what it is told to do.
    let lab: &'static Lab<Meddled> = Box::leak(Box::new(Lab::on(Meddled::default(), versioned)));
    let (graph, ctx) = (lab.graph(), lab.ctx());
    graph.create_graph(&ctx, Kind::Undirected).unwrap();
    for id in 1..=3 {
        graph.add_vertex(&ctx, id, 0.0).unwrap();
    }
    graph.add_edge(&ctx, 1, 2, 0.5).unwrap();
    *lab.store.store().1.lock().unwrap() = Some(Box::new(move || other(&lab.graph(), &lab.ctx()).unwrap()));
    let answer = write(&graph, &ctx);
    assert!(lab.store.store().1.lock().unwrap().is_none(), "nothing was committed");
    (answer, lab)
}

#[test]
fn what_a_write_rests_on_may_go_before_its_commit() {
    let remove_vertex: Write = |graph, ctx| graph.remove_vertex(ctx, 2);
    let remove_edge: Write = |graph, ctx| graph.remove_edge(ctx, 2, 1);
    let remove_graph: Write = |graph, ctx| graph.remove_graph(ctx);
    let no_vertex = "there is no such vertex (vertex: 2)";
    let no_edge = "there is no such edge (from: 1, to: 2)";
    let no_graph = "there is no graph here";
    let writes: [(Write, Write, &str); 11] = [
        (|graph, ctx| graph.add_edge(ctx, 3, 2, 0.5).map(drop), remove_vertex, no_vertex),
        (|graph, ctx| graph.add_edge(ctx, 2, 3, 0.5).map(drop), remove_vertex, no_vertex),
        (|graph, ctx| graph.add_edge(ctx, 2, 3, 0.5).map(drop), remove_graph, no_graph),
        (|graph, ctx| graph.add_vertex(ctx, 4, 0.5).map(drop), remove_graph, no_graph),
        (|graph, ctx| graph.set_vertex_weight(ctx, 2, 0.5), remove_vertex, no_vertex),
        (|graph, ctx| graph.set_edge_weight(ctx, 1, 2, 0.5), remove_edge, no_edge),
        (|graph, ctx| graph.set_edge_weight(ctx, 1, 2, 0.5), remove_vertex, no_edge),
        (|graph, ctx| graph.set_vertex_property(ctx, 2, "a", Bytes::new()), remove_vertex, no_vertex),
        (|graph, ctx| graph.set_edge_property(ctx, 1, 2, "a", Bytes::new()), remove_edge, no_edge),
        (|graph, ctx| graph.remove_vertex(ctx, 2), remove_vertex, no_vertex),
        (|graph, ctx| graph.remove_edge(ctx, 1, 2), remove_edge, no_edge),
    ];
    for versioned in [false, true] {
        for (at, (write, other, expected)) in writes.iter().enumerate() {
            let (answer, lab) = meddled(versioned, *write, *other);
            let error = answer.expect_err("the write was made");
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::NotFound, *expected), "{at}");
            if *expected != no_graph {
                assert_eq!(lab.faults(&lab.ctx()), [], "{at}");
            }
        }
    }
}

#[test]
fn what_comes_while_something_is_removed_goes_with_it() -> Result<()> {
    for versioned in [false, true] {
        let add: Write = |graph, ctx| graph.add_edge(ctx, 3, 2, 0.5).map(drop);
        let (answer, lab) = meddled(versioned, |graph, ctx| graph.remove_vertex(ctx, 2), add);
        answer?;
        let (graph, ctx) = (lab.graph(), lab.ctx());
        assert_eq!((graph.get_edges(&ctx)?, lab.faults(&ctx)), (vec![], vec![]));
        graph.add_vertex(&ctx, 2, 0.0)?;
        assert_eq!(graph.degree(&ctx, 2, Incident::Both)?, 0);

        let set: Write = |graph, ctx| graph.set_edge_property(ctx, 1, 2, "a", Bytes::new());
        let (answer, lab) = meddled(versioned, |graph, ctx| graph.remove_edge(ctx, 1, 2), set);
        answer?;
        let (graph, ctx) = (lab.graph(), lab.ctx());
        assert_eq!(graph.get_edge_property(&ctx, 1, 2, "a")?, None);
        assert!(graph.add_edge(&ctx, 1, 2, 0.5)?);
        assert_eq!((graph.edge_properties(&ctx, 1, 2)?, lab.faults(&ctx)), (vec![], vec![]));
    }
    Ok(())
}

#[test]
fn of_two_who_add_the_same_the_second_is_told() {
    for versioned in [false, true] {
        let add: Write = |graph, ctx| {
            assert!(graph.add_vertex(ctx, 4, 0.5)?);
            Ok(())
        };
        let told: Write = |graph, ctx| {
            assert!(!graph.add_vertex(ctx, 4, 0.5)?);
            Ok(())
        };
        meddled(versioned, told, add).0.unwrap();
    }
}
