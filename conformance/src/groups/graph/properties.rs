//! Properties of vertices and of edges.

use engine_api::Bytes;
use engine_api::graph::Kind;

use super::NEEDS;
use super::lab::{bytes, everywhere};
use crate::case::Case;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.names-of-properties-are-told-apart",
        names_are_told_apart,
        "Of two properties one of whose names begins with the other's, each has its own value, of a vertex and of an edge.",
        "In DVID a name has no end, so `a` answers with the value of `ab`.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.names-of-properties-are-any-text",
        names_are_any_text,
        "Any text is a property's name: empty, with zeros, in any script; properties are listed in the order of their bytes.",
        "In DVID characters are cut to bytes, so two names that aren't ASCII are one.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.property-values-are-any-bytes",
        values_are_any_bytes,
        "A property's value is any bytes; an empty one is there.",
        "An empty value that counts as none can't be told from a property that was removed.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.properties-belong-to-their-element",
        properties_belong_to_their_element,
        "Properties of the same name are each vertex's and edge's own, and removing one leaves the others.",
        "The keys of an edge and of a vertex, put one behind the other, can be the same bytes.",
    )
    .needs(NEEDS),
];

fn names_are_told_apart(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for (first, second) in [("a", "ab"), ("ba", "b")] {
            graph.set_vertex_property(at, 1, second, bytes(second))?;
            graph.set_edge_property(at, 1, 2, second, bytes(second))?;
            check_eq!(graph.get_vertex_property(at, 1, first)?, None, "{first:?}, which was never set");
            check_eq!(graph.get_edge_property(at, 1, 2, first)?, None, "{first:?}, which was never set");
            graph.set_vertex_property(at, 1, first, bytes(first))?;
            graph.set_edge_property(at, 1, 2, first, bytes(first))?;
            for name in [first, second] {
                check_eq!(graph.get_vertex_property(at, 1, name)?, Some(bytes(name)), "a vertex's {name:?}");
                check_eq!(graph.get_edge_property(at, 1, 2, name)?, Some(bytes(name)), "an edge's {name:?}");
            }
            check!(graph.remove_vertex_property(at, 1, first)?, "a vertex's {first:?} isn't there");
            check!(graph.remove_edge_property(at, 1, 2, first)?, "an edge's {first:?} isn't there");
            check_eq!(graph.get_vertex_property(at, 1, first)?, None, "{first:?}, which was removed");
            check_eq!(graph.get_vertex_property(at, 1, second)?, Some(bytes(second)), "the vertex's other");
            check_eq!(graph.get_edge_property(at, 1, 2, second)?, Some(bytes(second)), "the edge's other");
        }
        Ok(())
    })
}

/// In the order of their bytes. The last three are one when their characters are cut to bytes.
const NAMES: [&str; 9] = ["", "\0", "\0\u{1}", "a", "a\0", "e\u{301}", "\u{e9}", "\u{1e9}", "\u{fee9}"];

fn names_are_any_text(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for (number, name) in NAMES.iter().enumerate().rev() {
            graph.set_vertex_property(at, 1, name, bytes(&format!("vertex {number}")))?;
            graph.set_edge_property(at, 1, 2, name, bytes(&format!("edge {number}")))?;
        }
        let named = |what: &str| -> Vec<(String, Bytes)> {
            let number =
                |(number, name): (usize, &&str)| ((*name).to_owned(), bytes(&format!("{what} {number}")));
            NAMES.iter().enumerate().map(number).collect()
        };
        check_eq!(graph.vertex_properties(at, 1)?, named("vertex"), "the vertex's properties");
        check_eq!(graph.edge_properties(at, 1, 2)?, named("edge"), "the edge's properties");
        for (name, value) in named("vertex") {
            check_eq!(graph.get_vertex_property(at, 1, &name)?, Some(value), "{name:?}");
        }
        for (name, value) in named("edge") {
            check_eq!(graph.get_edge_property(at, 2, 1, &name)?, Some(value), "{name:?}");
            check!(graph.remove_edge_property(at, 1, 2, &name)?, "{name:?} isn't there");
        }
        check_eq!(graph.edge_properties(at, 1, 2)?, [], "what is left of the edge's properties");
        Ok(())
    })
}

fn values_are_any_bytes(ctx: &Context) -> Verdict {
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(9000).collect();
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &[1, 2], &[(1, 2)])?;
        for value in [Bytes::new(), bytes("\0"), Bytes::from(all.clone()), bytes("short")] {
            graph.set_vertex_property(at, 1, "a", value.clone())?;
            graph.set_edge_property(at, 1, 2, "a", value.clone())?;
            check!(
                graph.get_vertex_property(at, 1, "a")?.as_ref() == Some(&value),
                "a vertex's value is another"
            );
            check!(
                graph.get_edge_property(at, 1, 2, "a")?.as_ref() == Some(&value),
                "an edge's value is another"
            );
            check_eq!(graph.vertex_properties(at, 1)?.len(), 1, "the vertex's properties");
        }
        graph.set_vertex_property(at, 1, "a", Bytes::new())?;
        check!(graph.remove_vertex_property(at, 1, "a")?, "a property with an empty value isn't there");
        check!(!graph.remove_vertex_property(at, 1, "a")?, "a property that was removed is there");
        Ok(())
    })
}

fn properties_belong_to_their_element(ctx: &Context) -> Verdict {
    let vertices = [1, 2, 256, 257, 258, u64::MAX];
    let edges = [(1, 2), (1, 256), (2, 256), (256, 257), (257, u64::MAX)];
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Undirected, &vertices, &edges)?;
        for id in vertices {
            graph.set_vertex_property(at, id, "a", bytes(&format!("vertex {id}")))?;
        }
        for (from, to) in edges {
            graph.set_edge_property(at, from, to, "a", bytes(&format!("edge {from} {to}")))?;
        }
        check!(graph.remove_vertex_property(at, 256, "a")?, "the property isn't there");
        check!(graph.remove_edge_property(at, 1, 256, "a")?, "the property isn't there");
        for id in vertices {
            let expected = (id != 256).then(|| bytes(&format!("vertex {id}")));
            check_eq!(graph.get_vertex_property(at, id, "a")?, expected, "the property of {id}");
        }
        for (from, to) in edges {
            let expected = ((from, to) != (1, 256)).then(|| bytes(&format!("edge {from} {to}")));
            check_eq!(graph.get_edge_property(at, from, to, "a")?, expected, "the property of {from} {to}");
        }
        Ok(())
    })
}
