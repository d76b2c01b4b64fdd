//! Edges.

use engine_api::ErrorKind;
use engine_api::graph::{Edge, Incident, Kind};

use super::NEEDS;
use super::lab::{bytes, everywhere};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.edge-needs-both-of-its-ends",
        edge_needs_both_of_its_ends,
        "An edge to or from a vertex that isn't there is NotFound, names the vertex, and leaves nothing.",
        "A vertex that appears by itself has no weight, and was never added.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.adding-an-edge-again-keeps-its-properties",
        adding_an_edge_again_keeps_its_properties,
        "To add an edge that is there sets its weight and keeps its properties; there are no two edges between two ends.",
        "In DVID it overwrites the names of the properties, whose values stay for ever.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.ends-in-either-order",
        ends_in_either_order,
        "Without directions an edge is the same in whichever order its ends are named, to every operation.",
        "An operation that forgets to sort works on another edge, or on none.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removing-an-edge-named-backwards-leaves-others",
        removing_an_edge_named_backwards_leaves_others,
        "To remove an edge by its ends, the higher first, takes that edge and its properties, and no other's.",
        "In DVID the range of properties is then from the lower end to the one behind it, and takes other edges' properties.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removing-an-edge-leaves-the-next-one",
        removing_an_edge_leaves_the_next_one,
        "To remove an edge leaves the edges to the vertices just before and behind, with their properties.",
        "In DVID the end of the range is included where data has versions, and the next edge's properties go too.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removing-an-edge-that-is-not-there-changes-nothing",
        removing_an_edge_that_is_not_there,
        "To remove an edge that isn't there is NotFound, whether its ends have edges or none, and changes nothing.",
        "In DVID it removes the first neighbour of each end, and panics where an end has none.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removed-edge-is-gone-from-both-ends",
        removed_edge_is_gone_from_both_ends,
        "An edge that was removed is found from neither end, and added again it has no properties.",
        "An edge is kept in more than one place, so it can go from one of them.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.loops-are-edges",
        loops_are_edges,
        "An edge from a vertex to itself is one, counts once, and goes with its vertex.",
        "Stored from both of its ends, it is easily there twice.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.directions-tell-edges-apart",
        directions_tell_edges_apart,
        "With directions an edge and the one back are two, with weights and properties of their own.",
        "Sorting the ends makes one of them.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.neighbours-and-degrees",
        neighbours_and_degrees,
        "The neighbours of a vertex, and how many edges it has, are those of its edges, in each direction.",
        "What is asked most of a graph shouldn't read all of it.",
    )
    .needs(NEEDS),
];

fn edge_needs_both_of_its_ends(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[])?;
        for (from, to, missing) in [(1, 3, "3"), (3, 1, "3"), (0, 1, "0"), (7, 7, "7")] {
            let answer = graph.add_edge(at, from, to, 0.5);
            let named = answer.as_ref().err().and_then(|error| error.field("vertex")).map(str::to_owned);
            check_refused(answer, ErrorKind::NotFound, &format!("an edge from {from} to {to}"))?;
            check_eq!(named.as_deref(), Some(missing), "the vertex that the error names");
            check_eq!(graph.get_edge(at, from, to)?, None, "the edge that was refused");
        }
        check_eq!(graph.get_vertices(at)?.len(), 2, "the vertices");
        spot.has_edges(&[])
    })
}

fn adding_an_edge_again_keeps_its_properties(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        graph.set_edge_property(at, 1, 2, "a", bytes("b"))?;
        for (from, to) in [(1, 2), (2, 1)] {
            check!(!graph.add_edge(at, from, to, 9.0)?, "the edge is said to be new");
            check_eq!(graph.get_edges(at)?, [Edge { from: 1, to: 2, weight: 9.0 }], "the edges");
            check_eq!(graph.get_edge_property(at, 1, 2, "a")?, Some(bytes("b")), "its property");
            check_eq!(graph.edge_properties(at, 1, 2)?, [("a".to_owned(), bytes("b"))], "its properties");
        }
        spot.has_edges(&[(1, 2)])
    })
}

fn ends_in_either_order(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[5, 11], &[])?;
        for [(one, two), (three, four)] in [[(5, 11), (11, 5)], [(11, 5), (5, 11)]] {
            check!(graph.add_edge(at, one, two, 0.25)?, "the edge is said to be there");
            check!(!graph.add_edge(at, three, four, 0.5)?, "the same edge is said to be new");
            check_eq!(graph.get_edge(at, one, two)?, Some(Edge { from: 5, to: 11, weight: 0.5 }), "the edge");
            graph.set_edge_weight(at, three, four, 0.75)?;
            check_eq!(
                graph.get_edge(at, one, two)?,
                Some(Edge { from: 5, to: 11, weight: 0.75 }),
                "the edge"
            );
            graph.set_edge_property(at, three, four, "a", bytes("b"))?;
            check_eq!(graph.get_edge_property(at, one, two, "a")?, Some(bytes("b")), "its property");
            check_eq!(graph.edge_properties(at, one, two)?.len(), 1, "its properties");
            check!(graph.remove_edge_property(at, three, four, "a")?, "its property isn't there");
            check_eq!(graph.get_edge_property(at, one, two, "a")?, None, "its property");
            graph.remove_edge(at, three, four)?;
            spot.has_edges(&[])?;
        }
        Ok(())
    })
}

fn removing_an_edge_named_backwards_leaves_others(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let edges = [(5, 11), (5, 12), (5, 300), (6, 9), (6, 11)];
        spot.make(Kind::Undirected, &[5, 6, 9, 11, 12, 300], &edges)?;
        for (from, to) in edges {
            graph.set_edge_property(at, from, to, "a", bytes("b"))?;
        }
        graph.remove_edge(at, 11, 5)?;
        check_eq!(graph.get_edge_property(at, 5, 11, "a")?, None, "the property of the edge that is gone");
        for (from, to) in &edges[1..] {
            let property = graph.get_edge_property(at, *from, *to, "a")?;
            check_eq!(property, Some(bytes("b")), "the property of the edge from {from} to {to}");
        }
        spot.has_edges(&edges[1..])
    })
}

fn removing_an_edge_leaves_the_next_one(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let edges = [(4, 11), (5, 10), (5, 11), (5, 12), (6, 11)];
        spot.make(Kind::Undirected, &[4, 5, 6, 10, 11, 12], &edges)?;
        for (from, to) in edges {
            for name in ["", "a"] {
                graph.set_edge_property(at, from, to, name, bytes("b"))?;
            }
        }
        graph.remove_edge(at, 5, 11)?;
        for (from, to) in [(4, 11), (5, 10), (5, 12), (6, 11)] {
            let found = graph.edge_properties(at, from, to)?;
            check_eq!(found.len(), 2, "the properties of the edge from {from} to {to}");
        }
        spot.has_edges(&[(4, 11), (5, 10), (5, 12), (6, 11)])
    })
}

fn removing_an_edge_that_is_not_there(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let edges = [(1, 2), (1, 3), (2, 4)];
        spot.make(Kind::Undirected, &[1, 2, 3, 4, 5, 6], &edges)?;
        // Of two that have edges, of one that has none, of none that has, and of vertices that aren't there.
        for (from, to) in [(1, 4), (4, 1), (1, 5), (5, 1), (5, 6), (3, 3), (1, 7), (7, 8)] {
            let answer = graph.remove_edge(at, from, to);
            check_refused(answer, ErrorKind::NotFound, &format!("removing the edge from {from} to {to}"))?;
            spot.has_edges(&edges)?;
        }
        Ok(())
    })
}

fn removed_edge_is_gone_from_both_ends(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for kind in [Kind::Undirected, Kind::Directed] {
            spot.make(kind, &[1, 2, 3], &[(1, 2), (1, 3), (2, 3)])?;
            graph.set_edge_property(at, 1, 2, "a", bytes("b"))?;
            graph.remove_edge(at, 1, 2)?;
            spot.has_edges(&[(1, 3), (2, 3)])?;
            check_eq!(graph.neighbours(at, 1, Incident::Both)?, [3], "the neighbours of one end");
            check_eq!(graph.neighbours(at, 2, Incident::Both)?, [3], "the neighbours of the other");
            check_eq!(graph.get_edge_property(at, 1, 2, "a")?, None, "its property");
            spot.is_clean()?;
            check!(graph.add_edge(at, 1, 2, 0.5)?, "the edge that was removed is said to be there");
            check_eq!(graph.edge_properties(at, 1, 2)?, [], "the properties of an edge that was added again");
            graph.remove_graph(at)?;
        }
        Ok(())
    })
}

fn loops_are_edges(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for kind in [Kind::Undirected, Kind::Directed] {
            spot.make(kind, &[1, 2], &[(1, 1), (1, 2)])?;
            graph.set_edge_property(at, 1, 1, "a", bytes("b"))?;
            spot.has_edges(&[(1, 1), (1, 2)])?;
            for which in [Incident::Both, Incident::Out] {
                check_eq!(graph.degree(at, 1, which)?, 2, "the edges of 1, {which:?}");
                check_eq!(graph.neighbours(at, 1, which)?, [1, 2], "the neighbours of 1, {which:?}");
            }
            graph.remove_edge(at, 1, 1)?;
            spot.has_edges(&[(1, 2)])?;
            check!(graph.add_edge(at, 1, 1, 0.5)?, "the loop that was removed is said to be there");
            check_eq!(graph.edge_properties(at, 1, 1)?, [], "its properties");
            graph.remove_vertex(at, 1)?;
            spot.has_edges(&[])?;
            spot.is_clean()?;
            graph.remove_graph(at)?;
        }
        Ok(())
    })
}

fn directions_tell_edges_apart(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Directed, &[1, 2], &[(2, 1)])?;
        check_eq!(graph.get_edge(at, 1, 2)?, None, "the edge back");
        check_refused(graph.set_edge_weight(at, 1, 2, 0.0), ErrorKind::NotFound, "weighing the edge back")?;
        check!(graph.add_edge(at, 1, 2, 0.25)?, "the edge back is said to be there");
        graph.set_edge_property(at, 1, 2, "a", bytes("there"))?;
        graph.set_edge_property(at, 2, 1, "a", bytes("back"))?;
        let expected = [Edge { from: 1, to: 2, weight: 0.25 }, Edge { from: 2, to: 1, weight: 0.5 }];
        check_eq!(graph.get_edges(at)?, expected, "the edges");
        check_eq!(graph.get_edge_property(at, 1, 2, "a")?, Some(bytes("there")), "a property");
        check_eq!(graph.get_edge_property(at, 2, 1, "a")?, Some(bytes("back")), "the other's");
        graph.remove_edge(at, 2, 1)?;
        check_eq!(graph.get_edges(at)?, expected[..1], "the edges without one");
        check_eq!(graph.get_edge_property(at, 1, 2, "a")?, Some(bytes("there")), "a property");
        spot.has_edges(&[(1, 2)])
    })
}

fn neighbours_and_degrees(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let edges = [(1, 2), (2, 1), (2, 5), (3, 2), (300, 2)];
        spot.make(Kind::Directed, &[1, 2, 3, 4, 5, 300], &edges)?;
        for (which, expected) in
            [(Incident::Out, &[1, 5][..]), (Incident::In, &[1, 3, 300]), (Incident::Both, &[1, 3, 5, 300])]
        {
            check_eq!(graph.neighbours(at, 2, which)?, expected, "the neighbours of 2, {which:?}");
            check_eq!(graph.neighbours(at, 4, which)?, [0_u64; 0], "the neighbours of 4, {which:?}");
        }
        let degrees = [Incident::Out, Incident::In, Incident::Both];
        let degrees: Vec<_> =
            degrees.iter().map(|which| graph.degree(at, 2, *which)).collect::<Result<_, _>>()?;
        check_eq!(degrees, [2, 3, 5], "the edges of 2: out, in and both");
        graph.remove_graph(at)?;
        spot.make(Kind::Undirected, &[1, 2, 3, 4, 5, 300], &[(1, 2), (2, 5), (2, 3), (2, 300)])?;
        for which in [Incident::Out, Incident::In, Incident::Both] {
            check_eq!(graph.neighbours(at, 2, which)?, [1, 3, 5, 300], "without directions, {which:?}");
            check_eq!(graph.degree(at, 2, which)?, 4, "the edges without directions, {which:?}");
        }
        Ok(())
    })
}
