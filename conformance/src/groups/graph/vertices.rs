//! Vertices.

use engine_api::ErrorKind;
use engine_api::graph::{Incident, Kind, Vertex};

use super::NEEDS;
use super::lab::{bytes, edge, everywhere, vertex};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.adding-a-vertex-again-keeps-its-edges",
        adding_a_vertex_again_keeps_its_edges,
        "To add a vertex that is there sets its weight; its edges stay, from both of their ends.",
        "In DVID it wipes the list of neighbours, and the edges are left without a way to them.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.adding-a-vertex-again-keeps-its-properties",
        adding_a_vertex_again_keeps_its_properties,
        "To add a vertex that is there keeps its properties.",
        "In DVID it wipes the names of the properties, whose values stay for ever.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.vertices-of-any-number",
        vertices_of_any_number,
        "Any 64 bits are a vertex, apart from all others, and vertices come in the order of their numbers.",
        "A number that is written short, or signed, is another's prefix, or out of order.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.weights-come-back-bit-by-bit",
        weights_come_back_bit_by_bit,
        "A weight is any float but NaN, negative zero and infinities among them, of a vertex as of an edge.",
        "A weight that goes through text, or through a comparison, is another.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.nan-is-refused",
        nan_is_refused,
        "A weight that is NaN is refused as InvalidArgument wherever one is given, and changes nothing.",
        "NaN has no place in an order, so a range of weights would be a matter of luck.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removed-vertex-takes-its-edges",
        removed_vertex_takes_its_edges,
        "With a vertex its edges go, in either direction, and no others.",
        "DVID removes them one by one, each by itself, and ignores what fails.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removed-vertex-takes-its-properties",
        removed_vertex_takes_its_properties,
        "With a vertex its properties go, and those of its edges; added again, it has none. Those of others stay.",
        "In DVID the range of a vertex's properties is empty where data has no versions, so they stay.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removed-vertex-has-many-edges",
        removed_vertex_has_many_edges,
        "A vertex with thousands of edges is removed like any other, and each of its neighbours has lost just that edge.",
        "More edges than one batch or page holds take another way.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.no-value-grows-with-the-edges-of-a-vertex",
        no_value_grows,
        "What is stored of a vertex is as long with thousands of edges as with none.",
        "DVID keeps a list of neighbours in the vertex, which is written anew with each edge.",
    )
    .needs(NEEDS),
];

fn adding_a_vertex_again_keeps_its_edges(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let edges = [(1, 2), (1, 3), (2, 3)];
        spot.make(Kind::Undirected, &[1, 2, 3], &edges)?;
        for id in [1, 3] {
            check!(!graph.add_vertex(at, id, 9.0)?, "vertex {id} is said to be new");
            check_eq!(graph.get_vertex(at, id)?, Some(Vertex { id, weight: 9.0 }), "its weight");
        }
        check_eq!(graph.neighbours(at, 1, Incident::Both)?, [2, 3], "the neighbours of 1");
        spot.has_edges(&edges)
    })
}

fn adding_a_vertex_again_keeps_its_properties(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1], &[])?;
        graph.set_vertex_property(at, 1, "a", bytes("b"))?;
        check!(!graph.add_vertex(at, 1, 9.0)?, "the vertex is said to be new");
        check_eq!(graph.get_vertex_property(at, 1, "a")?, Some(bytes("b")), "its property");
        check_eq!(graph.vertex_properties(at, 1)?, [("a".to_owned(), bytes("b"))], "its properties");
        Ok(())
    })
}

fn vertices_of_any_number(ctx: &Context) -> Verdict {
    let mut ids = vec![0, u64::MAX];
    for shift in 1..64 {
        let bit = 1_u64 << shift;
        ids.extend([bit - 1, bit, bit + 1]);
    }
    ids.sort_unstable();
    ids.dedup();
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Directed)?;
        let mut items: Vec<_> = ids.iter().rev().copied().map(vertex).collect();
        items.extend(ids.windows(2).map(|two| edge(two[1], two[0])));
        graph.load(at, &items)?;
        let found: Vec<_> = graph.get_vertices(at)?.iter().map(|vertex| vertex.id).collect();
        check!(found == ids, "the vertices aren't in order, or not those that were added: {found:?}");
        for two in ids.windows(2) {
            check_eq!(graph.neighbours(at, two[1], Incident::Out)?, [two[0]], "where {} leads", two[1]);
            check_eq!(graph.get_edge(at, two[0], two[1])?, None, "the edge backwards");
        }
        graph.remove_vertex(at, 256)?;
        check_eq!(graph.get_vertices(at)?.len(), ids.len() - 1, "the vertices without one");
        check_eq!(graph.get_edges(at)?.len(), ids.len() - 3, "the edges without two");
        Ok(())
    })
}

fn weights_come_back_bit_by_bit(ctx: &Context) -> Verdict {
    let weights =
        [0.0, -0.0, 0.1, -1e300, f64::MIN_POSITIVE / 2.0, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for weight in weights {
            for again in [false, true] {
                if again {
                    graph.add_vertex(at, 1, weight)?;
                    graph.add_edge(at, 1, 2, weight)?;
                } else {
                    graph.set_vertex_weight(at, 1, weight)?;
                    graph.set_edge_weight(at, 2, 1, weight)?;
                }
                let bits = |weight: Option<f64>| weight.map(f64::to_bits);
                let expected = Some(weight.to_bits());
                let vertex = graph.get_vertex(at, 1)?.map(|vertex| vertex.weight);
                check_eq!(bits(vertex), expected, "a vertex of weight {weight:?}");
                let edge = graph.get_edge(at, 1, 2)?.map(|edge| edge.weight);
                check_eq!(bits(edge), expected, "an edge of weight {weight:?}");
                let seen = graph.edges_of(at, 2, Incident::Both)?.first().map(|edge| edge.weight);
                check_eq!(bits(seen), expected, "the edge of weight {weight:?} from its other end");
            }
        }
        Ok(())
    })
}

fn nan_is_refused(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for nan in [f64::NAN, -f64::NAN] {
            let answers = [
                graph.add_vertex(at, 1, nan).map(drop),
                graph.add_vertex(at, 3, nan).map(drop),
                graph.add_edge(at, 1, 2, nan).map(drop),
                graph.set_vertex_weight(at, 1, nan),
                graph.set_edge_weight(at, 1, 2, nan),
            ];
            for answer in answers {
                check_refused(answer, ErrorKind::InvalidArgument, "NaN")?;
            }
        }
        check_eq!(graph.get_vertex(at, 1)?, Some(Vertex { id: 1, weight: 1.0 }), "the vertex");
        check_eq!(graph.get_vertex(at, 3)?, None, "the vertex that was refused");
        check_eq!(
            graph.get_edge(at, 1, 2)?.map(|edge| edge.weight.to_bits()),
            Some(0.5_f64.to_bits()),
            "the edge"
        );
        Ok(())
    })
}

fn removed_vertex_takes_its_edges(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for kind in [Kind::Undirected, Kind::Directed] {
            spot.make(kind, &[1, 2, 3, 4], &[(1, 2), (1, 3), (2, 3), (3, 3), (3, 4)])?;
            graph.remove_vertex(at, 3)?;
            check_eq!(graph.get_vertex(at, 3)?, None, "the vertex");
            for other in [1, 2, 3, 4] {
                check_eq!(graph.get_edge(at, 3, other)?, None, "its edge to {other}");
                check_eq!(graph.get_edge(at, other, 3)?, None, "its edge from {other}");
            }
            spot.has_edges(&[(1, 2)])?;
            check!(graph.add_vertex(at, 3, 0.0)?, "the vertex that was removed is said to be there");
            spot.has_edges(&[(1, 2)])?;
            graph.remove_graph(at)?;
        }
        Ok(())
    })
}

fn removed_vertex_takes_its_properties(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[2, 3, 4], &[(2, 3), (3, 4), (2, 4)])?;
        for id in [2, 3, 4] {
            graph.set_vertex_property(at, id, "a", bytes("vertex"))?;
        }
        for (from, to) in [(2, 3), (3, 4), (2, 4)] {
            graph.set_edge_property(at, from, to, "a", bytes("edge"))?;
        }
        graph.remove_vertex(at, 3)?;
        check_eq!(graph.get_vertex_property(at, 3, "a")?, None, "a property of a vertex that is gone");
        check_eq!(graph.get_edge_property(at, 2, 3, "a")?, None, "a property of an edge that is gone");
        spot.is_clean()?;
        graph.load(at, &[vertex(3), edge(2, 3), edge(3, 4)])?;
        check_eq!(graph.vertex_properties(at, 3)?, [], "the properties of a vertex that was added again");
        check_eq!(graph.edge_properties(at, 2, 3)?, [], "the properties of its first edge");
        check_eq!(graph.edge_properties(at, 3, 4)?, [], "the properties of its second edge");
        for id in [2, 4] {
            check_eq!(graph.get_vertex_property(at, id, "a")?, Some(bytes("vertex")), "a property of {id}");
        }
        check_eq!(graph.get_edge_property(at, 2, 4, "a")?, Some(bytes("edge")), "a property of another edge");
        Ok(())
    })
}

/// More than a page or a batch of any layer holds.
const MANY: u64 = 2500;

fn removed_vertex_has_many_edges(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Directed)?;
        let mut items: Vec<_> = (0..=MANY + 1).map(vertex).collect();
        // Half lead to it and half from it; each of its neighbours has another edge.
        items.extend((1..=MANY).map(|id| if id % 2 == 0 { edge(0, id) } else { edge(id, 0) }));
        items.extend((1..=MANY).map(|id| edge(id, id + 1)));
        graph.load(at, &items)?;
        check_eq!(graph.degree(at, 0, Incident::Both)?, MANY, "the edges of the vertex");
        graph.remove_vertex(at, 0)?;
        let edges = super::lab::ends(&graph.get_edges(at)?);
        check!(
            edges.iter().copied().eq((1..=MANY).map(|id| (id, id + 1))),
            "{} edges are left, of which the other {MANY} should be",
            edges.len()
        );
        check_eq!(graph.degree(at, 1, Incident::Both)?, 1, "the edges of a neighbour");
        check_eq!(graph.degree(at, 2, Incident::Both)?, 2, "the edges of another");
        Ok(())
    })
}

fn no_value_grows(ctx: &Context) -> Verdict {
    use engine_api::version::{Flow, OrderedKeyValue as _};
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Undirected)?;
        let mut items: Vec<_> = (0..1000).map(vertex).collect();
        items.extend((0..1000).map(|id| edge(0, id)));
        graph.load(at, &items)?;
        for name in 0..100 {
            graph.set_vertex_property(at, 0, &name.to_string(), bytes("short"))?;
        }
        let mut longest = 0;
        spot.store.visit_raw(at, &engine_api::KeyRange::ALL, &mut |_, value| {
            longest = longest.max(value.bytes()?.len());
            Ok(Flow::Continue(()))
        })?;
        check!(longest < 100, "a value of {longest} bytes is stored for a vertex of 1000 edges");
        Ok(())
    })
}
