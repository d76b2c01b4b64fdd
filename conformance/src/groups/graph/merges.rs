//! Graphs on branches, and what a merge makes of them.

use engine_api::graph::{Element, Fault, Incident, Kind, Shown, everything};
use engine_api::version::Flow;
use engine_api::{Error, ErrorKind, KeyRange};

use super::NEEDS;
use super::lab::{Lab, bytes};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.branches-do-not-see-each-other",
        branches_do_not_see_each_other,
        "What is added, changed and removed on a branch is seen there alone, and the version that it began at stays as it was.",
        "A value that holds several elements would be shared by both.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.committed-version-refuses-every-write",
        committed_version_refuses,
        "At a committed version every write is ReadOnly and changes nothing.",
        "A removal in several batches must be refused at the first.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.merge-has-what-both-sides-did",
        merge_has_what_both_sides_did,
        "Behind a merge there is what either side added or changed, and not what either removed; on one hub too.",
        "A list of neighbours in one value would be in conflict whenever both sides added an edge.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.conflict-names-its-element",
        conflict_names_its_element,
        "What both sides changed is a conflict of that vertex, edge or property alone, named, with the versions, also before \
         the merge is made.",
        "A conflict of a key that nobody can read helps nobody.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.visits-go-on-past-a-conflict",
        visits_go_on_past_a_conflict,
        "A visit shows an element in conflict as such, and goes on; which vertices an edge joins isn't in question.",
        "One weight in conflict shouldn't hide a graph.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.a-write-settles-a-conflict",
        a_write_settles_a_conflict,
        "To set, to add or to remove an element in conflict settles it, from both ends of an edge.",
        "An edge that is settled from one end stays in conflict from the other.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.merge-shows-no-edge-without-its-ends",
        merge_shows_no_dangling_edge,
        "An edge that one side added to a vertex that the other removed isn't seen, by no read and whichever parent is first.",
        "Neither side has done anything wrong, and no batch of either could know of the other.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.a-vertex-comes-back-without-edges",
        a_vertex_comes_back_without_edges,
        "A vertex that is added again behind a merge has no edge and no property that the other side had added to the old one.",
        "What is hidden comes back when its vertex does.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.a-change-outlives-a-removal",
        a_change_outlives_a_removal,
        "A vertex and an edge whose weight one side changed are there though the other removed them, from both ends.",
        "It is the rule of versions for every key, and both keys of an edge must follow it.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.a-graph-is-removed-on-one-branch",
        a_graph_is_removed_on_one_branch,
        "A graph that one side removed is gone behind the merge; one that is made there anew has nothing of the old.",
        "What the other side added in the meantime has stayed.",
    )
    .needs(NEEDS),
];

/// Four vertices, a path along them, and two branches.
fn branched(ctx: &Context) -> Verdict<(Lab, usize, usize)> {
    let mut lab = Lab::new(ctx)?;
    let root = lab.at(1);
    root.make(Kind::Undirected, &[1, 2, 3, 4], &[(1, 2), (2, 3), (3, 4)])?;
    let (graph, at) = root.get();
    graph.set_vertex_property(at, 1, "a", bytes("root"))?;
    graph.set_edge_property(at, 1, 2, "a", bytes("root"))?;
    drop(root);
    let (left, right) = (lab.add(&[1])?, lab.add(&[1])?);
    Ok((lab, left, right))
}

fn branches_do_not_see_each_other(ctx: &Context) -> Verdict {
    let (lab, left, right) = branched(ctx)?;
    let (one, other) = (lab.at(left), lab.at(right));
    let (graph, at) = one.get();
    graph.remove_vertex(at, 2)?;
    graph.add_edge(at, 1, 4, 0.25)?;
    graph.set_vertex_property(at, 1, "a", bytes("left"))?;
    let (graph, at) = other.get();
    graph.add_vertex(at, 5, 0.0)?;
    graph.add_edge(at, 2, 5, 0.25)?;
    graph.remove_edge(at, 3, 4)?;
    one.has_edges(&[(1, 4), (3, 4)])?;
    other.has_edges(&[(1, 2), (2, 3), (2, 5)])?;
    lab.at(1).has_edges(&[(1, 2), (2, 3), (3, 4)])?;
    check_eq!(
        graph.get_vertex_property(at, 1, "a")?,
        Some(bytes("root")),
        "what only the other side changed"
    );
    lab.at(1).is_clean()
}

fn committed_version_refuses(ctx: &Context) -> Verdict {
    let (lab, _, _) = branched(ctx)?;
    let root = lab.at(1);
    let (graph, at) = root.get();
    let answers = [
        graph.remove_graph(at),
        graph.add_vertex(at, 9, 0.0).map(drop),
        graph.add_edge(at, 1, 3, 0.0).map(drop),
        graph.set_vertex_weight(at, 1, 0.0),
        graph.set_edge_weight(at, 1, 2, 0.0),
        graph.set_vertex_property(at, 1, "a", bytes("b")),
        graph.set_edge_property(at, 1, 2, "a", bytes("b")),
        graph.remove_vertex(at, 2),
        graph.remove_edge(at, 1, 2),
        graph.remove_vertex_property(at, 1, "a").map(drop),
        graph.remove_edge_property(at, 1, 2, "a").map(drop),
        graph.load(at, &[super::lab::vertex(9)]),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        check_refused(answer, ErrorKind::ReadOnly, &format!("write {number} to a committed version"))?;
    }
    check_eq!(graph.get_vertices(at)?.len(), 4, "the vertices");
    check_eq!(graph.vertex_properties(at, 1)?, [("a".to_owned(), bytes("root"))], "the properties");
    root.has_edges(&[(1, 2), (2, 3), (3, 4)])?;
    root.is_clean()
}

fn merge_has_what_both_sides_did(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = branched(ctx)?;
    for (side, first) in [(left, 10_u64), (right, 20)] {
        let spot = lab.at(side);
        let (graph, at) = spot.get();
        for id in first..first + 5 {
            graph.add_vertex(at, id, 0.0)?;
            graph.add_edge(at, id, 1, 0.25)?;
        }
        graph.set_vertex_property(at, 1, &first.to_string(), bytes("side"))?;
    }
    let spot = lab.at(left);
    let (graph, at) = spot.get();
    graph.remove_edge(at, 2, 3)?;
    graph.set_edge_weight(at, 1, 2, 0.75)?;
    drop(spot);
    let merge = lab.add(&[left, right])?;
    let merged = lab.at(merge);
    let hub = (10..15).chain(20..25).map(|id| (1, id));
    let expected: Vec<_> = std::iter::once((1, 2)).chain(hub).chain([(3, 4)]).collect();
    merged.has_edges(&expected)?;
    let (graph, at) = merged.get();
    let weight = graph.get_edge(at, 1, 2)?.map(|edge| edge.weight.to_bits());
    check_eq!(weight, Some(0.75_f64.to_bits()), "the weight that one side changed");
    check_eq!(graph.vertex_properties(at, 1)?.len(), 3, "the properties of the hub");
    merged.is_clean()
}

/// Both sides change a vertex, an edge and a property of each.
fn clashing(ctx: &Context) -> Verdict<(Lab, usize, usize)> {
    let (lab, left, right) = branched(ctx)?;
    for (side, weight) in [(left, 10.0), (right, 20.0)] {
        let spot = lab.at(side);
        let (graph, at) = spot.get();
        graph.set_vertex_weight(at, 1, weight)?;
        graph.set_edge_weight(at, 2, 1, weight)?;
        graph.set_vertex_property(at, 1, "a", bytes("side"))?;
        graph.set_edge_property(at, 2, 1, "a", bytes("side"))?;
    }
    Ok((lab, left, right))
}

/// The elements in conflict that the layer of versions lists, each once.
fn listed(lab: &Lab, nodes: &[usize]) -> Verdict<Vec<Element>> {
    let versions: Vec<_> = nodes.iter().map(|node| lab.version(*node)).collect();
    let mut found = Vec::new();
    lab.store.conflicts(lab.grown, &versions, &KeyRange::ALL, &mut |conflict| {
        found.extend(Element::of_key(&conflict.tkey)?);
        Ok(Flow::Continue(()))
    })?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn conflict_names_its_element(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = clashing(ctx)?;
    let elements = [
        Element::Vertex(1),
        Element::Edge(1, 2),
        Element::VertexProperty(1, "a".to_owned()),
        Element::EdgeProperty(1, 2, "a".to_owned()),
    ];
    check_eq!(listed(&lab, &[left, right])?, elements, "the conflicts of a merge that is thought of");
    let merge = lab.add(&[left, right])?;
    check_eq!(listed(&lab, &[merge])?, elements, "the conflicts of the merge");
    let versions = format!("{}, {}", lab.version(left), lab.version(right));
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    let answers = [
        ("a vertex", graph.get_vertex(at, 1).map(drop), &[("vertex", "1")][..]),
        ("an edge", graph.get_edge(at, 2, 1).map(drop), &[("from", "1"), ("to", "2")]),
        (
            "a vertex's property",
            graph.get_vertex_property(at, 1, "a").map(drop),
            &[("vertex", "1"), ("property", "a")],
        ),
        (
            "an edge's property",
            graph.get_edge_property(at, 2, 1, "a").map(drop),
            &[("from", "1"), ("to", "2"), ("property", "a")],
        ),
        ("all vertices", graph.get_vertices(at).map(drop), &[("vertex", "1")]),
        ("all edges", graph.get_edges(at).map(drop), &[("from", "1"), ("to", "2")]),
    ];
    for (what, answer, facts) in answers {
        let told = |error: &Error, fact: &str| error.field(fact).map(str::to_owned);
        let named = answer.as_ref().err().map(|error| {
            (facts.iter().all(|(fact, value)| error.field(fact) == Some(value)), told(error, "versions"))
        });
        check_refused(answer, ErrorKind::Conflict, &format!("reading {what} in conflict"))?;
        check_eq!(named, Some((true, Some(versions.clone()))), "whether {what} is named, and the versions");
    }
    check_eq!(graph.get_vertex(at, 2)?.map(|vertex| vertex.id), Some(2), "a vertex that nobody changed");
    check_eq!(graph.get_edge(at, 3, 4)?.map(|edge| edge.to), Some(4), "an edge that nobody changed");
    Ok(())
}

fn visits_go_on_past_a_conflict(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = clashing(ctx)?;
    let merge = lab.add(&[left, right])?;
    let sides = vec![lab.version(left), lab.version(right)];
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    let mut seen = Vec::new();
    graph.visit_vertices(at, everything(), &mut |vertex| {
        seen.push(vertex.map(|vertex| vertex.id));
        Ok(Flow::Continue(()))
    })?;
    let clash = |element| Shown::Conflict { element, versions: sides.clone() };
    let expected = [clash(Element::Vertex(1)), Shown::Found(2), Shown::Found(3), Shown::Found(4)];
    check_eq!(seen, expected, "the vertices");
    for of in [None, Some(2)] {
        let mut seen = Vec::new();
        let mut take = |edge: Shown<engine_api::graph::Edge>| {
            seen.push(edge.map(|edge| (edge.from, edge.to)));
            Ok(Flow::Continue(()))
        };
        let clash = Shown::Conflict { element: Element::Edge(1, 2), versions: sides.clone() };
        let mut expected = vec![clash, Shown::Found((2, 3))];
        match of {
            None => {
                expected.push(Shown::Found((3, 4)));
                graph.visit_edges(at, everything(), &mut take)?;
            }
            Some(id) => graph.visit_edges_of(at, id, Incident::Both, everything(), &mut take)?,
        }
        check_eq!(seen, expected, "the edges of {of:?}");
    }
    check_eq!(graph.neighbours(at, 2, Incident::Both)?, [1, 3], "the neighbours of 2");
    check_eq!(graph.degree(at, 1, Incident::Both)?, 1, "the edges of 1");
    Ok(())
}

fn a_write_settles_a_conflict(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = clashing(ctx)?;
    let merge = lab.add(&[left, right])?;
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    graph.set_vertex_weight(at, 1, 15.0)?;
    check!(!graph.add_edge(at, 2, 1, 15.0)?, "an edge in conflict is said not to be there");
    graph.set_vertex_property(at, 1, "a", bytes("both"))?;
    check!(graph.remove_edge_property(at, 1, 2, "a")?, "a property in conflict is said not to be there");
    check_eq!(listed(&lab, &[merge])?, [], "the conflicts that are left");
    let weight = |weight: Option<f64>| weight.map(f64::to_bits);
    let expected = Some(15.0_f64.to_bits());
    check_eq!(weight(graph.get_vertex(at, 1)?.map(|vertex| vertex.weight)), expected, "the vertex");
    check_eq!(weight(graph.get_edge(at, 1, 2)?.map(|edge| edge.weight)), expected, "the edge");
    let from_its_end = graph.edges_of(at, 2, Incident::Both)?.first().map(|edge| edge.weight);
    check_eq!(weight(from_its_end), expected, "the edge from its other end");
    check_eq!(graph.get_vertex_property(at, 1, "a")?, Some(bytes("both")), "the vertex's property");
    check_eq!(graph.edge_properties(at, 1, 2)?, [], "the edge's properties");
    merged.has_edges(&[(1, 2), (2, 3), (3, 4)])?;
    merged.is_clean()
}

fn merge_shows_no_dangling_edge(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = branched(ctx)?;
    let spot = lab.at(left);
    let (graph, at) = spot.get();
    graph.add_edge(at, 1, 3, 0.25)?;
    graph.add_edge(at, 3, 3, 0.25)?;
    graph.set_edge_property(at, 1, 3, "a", bytes("left"))?;
    graph.set_vertex_property(at, 3, "a", bytes("left"))?;
    drop(spot);
    let spot = lab.at(right);
    let (graph, at) = spot.get();
    graph.remove_vertex(at, 3)?;
    drop(spot);
    for parents in [[left, right], [right, left]] {
        let merge = lab.add(&parents)?;
        let below = lab.add(&[merge])?;
        for node in [merge, below] {
            let spot = lab.at(node);
            let (graph, at) = spot.get();
            check_eq!(graph.get_vertex(at, 3)?, None, "the vertex that one side removed");
            check_eq!(graph.get_edge(at, 1, 3)?, None, "the edge that the other side added to it");
            check_eq!(graph.get_edge(at, 3, 3)?, None, "its loop");
            check_eq!(graph.get_edge_property(at, 1, 3, "a")?, None, "a property of that edge");
            check_eq!(graph.get_vertex_property(at, 3, "a")?, None, "a property of the vertex");
            check_eq!(graph.degree(at, 1, Incident::Both)?, 1, "the edges of the other end");
            spot.has_edges(&[(1, 2)])?;
            let faults = spot.faults()?;
            check!(faults.iter().all(Fault::is_harmless), "what is hidden is said to be damaged: {faults:?}");
            check!(faults.contains(&Fault::Dangling(1, 3)), "the hidden edge isn't among {faults:?}");
        }
        let spot = lab.at(below);
        let (graph, at) = spot.get();
        check_refused(graph.set_edge_weight(at, 1, 3, 0.0), ErrorKind::NotFound, "weighing a hidden edge")?;
        check_refused(graph.remove_edge(at, 1, 3), ErrorKind::NotFound, "removing a hidden edge")?;
        check_refused(graph.remove_vertex(at, 3), ErrorKind::NotFound, "removing a vertex that is gone")?;
    }
    Ok(())
}

fn a_vertex_comes_back_without_edges(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = branched(ctx)?;
    let spot = lab.at(left);
    let (graph, at) = spot.get();
    graph.add_edge(at, 1, 3, 0.25)?;
    graph.set_edge_property(at, 1, 3, "a", bytes("left"))?;
    graph.set_vertex_property(at, 3, "a", bytes("left"))?;
    drop(spot);
    let spot = lab.at(right);
    let (graph, at) = spot.get();
    graph.remove_vertex(at, 3)?;
    graph.remove_edge(at, 1, 2)?;
    drop(spot);
    let merge = lab.add(&[left, right])?;
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    check!(graph.add_vertex(at, 3, 0.0)?, "the vertex that was removed is said to be there");
    merged.has_edges(&[])?;
    check_eq!(graph.vertex_properties(at, 3)?, [], "the properties of a vertex that was added again");
    merged.is_clean()?;
    check!(graph.add_edge(at, 3, 1, 0.5)?, "the edge is said to be there");
    check_eq!(graph.edge_properties(at, 1, 3)?, [], "the properties of an edge that was added again");
    merged.has_edges(&[(1, 3)])?;
    merged.is_clean()
}

fn a_change_outlives_a_removal(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = branched(ctx)?;
    let spot = lab.at(left);
    let (graph, at) = spot.get();
    graph.set_vertex_weight(at, 4, 9.0)?;
    graph.set_edge_weight(at, 2, 1, 9.0)?;
    drop(spot);
    let spot = lab.at(right);
    let (graph, at) = spot.get();
    graph.remove_vertex(at, 4)?;
    graph.remove_edge(at, 1, 2)?;
    drop(spot);
    let merge = lab.add(&[left, right])?;
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    check_eq!(graph.get_vertex(at, 4)?.map(|vertex| vertex.id), Some(4), "the vertex that was changed");
    check_eq!(graph.degree(at, 4, Incident::Both)?, 0, "its edges, which nobody changed");
    // From both of its ends.
    merged.has_edges(&[(1, 2), (2, 3)])?;
    merged.is_clean()
}

fn a_graph_is_removed_on_one_branch(ctx: &Context) -> Verdict {
    let (mut lab, left, right) = branched(ctx)?;
    let spot = lab.at(left);
    let (graph, at) = spot.get();
    graph.add_vertex(at, 9, 0.0)?;
    graph.add_edge(at, 1, 9, 0.0)?;
    drop(spot);
    let spot = lab.at(right);
    let (graph, at) = spot.get();
    graph.remove_graph(at)?;
    drop(spot);
    lab.at(left).has_edges(&[(1, 2), (1, 9), (2, 3), (3, 4)])?;
    let merge = lab.add(&[left, right])?;
    let merged = lab.at(merge);
    let (graph, at) = merged.get();
    check_eq!(graph.graph(at)?, None, "the graph that one side removed");
    check_refused(graph.get_vertices(at), ErrorKind::NotFound, "its vertices")?;
    graph.create_graph(at, Kind::Directed)?;
    check_eq!(graph.get_vertices(at)?, [], "the vertices of a new one");
    merged.has_edges(&[])?;
    merged.is_clean()
}
