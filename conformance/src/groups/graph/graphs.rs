//! Graphs as wholes: made, removed, and beside each other.

use engine_api::ErrorKind;
use engine_api::graph::{Edge, Incident, Kind, Vertex};
use engine_api::key::DataContext;
use engine_api::version::NewInstance;

use super::NEEDS;
use super::lab::{Lab, bytes, edge, everywhere, vertex};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.specifications-example",
        specifications_example,
        "Two vertices and an edge are read back, the edge in both orders of its ends, and are gone with the graph.",
        "It is all that DVID tests.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.made-once-and-empty",
        made_once_and_empty,
        "A new graph has nothing, tells whether it has directions, and can't be made a second time.",
        "In DVID making a graph does nothing, so one can be used that was never made, and two programs make one.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.without-a-graph-everything-is-refused",
        without_a_graph_everything_is_refused,
        "Where no graph was made, or one was removed, every operation is NotFound.",
        "A wrong instance should look like one, and not like an empty graph.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.removed-graph-leaves-nothing",
        removed_graph_leaves_nothing,
        "A graph that is made where one was removed is empty: no vertex, edge or property has stayed.",
        "What lies under other keys than the vertices and edges is easily left behind.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.instances-are-apart",
        instances_are_apart,
        "Two data instances have a graph each; neither sees or removes what is the other's.",
        "The keys of one lie just behind the other's.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.load-is-what-adding-is",
        load_is_what_adding_is,
        "Things that are loaded are as if they were added one by one, and may be loaded again.",
        "A way of its own for many is a second set of rules.",
    )
    .needs(NEEDS),
];

fn specifications_example(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Undirected)?;
        graph.add_vertex(at, 5, 1.5)?;
        graph.add_vertex(at, 11, 2.5)?;
        graph.add_edge(at, 5, 11, 0.3)?;
        let vertices = [Vertex { id: 5, weight: 1.5 }, Vertex { id: 11, weight: 2.5 }];
        check_eq!(graph.get_vertices(at)?, vertices, "the vertices");
        let edge = Edge { from: 5, to: 11, weight: 0.3 };
        check_eq!(graph.get_edges(at)?, [edge], "the edges");
        check_eq!(graph.get_vertex(at, 11)?, Some(vertices[1]), "the second vertex");
        for (from, to) in [(5, 11), (11, 5)] {
            check_eq!(graph.get_edge(at, from, to)?, Some(edge), "the edge from {from} to {to}");
        }
        graph.remove_graph(at)?;
        check_eq!(graph.graph(at)?, None, "the graph that was removed");
        graph.create_graph(at, Kind::Undirected)?;
        check_eq!(graph.get_vertices(at)?.len() + graph.get_edges(at)?.len(), 0, "what is left");
        Ok(())
    })
}

fn made_once_and_empty(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for kind in [Kind::Directed, Kind::Undirected] {
            check_eq!(graph.graph(at)?, None, "before it is made");
            graph.create_graph(at, kind)?;
            check_eq!(graph.graph(at)?, Some(kind), "its kind");
            check_eq!(graph.get_vertices(at)?, [], "its vertices");
            check_eq!(graph.get_edges(at)?, [], "its edges");
            for again in [Kind::Directed, Kind::Undirected] {
                check_refused(graph.create_graph(at, again), ErrorKind::AlreadyExists, "making it again")?;
            }
            check_eq!(graph.graph(at)?, Some(kind), "its kind after that");
            graph.remove_graph(at)?;
        }
        Ok(())
    })
}

fn without_a_graph_everything_is_refused(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for round in ["never made", "removed"] {
            let answers = [
                ("remove_graph", graph.remove_graph(at)),
                ("add_vertex", graph.add_vertex(at, 1, 0.0).map(drop)),
                ("add_edge", graph.add_edge(at, 1, 2, 0.0).map(drop)),
                ("set_vertex_weight", graph.set_vertex_weight(at, 1, 0.0)),
                ("set_edge_weight", graph.set_edge_weight(at, 1, 2, 0.0)),
                ("set_vertex_property", graph.set_vertex_property(at, 1, "a", bytes("b"))),
                ("set_edge_property", graph.set_edge_property(at, 1, 2, "a", bytes("b"))),
                ("remove_vertex", graph.remove_vertex(at, 1)),
                ("remove_edge", graph.remove_edge(at, 1, 2)),
                ("remove_vertex_property", graph.remove_vertex_property(at, 1, "a").map(drop)),
                ("remove_edge_property", graph.remove_edge_property(at, 1, 2, "a").map(drop)),
                ("get_vertex", graph.get_vertex(at, 1).map(drop)),
                ("get_edge", graph.get_edge(at, 1, 2).map(drop)),
                ("get_vertex_property", graph.get_vertex_property(at, 1, "a").map(drop)),
                ("get_edge_property", graph.get_edge_property(at, 1, 2, "a").map(drop)),
                ("get_vertices", graph.get_vertices(at).map(drop)),
                ("get_edges", graph.get_edges(at).map(drop)),
                ("neighbours", graph.neighbours(at, 1, Incident::Both).map(drop)),
                ("degree", graph.degree(at, 1, Incident::Both).map(drop)),
                ("vertex_properties", graph.vertex_properties(at, 1).map(drop)),
                ("edge_properties", graph.edge_properties(at, 1, 2).map(drop)),
                ("load", graph.load(at, &[vertex(1)])),
            ];
            for (name, answer) in answers {
                check_refused(answer, ErrorKind::NotFound, &format!("{name} where the graph was {round}"))?;
            }
            if round == "never made" {
                graph.create_graph(at, Kind::Undirected)?;
                graph.load(at, &[vertex(1), vertex(2), edge(1, 2)])?;
                graph.remove_graph(at)?;
            }
        }
        Ok(())
    })
}

fn removed_graph_leaves_nothing(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let (vertices, edges) = ([1, 2, u64::MAX], [(1, 1), (1, 2), (2, u64::MAX)]);
        for _ in 0..2 {
            spot.make(Kind::Undirected, &vertices, &edges)?;
            for id in vertices {
                check_eq!(graph.vertex_properties(at, id)?, [], "the properties of a new vertex");
                graph.set_vertex_property(at, id, "a", bytes("vertex"))?;
            }
            for (from, to) in edges {
                check_eq!(graph.edge_properties(at, from, to)?, [], "the properties of a new edge");
                graph.set_edge_property(at, from, to, "a", bytes("edge"))?;
            }
            graph.remove_graph(at)?;
        }
        graph.create_graph(at, Kind::Directed)?;
        check_eq!(graph.get_vertices(at)?, [], "the vertices");
        check_eq!(graph.get_edges(at)?, [], "the edges");
        Ok(())
    })
}

fn instances_are_apart(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let mut instances = Vec::new();
    for name in ["one", "two", "three"] {
        let instance = NewInstance::new(name, "graph").unversioned();
        instances.push(lab.store.create_instance(repo, &instance)?.id);
    }
    let spots: Vec<_> = instances.iter().map(|id| lab.spot(DataContext::unversioned(*id))).collect();
    for (spot, id) in spots.iter().zip(1..) {
        spot.make(Kind::Undirected, &[0, id, u64::MAX], &[(0, id)])?;
        let (graph, at) = spot.get();
        graph.set_vertex_property(at, 0, "a", bytes(&id.to_string()))?;
    }
    let (middle, at) = spots[1].get();
    middle.remove_vertex(at, 0)?;
    middle.remove_graph(at)?;
    for (spot, id) in [(&spots[0], 1), (&spots[2], 3)] {
        let (graph, at) = spot.get();
        spot.has_edges(&[(0, id)])?;
        check_eq!(graph.get_vertices(at)?.len(), 3, "the vertices beside a graph that was removed");
        check_eq!(graph.get_vertex_property(at, 0, "a")?, Some(bytes(&id.to_string())), "a property");
    }
    check_eq!(middle.graph(at)?, None, "the graph that was removed");
    Ok(())
}

fn load_is_what_adding_is(ctx: &Context) -> Verdict {
    use engine_api::graph::Item;
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Undirected)?;
        let mut items: Vec<_> = (0..1500).map(vertex).collect();
        items.extend((0..1500).map(|id| edge(id, id * 7 % 1500)));
        items.push(Item::VertexProperty(7, "a".to_owned(), bytes("vertex")));
        items.push(Item::EdgeProperty(7, 1, "a".to_owned(), bytes("edge")));
        for _ in 0..2 {
            graph.load(at, &items)?;
            check_eq!(graph.get_vertices(at)?.len(), 1500, "the vertices");
            let mut expected: Vec<_> =
                (0..1500_u64).map(|id| (id.min(id * 7 % 1500), id.max(id * 7 % 1500))).collect();
            expected.sort_unstable();
            expected.dedup();
            check!(
                super::lab::ends(&graph.get_edges(at)?) == expected,
                "the edges aren't those that were loaded"
            );
            check_eq!(graph.get_vertex_property(at, 7, "a")?, Some(bytes("vertex")), "a vertex's property");
            check_eq!(graph.get_edge_property(at, 1, 7, "a")?, Some(bytes("edge")), "an edge's property");
        }
        let refused = graph.load(at, &[vertex(5000), edge(5000, 5001)]);
        check_refused(refused, ErrorKind::NotFound, "loading an edge without its end")?;
        check_eq!(graph.get_edge(at, 5000, 5001)?, None, "the edge that was refused");
        Ok(())
    })
}
