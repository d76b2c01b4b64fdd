//! What isn't there: nothing to reads, and named where it is needed.

use engine_api::graph::{Incident, Kind};
use engine_api::{ErrorKind, Result};

use super::NEEDS;
use super::lab::{bytes, everywhere};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.reads-of-what-is-not-there-are-none",
        reads_are_none,
        "A vertex, an edge and a property that aren't there read as None, whatever of what they belong to is there.",
        "DVID answers an error for two of them, and nothing for the third.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.changing-a-vertex-that-is-not-there-is-refused",
        changing_a_vertex,
        "To change a vertex that isn't there, to remove it or to go on from it is NotFound, names it, and makes none.",
        "In DVID to set a weight or a property of it does nothing, and says that all is well.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.changing-an-edge-that-is-not-there-is-refused",
        changing_an_edge,
        "To change an edge that isn't there is NotFound, names its ends, and makes none.",
        "In DVID to set a weight or a property of it does nothing, and says that all is well.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removing-a-property-tells-whether-it-was-there",
        removing_a_property,
        "To remove a property of what is there answers whether there was one.",
        "To remove it again after an unclear answer is no mistake, and to misspell it is seen.",
    )
    .needs(NEEDS),
];

fn reads_are_none(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2, 3], &[(1, 2)])?;
        check_eq!(graph.get_vertex(at, 4)?, None, "a vertex");
        for (from, to) in [(1, 3), (1, 4), (4, 1), (4, 5), (1, 1)] {
            check_eq!(graph.get_edge(at, from, to)?, None, "the edge from {from} to {to}");
            check_eq!(graph.get_edge_property(at, from, to, "a")?, None, "a property of {from} {to}");
        }
        check_eq!(graph.get_vertex_property(at, 1, "a")?, None, "a property of a vertex");
        check_eq!(graph.get_vertex_property(at, 4, "a")?, None, "a property of no vertex");
        check_eq!(graph.get_edge_property(at, 1, 2, "a")?, None, "a property of an edge");
        Ok(())
    })
}

/// Fails unless each answer is `NotFound` with these facts.
fn all_refused(answers: Vec<(&str, Result<()>)>, facts: &[(&str, &str)]) -> Verdict {
    for (name, answer) in answers {
        let told: Vec<_> = match &answer {
            Err(error) => {
                facts.iter().map(|(fact, _)| (*fact, error.field(fact).map(str::to_owned))).collect()
            }
            Ok(()) => Vec::new(),
        };
        check_refused(answer, ErrorKind::NotFound, name)?;
        for ((fact, expected), (_, told)) in facts.iter().zip(told) {
            check_eq!(told.as_deref(), Some(*expected), "the {fact} that the error of {name} names");
        }
    }
    Ok(())
}

fn changing_a_vertex(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        let answers = vec![
            ("set_vertex_weight", graph.set_vertex_weight(at, 7, 0.0)),
            ("set_vertex_property", graph.set_vertex_property(at, 7, "a", bytes("b"))),
            ("remove_vertex", graph.remove_vertex(at, 7)),
            ("remove_vertex_property", graph.remove_vertex_property(at, 7, "a").map(drop)),
            ("neighbours", graph.neighbours(at, 7, Incident::Both).map(drop)),
            ("degree", graph.degree(at, 7, Incident::Out).map(drop)),
            ("edges_of", graph.edges_of(at, 7, Incident::In).map(drop)),
            ("vertex_properties", graph.vertex_properties(at, 7).map(drop)),
        ];
        all_refused(answers, &[("vertex", "7")])?;
        check_eq!(graph.get_vertex(at, 7)?, None, "the vertex");
        check!(graph.add_vertex(at, 7, 0.0)?, "the vertex is said to be there");
        check_eq!(graph.vertex_properties(at, 7)?, [], "what was set before it was there");
        graph.remove_vertex(at, 7)?;
        check_refused(graph.remove_vertex(at, 7), ErrorKind::NotFound, "removing it a second time")?;
        spot.has_edges(&[(1, 2)])
    })
}

fn changing_an_edge(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2, 3], &[(1, 2)])?;
        for (from, to) in [(1, 3), (1, 7)] {
            let answers = vec![
                ("set_edge_weight", graph.set_edge_weight(at, from, to, 0.0)),
                ("set_edge_property", graph.set_edge_property(at, from, to, "a", bytes("b"))),
                ("remove_edge", graph.remove_edge(at, from, to)),
                ("remove_edge_property", graph.remove_edge_property(at, from, to, "a").map(drop)),
                ("edge_properties", graph.edge_properties(at, from, to).map(drop)),
            ];
            all_refused(answers, &[("from", "1"), ("to", &to.to_string())])?;
        }
        spot.has_edges(&[(1, 2)])?;
        check!(graph.add_edge(at, 1, 3, 0.5)?, "the edge is said to be there");
        check_eq!(graph.edge_properties(at, 1, 3)?, [], "what was set before it was there");
        graph.remove_edge(at, 1, 3)?;
        check_refused(graph.remove_edge(at, 1, 3), ErrorKind::NotFound, "removing it a second time")
    })
}

fn removing_a_property(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for _ in 0..2 {
            check!(!graph.remove_vertex_property(at, 1, "a")?, "a vertex's property is said to be there");
            check!(!graph.remove_edge_property(at, 1, 2, "a")?, "an edge's property is said to be there");
            graph.set_vertex_property(at, 1, "a", bytes("b"))?;
            graph.set_edge_property(at, 1, 2, "a", bytes("b"))?;
            check!(graph.remove_vertex_property(at, 1, "a")?, "a vertex's property isn't there");
            check!(graph.remove_edge_property(at, 1, 2, "a")?, "an edge's property isn't there");
        }
        Ok(())
    })
}
