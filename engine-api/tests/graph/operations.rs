//! Every operation, on what is there and on what isn't.

use std::ops::Bound;

use engine_api::graph::{Edge, Graph, Incident, Item, Kind, Vertex, edges, everything, vertices};
use engine_api::version::Flow;
use engine_api::{Bytes, ErrorKind, Result};

use crate::lab::{Lab, refused, with_vertices};

const BOTH: [bool; 2] = [false, true];

/// Numbers that lie apart.
fn square(id: u32) -> u64 {
    u64::from(id) * u64::from(id)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn a_graph_is_made_once_and_has_nothing() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        let (graph, ctx) = (lab.graph(), lab.ctx());
        assert_eq!(graph.graph(&ctx)?, None);
        assert_eq!(refused(graph.remove_graph(&ctx)).0, ErrorKind::NotFound);
        graph.create_graph(&ctx, Kind::Directed)?;
        assert_eq!(graph.graph(&ctx)?, Some(Kind::Directed));
        assert_eq!(refused(graph.create_graph(&ctx, Kind::Directed)).0, ErrorKind::AlreadyExists);
        assert_eq!((graph.get_vertices(&ctx)?, graph.get_edges(&ctx)?), (vec![], vec![]));
        graph.remove_graph(&ctx)?;
        assert_eq!(graph.graph(&ctx)?, None);
    }
    Ok(())
}

#[test]
fn the_specifications_example() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.create_graph(&ctx, Kind::Undirected)?;
        assert!(graph.add_vertex(&ctx, 5, 1.5)? && graph.add_vertex(&ctx, 11, -2.0)?);
        assert!(graph.add_edge(&ctx, 5, 11, 0.3)?);
        let edge = Edge { from: 5, to: 11, weight: 0.3 };
        assert_eq!(
            graph.get_vertices(&ctx)?,
            [Vertex { id: 5, weight: 1.5 }, Vertex { id: 11, weight: -2.0 }]
        );
        assert_eq!(graph.get_edge(&ctx, 5, 11)?, Some(edge));
        assert_eq!(graph.get_edge(&ctx, 11, 5)?, Some(edge));
        assert_eq!(graph.get_edges(&ctx)?, [edge]);
        graph.remove_graph(&ctx)?;
        assert_eq!(
            refused(graph.get_vertex(&ctx, 5)),
            (ErrorKind::NotFound, "there is no graph here".into())
        );
        graph.create_graph(&ctx, Kind::Undirected)?;
        assert_eq!((graph.get_vertices(&ctx)?, graph.get_edges(&ctx)?), (vec![], vec![]));
    }
    Ok(())
}

#[test]
fn without_a_graph_everything_is_refused_alike() {
    for lab in BOTH.map(Lab::new) {
        let (graph, ctx) = (lab.graph(), lab.ctx());
        let visit = &mut |_: &str, _| Ok(Flow::Continue(()));
        let answers = [
            graph.remove_graph(&ctx),
            graph.add_vertex(&ctx, 1, 0.0).map(drop),
            graph.add_edge(&ctx, 1, 2, 0.0).map(drop),
            graph.set_vertex_weight(&ctx, 1, 0.0),
            graph.set_edge_weight(&ctx, 1, 2, 0.0),
            graph.set_vertex_property(&ctx, 1, "a", bytes("b")),
            graph.set_edge_property(&ctx, 1, 2, "a", bytes("b")),
            graph.remove_vertex(&ctx, 1),
            graph.remove_edge(&ctx, 1, 2),
            graph.remove_vertex_property(&ctx, 1, "a").map(drop),
            graph.remove_edge_property(&ctx, 1, 2, "a").map(drop),
            graph.get_vertex(&ctx, 1).map(drop),
            graph.get_edge(&ctx, 1, 2).map(drop),
            graph.get_vertex_property(&ctx, 1, "a").map(drop),
            graph.get_edge_property(&ctx, 1, 2, "a").map(drop),
            graph.get_vertices(&ctx).map(drop),
            graph.get_edges(&ctx).map(drop),
            graph.edges_of(&ctx, 1, Incident::Both).map(drop),
            graph.visit_vertex_properties(&ctx, 1, visit),
            graph.visit_edge_properties(&ctx, 1, 2, visit),
            graph.load(&ctx, &[Item::Vertex(Vertex { id: 1, weight: 0.0 })]),
        ];
        for (at, answer) in answers.into_iter().enumerate() {
            assert_eq!(
                refused(answer),
                (ErrorKind::NotFound, "there is no graph here".into()),
                "number {at}"
            );
        }
        assert_eq!(graph.resume(&ctx).unwrap(), 0);
    }
}

#[test]
fn what_is_not_there_is_none_to_reads_and_named_to_the_others() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Directed, 2);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.add_edge(&ctx, 2, 1, 0.0)?;
        assert_eq!(graph.get_vertex(&ctx, 3)?, None);
        assert_eq!(graph.get_edge(&ctx, 1, 2)?, None);
        assert_eq!(graph.get_edge(&ctx, 1, 3)?, None);
        assert_eq!(graph.get_vertex_property(&ctx, 3, "a")?, None);
        assert_eq!(graph.get_vertex_property(&ctx, 1, "a")?, None);
        assert_eq!(graph.get_edge_property(&ctx, 1, 2, "a")?, None);
        let visit = &mut |_: &str, _| Ok(Flow::Continue(()));
        let no_vertex = [
            graph.set_vertex_weight(&ctx, 3, 0.0),
            graph.set_vertex_property(&ctx, 3, "a", bytes("b")),
            graph.remove_vertex(&ctx, 3),
            graph.remove_vertex_property(&ctx, 3, "a").map(drop),
            graph.add_edge(&ctx, 3, 1, 0.0).map(drop),
            graph.add_edge(&ctx, 1, 3, 0.0).map(drop),
            graph.edges_of(&ctx, 3, Incident::Out).map(drop),
            graph.neighbours(&ctx, 3, Incident::Out).map(drop),
            graph.degree(&ctx, 3, Incident::In).map(drop),
            graph.visit_vertex_properties(&ctx, 3, visit),
        ];
        for (at, answer) in no_vertex.into_iter().enumerate() {
            let expected = (ErrorKind::NotFound, "there is no such vertex (vertex: 3)".into());
            assert_eq!(refused(answer), expected, "number {at}");
        }
        let no_edge = [
            graph.set_edge_weight(&ctx, 1, 2, 0.0),
            graph.set_edge_property(&ctx, 1, 2, "a", bytes("b")),
            graph.remove_edge(&ctx, 1, 2),
            graph.remove_edge_property(&ctx, 1, 2, "a").map(drop),
            graph.visit_edge_properties(&ctx, 1, 2, visit),
        ];
        for (at, answer) in no_edge.into_iter().enumerate() {
            let expected = (ErrorKind::NotFound, "there is no such edge (from: 1, to: 2)".into());
            assert_eq!(refused(answer), expected, "number {at}");
        }
        assert!(!graph.remove_vertex_property(&ctx, 1, "a")?);
        assert!(!graph.remove_edge_property(&ctx, 2, 1, "a")?);
        assert_eq!(graph.get_edges(&ctx)?, [Edge { from: 2, to: 1, weight: 0.0 }]);
    }
    Ok(())
}

#[test]
fn adding_again_sets_the_weight_and_keeps_the_rest() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Undirected, 2);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.add_edge(&ctx, 1, 2, 0.5)?;
        graph.set_vertex_property(&ctx, 1, "a", bytes("v"))?;
        graph.set_edge_property(&ctx, 2, 1, "a", bytes("e"))?;
        assert!(!graph.add_vertex(&ctx, 1, 7.0)?);
        assert!(!graph.add_edge(&ctx, 2, 1, 8.0)?);
        assert_eq!(graph.get_vertex(&ctx, 1)?, Some(Vertex { id: 1, weight: 7.0 }));
        assert_eq!(graph.edges_of(&ctx, 1, Incident::Both)?, [Edge { from: 1, to: 2, weight: 8.0 }]);
        assert_eq!(graph.get_vertex_property(&ctx, 1, "a")?, Some(bytes("v")));
        assert_eq!(graph.get_edge_property(&ctx, 1, 2, "a")?, Some(bytes("e")));
        graph.set_vertex_weight(&ctx, 1, 9.0)?;
        graph.set_edge_weight(&ctx, 2, 1, 10.0)?;
        assert_eq!(graph.get_vertex(&ctx, 1)?, Some(Vertex { id: 1, weight: 9.0 }));
        assert_eq!(graph.edges_of(&ctx, 2, Incident::Both)?, [Edge { from: 1, to: 2, weight: 10.0 }]);
    }
    Ok(())
}

#[test]
fn weights_come_back_bit_by_bit_and_nan_is_refused() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Undirected, 2);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.add_edge(&ctx, 1, 2, 1.0)?;
        for weight in [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            graph.set_vertex_weight(&ctx, 1, weight)?;
            graph.set_edge_weight(&ctx, 1, 2, weight)?;
            assert_eq!(graph.get_vertex(&ctx, 1)?.unwrap().weight.to_bits(), weight.to_bits());
            assert_eq!(graph.get_edge(&ctx, 1, 2)?.unwrap().weight.to_bits(), weight.to_bits());
        }
        let nan = f64::NAN;
        let refusals = [
            graph.add_vertex(&ctx, 3, nan).map(drop),
            graph.add_edge(&ctx, 1, 2, nan).map(drop),
            graph.set_vertex_weight(&ctx, 1, nan),
            graph.set_edge_weight(&ctx, 1, 2, nan),
            graph.visit_edges_weighing(&ctx, (Bound::Included(nan), Bound::Unbounded), &mut |_| {
                Ok(Flow::Continue(()))
            }),
        ];
        for refusal in refusals {
            assert_eq!(refused(refusal).0, ErrorKind::InvalidArgument);
        }
        assert_eq!(graph.get_vertex(&ctx, 3)?, None);
    }
    Ok(())
}

#[test]
fn a_loop_is_an_edge_that_counts_once() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        for kind in [Kind::Undirected, Kind::Directed] {
            with_vertices(&lab, kind, 2);
            let (graph, ctx) = (lab.graph(), lab.ctx());
            graph.add_edge(&ctx, 1, 1, 0.5)?;
            graph.add_edge(&ctx, 1, 2, 0.6)?;
            for which in [Incident::Both, Incident::Out] {
                assert_eq!(graph.neighbours(&ctx, 1, which)?, [1, 2], "{kind:?} {which:?}");
                assert_eq!(graph.degree(&ctx, 1, which)?, 2, "{kind:?} {which:?}");
            }
            assert_eq!(graph.get_edges(&ctx)?.len(), 2);
            graph.remove_vertex(&ctx, 1)?;
            assert_eq!((graph.get_edges(&ctx)?, graph.degree(&ctx, 2, Incident::Both)?), (vec![], 0));
            assert_eq!(lab.faults(&ctx), []);
            graph.remove_graph(&ctx)?;
        }
    }
    Ok(())
}

#[test]
fn directions_tell_edges_apart() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Directed, 4);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        for (from, to, weight) in [(1, 2, 0.1), (2, 1, 0.2), (3, 2, 0.3), (2, 4, 0.4)] {
            assert!(graph.add_edge(&ctx, from, to, weight)?);
        }
        assert_eq!(graph.neighbours(&ctx, 2, Incident::Out)?, [1, 4]);
        assert_eq!(graph.neighbours(&ctx, 2, Incident::In)?, [1, 3]);
        assert_eq!(graph.neighbours(&ctx, 2, Incident::Both)?, [1, 3, 4]);
        let ends = |which| -> Result<Vec<_>> {
            Ok(graph.edges_of(&ctx, 2, which)?.iter().map(|edge| (edge.from, edge.to, edge.weight)).collect())
        };
        assert_eq!(ends(Incident::Both)?, [(1, 2, 0.1), (3, 2, 0.3), (2, 1, 0.2), (2, 4, 0.4)]);
        assert_eq!((ends(Incident::In)?.len(), graph.degree(&ctx, 2, Incident::Both)?), (2, 4));
        graph.remove_edge(&ctx, 1, 2)?;
        assert_eq!(graph.get_edge(&ctx, 2, 1)?.map(|edge| edge.weight), Some(0.2));
        assert_eq!(lab.faults(&ctx), []);
    }
    Ok(())
}

#[test]
fn names_of_properties_are_any_text_and_told_apart() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Undirected, 12);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.add_edge(&ctx, 1, 2, 0.0)?;
        let names = ["", "\0", "\0\0", "a", "a\0", "ab", "n\u{e4}me", "\u{540d}\u{524d}", "\u{10ffff}"];
        for name in names {
            graph.set_vertex_property(&ctx, 1, name, Bytes::from(format!("v{name}")))?;
            graph.set_edge_property(&ctx, 2, 1, name, Bytes::from(format!("e{name}")))?;
        }
        for name in names {
            assert_eq!(graph.get_vertex_property(&ctx, 1, name)?.unwrap(), format!("v{name}"));
            assert_eq!(graph.get_edge_property(&ctx, 1, 2, name)?.unwrap(), format!("e{name}"));
        }
        let listed: Vec<_> = graph.vertex_properties(&ctx, 1)?.into_iter().map(|(name, _)| name).collect();
        assert_eq!(listed, names);
        assert!(graph.remove_vertex_property(&ctx, 1, "a")?);
        assert_eq!(graph.get_vertex_property(&ctx, 1, "a")?, None);
        assert_eq!(graph.vertex_properties(&ctx, 1)?.len(), names.len() - 1);
        assert!(graph.remove_edge_property(&ctx, 2, 1, "ab")?);
        assert_eq!(graph.edge_properties(&ctx, 1, 2)?.len(), names.len() - 1);
        assert_eq!(graph.vertex_properties(&ctx, 12)?, []);
        graph.set_vertex_property(&ctx, 12, "empty", Bytes::new())?;
        assert_eq!(graph.get_vertex_property(&ctx, 12, "empty")?, Some(Bytes::new()));
    }
    Ok(())
}

#[test]
fn a_removed_vertex_takes_its_edges_and_properties_and_no_others() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        for kind in [Kind::Undirected, Kind::Directed] {
            with_vertices(&lab, kind, 5);
            let (graph, ctx) = (lab.graph(), lab.ctx());
            for (from, to) in [(3, 1), (1, 4), (3, 5), (5, 3), (1, 2), (4, 5)] {
                graph.add_edge(&ctx, from, to, 0.0)?;
                graph.set_edge_property(&ctx, from, to, "a", bytes("e"))?;
            }
            graph.set_vertex_property(&ctx, 3, "a", bytes("v"))?;
            graph.set_vertex_property(&ctx, 4, "a", bytes("v"))?;
            graph.remove_vertex(&ctx, 3)?;
            let left: Vec<_> = graph.get_edges(&ctx)?.iter().map(|edge| (edge.from, edge.to)).collect();
            assert_eq!(left, [(1, 2), (1, 4), (4, 5)], "{kind:?}");
            assert_eq!(graph.get_vertex_property(&ctx, 4, "a")?, Some(bytes("v")));
            assert_eq!(graph.get_edge_property(&ctx, 1, 4, "a")?, Some(bytes("e")));
            assert!(graph.add_vertex(&ctx, 3, 0.0)?);
            assert_eq!(graph.vertex_properties(&ctx, 3)?, []);
            assert_eq!(graph.degree(&ctx, 3, Incident::Both)?, 0);
            assert!(graph.add_edge(&ctx, 3, 1, 0.0)?);
            assert_eq!(graph.get_edge_property(&ctx, 3, 1, "a")?, None);
            assert_eq!(lab.faults(&ctx), []);
            graph.remove_graph(&ctx)?;
        }
    }
    Ok(())
}

#[test]
fn a_removed_edge_takes_its_properties_and_no_others() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        with_vertices(&lab, Kind::Undirected, 12);
        let (graph, ctx) = (lab.graph(), lab.ctx());
        for (from, to) in [(5, 11), (5, 10), (5, 12), (6, 11), (4, 11)] {
            graph.add_edge(&ctx, from, to, 0.0)?;
            graph.set_edge_property(&ctx, from, to, "a", bytes("e"))?;
        }
        graph.remove_edge(&ctx, 11, 5)?;
        for (from, to) in [(5, 10), (5, 12), (6, 11), (4, 11)] {
            assert_eq!(graph.get_edge_property(&ctx, from, to, "a")?, Some(bytes("e")), "{from} {to}");
        }
        assert_eq!(graph.neighbours(&ctx, 5, Incident::Both)?, [10, 12]);
        graph.add_edge(&ctx, 5, 11, 0.0)?;
        assert_eq!(graph.get_edge_property(&ctx, 5, 11, "a")?, None);
        assert_eq!(lab.faults(&ctx), []);
    }
    Ok(())
}

#[test]
fn pages_and_iterators_go_on_where_they_were() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.create_graph(&ctx, Kind::Directed)?;
        let mut items: Vec<_> =
            (0..10_000).map(|id: u32| Item::Vertex(Vertex { id: square(id), weight: id.into() })).collect();
        let edge = |id: u32| Edge { from: square(id), to: square(id * 7 % 100), weight: id.into() };
        items.extend((0..10_000).map(|id| Item::Edge(edge(id))));
        graph.load(&ctx, &items)?;
        let all = graph.get_vertices(&ctx)?;
        assert_eq!(all.len(), 10_000);
        assert!(vertices(&graph, &ctx).map(|vertex| vertex.unwrap()).eq(all.iter().copied()));
        let all = graph.get_edges(&ctx)?;
        assert!(all.iter().copied().eq((0..10_000).map(edge)));
        assert!(edges(&graph, &ctx).map(|edge| edge.unwrap()).eq(all.iter().copied()));
        let mut paged = Vec::new();
        loop {
            let last = paged.last().map(|edge: &Edge| (edge.from, edge.to));
            let page = graph.page_of_edges(&ctx, last, 999)?;
            if page.is_empty() {
                break;
            }
            assert!(page.len() == 999 || paged.len() + page.len() == 10_000);
            paged.extend(page);
        }
        assert_eq!(paged, all);
        assert_eq!(
            graph.page_of_vertices(&ctx, Some(4), 2)?.iter().map(|v| v.id).collect::<Vec<_>>(),
            [9, 16]
        );
        assert_eq!(graph.page_of_vertices(&ctx, None, 0)?, []);
        let mut light = Vec::new();
        graph.visit_edges_weighing(&ctx, (Bound::Excluded(6.0), Bound::Included(8.0)), &mut |edge| {
            light.push(edge.found()?.weight);
            Ok(Flow::Continue(()))
        })?;
        assert_eq!(light, [7.0, 8.0]);
        let mut near = Vec::new();
        let bounds = (Bound::Excluded(0), Bound::Excluded(40_000));
        graph.visit_edges_of(&ctx, 0, Incident::In, bounds, &mut |edge| {
            near.push(edge.found()?.from);
            Ok(Flow::Continue(()))
        })?;
        assert_eq!(near, [10_000]);
        let mut first = None;
        graph.visit_edges_of(&ctx, 0, Incident::Both, everything(), &mut |edge| {
            assert_eq!(first.replace(edge.found()?.from), None, "a visit that was ended goes on");
            Ok(Flow::Break(()))
        })?;
        assert_eq!(first, Some(10_000));
    }
    Ok(())
}

#[test]
fn a_load_stops_at_what_is_not_there_and_may_be_repeated() -> Result<()> {
    for lab in BOTH.map(Lab::new) {
        let (graph, ctx) = (lab.graph(), lab.ctx());
        graph.create_graph(&ctx, Kind::Undirected)?;
        let vertex = |id| Item::Vertex(Vertex { id, weight: 0.0 });
        let edge = |from, to| Item::Edge(Edge { from, to, weight: 0.0 });
        let items = [
            vertex(1),
            vertex(2),
            edge(2, 1),
            Item::VertexProperty(2, "a".into(), bytes("v")),
            Item::EdgeProperty(1, 2, "a".into(), bytes("e")),
        ];
        graph.load(&ctx, &items)?;
        graph.load(&ctx, &items)?;
        assert_eq!(graph.get_vertex_property(&ctx, 2, "a")?, Some(bytes("v")));
        assert_eq!(graph.get_edge_property(&ctx, 2, 1, "a")?, Some(bytes("e")));
        assert_eq!(
            refused(graph.load(&ctx, &[vertex(3), edge(3, 4)])).1,
            "there is no such vertex (vertex: 4)"
        );
        assert_eq!(graph.get_vertex(&ctx, 3)?, None, "a batch was made by half");
        let missing = [vertex(3), Item::EdgeProperty(3, 1, "a".into(), bytes("e"))];
        assert_eq!(refused(graph.load(&ctx, &missing)).1, "there is no such edge (from: 1, to: 3)");
        assert_eq!(lab.faults(&ctx), []);
    }
    Ok(())
}
