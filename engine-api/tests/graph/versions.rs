//! A graph on branches, and what a merge makes of it.

use engine_api::graph::{Edge, Element, Fault, Graph, Incident, Kind, Shown, edges};
use engine_api::key::VersionId;
use engine_api::version::{Choice, Flow, OrderedKeyValue as _};
use engine_api::{Bytes, ErrorKind, KeyRange, Result};

use crate::lab::{Lab, refused, with_vertices};

/// A graph of four vertices and the edges 1-2 and 2-3, and two branches of it.
fn branched() -> (Lab, VersionId, VersionId) {
    let lab = Lab::new(true);
    with_vertices(&lab, Kind::Undirected, 4);
    let graph = lab.graph();
    graph.add_edge(&lab.ctx(), 1, 2, 0.5).unwrap();
    graph.add_edge(&lab.ctx(), 2, 3, 0.5).unwrap();
    graph.set_edge_property(&lab.ctx(), 1, 2, "a", Bytes::from("root")).unwrap();
    graph.set_vertex_property(&lab.ctx(), 1, "a", Bytes::from("root")).unwrap();
    let (left, right) = (lab.branch(lab.root, "left"), lab.branch(lab.root, "right"));
    (lab, left, right)
}

fn ends(edges: Vec<Edge>) -> Vec<(u64, u64)> {
    edges.into_iter().map(|edge| (edge.from, edge.to)).collect()
}

/// The elements in conflict that the version layer lists, each once.
fn listed(lab: &Lab, versions: &[VersionId]) -> Vec<Element> {
    let mut found = Vec::new();
    let mut take = |conflict: engine_api::version::Conflict| {
        found.extend(Element::of_key(&conflict.tkey)?);
        Ok(Flow::Continue(()))
    };
    lab.store.conflicts(lab.instance, versions, &KeyRange::ALL, &mut take).unwrap();
    found.sort();
    found.dedup();
    found
}

#[test]
fn branches_do_not_see_each_other_and_a_committed_version_never_changes() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    let (l, r) = (lab.at(left), lab.at(right));
    graph.remove_vertex(&l, 2)?;
    graph.add_edge(&r, 3, 4, 0.7)?;
    assert_eq!(ends(graph.get_edges(&l)?), []);
    assert_eq!(ends(graph.get_edges(&r)?), [(1, 2), (2, 3), (3, 4)]);
    assert_eq!(ends(graph.get_edges(&lab.ctx())?), [(1, 2), (2, 3)]);
    let refusals = [
        graph.add_vertex(&lab.ctx(), 9, 0.0).map(drop),
        graph.add_edge(&lab.ctx(), 1, 3, 0.0).map(drop),
        graph.set_vertex_weight(&lab.ctx(), 1, 0.0),
        graph.set_edge_property(&lab.ctx(), 1, 2, "a", Bytes::new()),
        graph.remove_edge(&lab.ctx(), 1, 2),
        graph.remove_vertex(&lab.ctx(), 1),
        graph.remove_graph(&lab.ctx()),
    ];
    for refusal in refusals {
        assert_eq!(refused(refusal).0, ErrorKind::ReadOnly);
    }
    assert_eq!(graph.get_vertices(&lab.ctx())?.len(), 4);
    Ok(())
}

#[test]
fn a_merge_has_what_both_sides_did() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.add_vertex(&lab.at(left), 5, 0.0)?;
    graph.add_edge(&lab.at(left), 5, 1, 0.1)?;
    graph.remove_edge(&lab.at(right), 2, 3)?;
    graph.set_vertex_weight(&lab.at(right), 3, 30.0)?;
    graph.set_edge_property(&lab.at(right), 1, 2, "b", Bytes::from("right"))?;
    graph.set_edge_property(&lab.at(left), 1, 2, "a", Bytes::from("left"))?;
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(ends(graph.get_edges(&merged)?), [(1, 2), (1, 5)]);
    assert_eq!(graph.get_vertex(&merged, 3)?.map(|vertex| vertex.weight), Some(30.0));
    let properties = graph.edge_properties(&merged, 1, 2)?;
    assert_eq!(properties, [("a".into(), Bytes::from("left")), ("b".into(), Bytes::from("right"))]);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn conflicts_name_the_element_and_a_write_settles_them() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    for (version, weight, text) in [(left, 10.0, "left"), (right, 20.0, "right")] {
        let ctx = lab.at(version);
        graph.set_vertex_weight(&ctx, 1, weight)?;
        graph.set_edge_weight(&ctx, 2, 1, weight)?;
        graph.set_vertex_property(&ctx, 1, "a", Bytes::from(text))?;
        graph.set_edge_property(&ctx, 1, 2, "a", Bytes::from(text))?;
    }
    let expected = [
        Element::Vertex(1),
        Element::Edge(1, 2),
        Element::VertexProperty(1, "a".into()),
        Element::EdgeProperty(1, 2, "a".into()),
    ];
    assert_eq!(listed(&lab, &[left, right]), expected);
    let version = lab.merge(&[left, right]);
    let merged = lab.at(version);
    assert_eq!(listed(&lab, &[version]), expected);
    let sides = format!("versions: {left}, {right}");
    for (answer, named) in [
        (graph.get_vertex(&merged, 1).map(drop), "vertex: 1"),
        (graph.get_edge(&merged, 2, 1).map(drop), "from: 1, to: 2"),
        (graph.get_vertex_property(&merged, 1, "a").map(drop), "vertex: 1, property: a"),
        (graph.get_edge_property(&merged, 2, 1, "a").map(drop), "from: 1, to: 2, property: a"),
        (graph.get_vertices(&merged).map(drop), "vertex: 1"),
        (graph.get_edges(&merged).map(drop), "from: 1, to: 2"),
        (edges(&graph, &merged).next().unwrap().map(drop), "from: 1, to: 2"),
        (graph.vertex_properties(&merged, 1).map(drop), "vertex: 1, property: a"),
    ] {
        let (kind, text) = refused(answer);
        assert_eq!(kind, ErrorKind::Conflict, "{text}");
        assert!(text.contains(&format!("({named}, {sides})")), "{text}");
    }
    // A visit goes on, and what an edge joins isn't in question.
    let mut seen = Vec::new();
    graph.visit_edges(&merged, engine_api::graph::everything(), &mut |edge| {
        seen.push(match edge {
            Shown::Found(edge) => (edge.from, edge.to, false),
            Shown::Conflict { element, versions } => {
                assert_eq!((element, versions), (Element::Edge(1, 2), vec![left, right]));
                (1, 2, true)
            }
        });
        Ok(Flow::Continue(()))
    })?;
    assert_eq!(seen, [(1, 2, true), (2, 3, false)]);
    assert_eq!(graph.neighbours(&merged, 2, Incident::Both)?, [1, 3]);
    assert_eq!(graph.degree(&merged, 2, Incident::Both)?, 2);
    graph.set_vertex_weight(&merged, 1, 15.0)?;
    assert!(!graph.add_edge(&merged, 1, 2, 15.0)?);
    assert!(graph.remove_vertex_property(&merged, 1, "a")?);
    graph.set_edge_property(&merged, 1, 2, "a", Bytes::from("both"))?;
    assert_eq!(listed(&lab, &[version]), []);
    assert_eq!(graph.get_edge(&merged, 1, 2)?.map(|edge| edge.weight), Some(15.0));
    assert_eq!(graph.edges_of(&merged, 2, Incident::Both)?.len(), 2);
    assert_eq!(graph.vertex_properties(&merged, 1)?, []);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn the_version_layer_settles_both_keys_of_an_edge_alike() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.set_edge_weight(&lab.at(left), 1, 2, 10.0)?;
    graph.set_edge_weight(&lab.at(right), 1, 2, 20.0)?;
    let version = lab.merge(&[left, right]);
    let settled = lab.store.resolve_conflicts(lab.instance, version, &[right], &KeyRange::ALL)?;
    assert_eq!((settled.resolved, settled.left), (2, 0));
    let merged = lab.at(version);
    assert_eq!(graph.get_edge(&merged, 1, 2)?.map(|edge| edge.weight), Some(20.0));
    let edge = Edge { from: 1, to: 2, weight: 20.0 };
    assert_eq!(graph.edges_of(&merged, 2, Incident::Both)?[0], edge);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn one_key_of_an_edge_that_is_settled_alone_is_told() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.set_edge_weight(&lab.at(left), 1, 2, 10.0)?;
    graph.set_edge_weight(&lab.at(right), 1, 2, 20.0)?;
    let version = lab.merge(&[left, right]);
    let mut keys = Vec::new();
    let mut take = |conflict: engine_api::version::Conflict| {
        keys.push(conflict.tkey);
        Ok(Flow::Continue(()))
    };
    lab.store.conflicts(lab.instance, &[version], &KeyRange::ALL, &mut take)?;
    assert_eq!(keys.len(), 2);
    lab.store.resolve_conflict(&lab.at(version), &keys[0], Choice::Version(left))?;
    assert_eq!(lab.faults(&lab.at(version)), [Fault::OneSided(1, 2), Fault::OneSided(1, 2)]);
    graph.set_edge_weight(&lab.at(version), 1, 2, 10.0)?;
    assert_eq!(lab.faults(&lab.at(version)), []);
    Ok(())
}

#[test]
fn an_edge_to_a_vertex_that_the_other_branch_removed_is_not_seen() -> Result<()> {
    for order in [[0, 1], [1, 0]] {
        let (lab, left, right) = branched();
        let graph = lab.graph();
        graph.add_edge(&lab.at(left), 3, 4, 0.9)?;
        graph.set_edge_property(&lab.at(left), 3, 4, "a", Bytes::from("left"))?;
        graph.set_vertex_property(&lab.at(left), 3, "a", Bytes::from("left"))?;
        graph.remove_vertex(&lab.at(right), 3)?;
        let parents = order.map(|at| [left, right][at]);
        let version = lab.merge(&parents);
        let merged = lab.at(version);
        assert_eq!(graph.get_vertex(&merged, 3)?, None);
        assert_eq!(graph.get_edge(&merged, 3, 4)?, None);
        assert_eq!(graph.get_edge_property(&merged, 3, 4, "a")?, None);
        assert_eq!(graph.get_vertex_property(&merged, 3, "a")?, None);
        assert_eq!(ends(graph.get_edges(&merged)?), [(1, 2)]);
        assert!(graph.neighbours(&merged, 4, Incident::Both)?.is_empty());
        assert_eq!(graph.degree(&merged, 4, Incident::Both)?, 0);
        let missing = "there is no such edge (from: 3, to: 4)";
        assert_eq!(refused(graph.set_edge_weight(&merged, 4, 3, 0.0)).1, missing);
        assert_eq!(refused(graph.remove_edge(&merged, 3, 4)).1, missing);
        let faults = [Fault::Orphan(Element::VertexProperty(3, "a".into())), Fault::Dangling(3, 4)];
        assert_eq!(lab.faults(&merged), faults);
        assert!(faults.iter().all(Fault::is_harmless));
        // Nor below the merge.
        let below = lab.at(lab.branch(version, "below"));
        assert_eq!(ends(graph.get_edges(&below)?), [(1, 2)]);
        assert!(graph.add_vertex(&below, 3, 0.0)?);
        assert_eq!(graph.get_edge(&below, 3, 4)?, None, "an edge has come back with its vertex");
        assert_eq!(graph.vertex_properties(&below, 3)?, []);
        assert_eq!(lab.faults(&below), []);
        assert!(graph.add_edge(&below, 4, 3, 1.0)?);
        assert_eq!(graph.get_edge_property(&below, 3, 4, "a")?, None);
        // What is removed takes what is hidden with it.
        let other = lab.at(lab.branch(version, "other"));
        graph.remove_vertex(&other, 4)?;
        assert_eq!(lab.faults(&other), faults[..1]);
    }
    Ok(())
}

#[test]
fn a_weight_that_was_changed_outlives_a_removal() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.set_vertex_weight(&lab.at(left), 1, 10.0)?;
    graph.remove_vertex(&lab.at(right), 1)?;
    graph.set_edge_weight(&lab.at(left), 2, 3, 10.0)?;
    graph.remove_edge(&lab.at(right), 2, 3)?;
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(graph.get_vertex(&merged, 1)?.map(|vertex| vertex.weight), Some(10.0));
    assert_eq!(ends(graph.get_edges(&merged)?), [(2, 3)]);
    assert_eq!(ends(graph.edges_of(&merged, 3, Incident::Both)?), [(2, 3)]);
    assert_eq!(graph.vertex_properties(&merged, 1)?, []);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn a_property_of_a_removed_edge_does_not_come_back_with_it() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.set_edge_property(&lab.at(left), 1, 2, "b", Bytes::from("left"))?;
    graph.remove_edge(&lab.at(right), 1, 2)?;
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(graph.get_edge(&merged, 1, 2)?, None);
    assert_eq!(graph.get_edge_property(&merged, 1, 2, "b")?, None);
    assert_eq!(lab.faults(&merged), [Fault::Orphan(Element::EdgeProperty(1, 2, "b".into()))]);
    assert!(graph.add_edge(&merged, 1, 2, 0.0)?);
    assert_eq!(graph.edge_properties(&merged, 1, 2)?, []);
    assert_eq!(lab.faults(&merged), []);
    Ok(())
}

#[test]
fn a_graph_that_one_branch_removed_does_not_come_back() -> Result<()> {
    let (lab, left, right) = branched();
    let graph = lab.graph();
    graph.add_vertex(&lab.at(left), 9, 0.0)?;
    graph.remove_graph(&lab.at(right))?;
    let merged = lab.at(lab.merge(&[left, right]));
    assert_eq!(graph.graph(&merged)?, None);
    assert_eq!(refused(graph.get_vertices(&merged)).0, ErrorKind::NotFound);
    graph.create_graph(&merged, Kind::Directed)?;
    assert_eq!((graph.get_vertices(&merged)?, lab.faults(&merged)), (vec![], vec![]));
    assert!(graph.add_vertex(&merged, 9, 0.0)?);
    Ok(())
}

#[test]
fn a_graph_that_two_branches_made_is_one_unless_of_two_kinds() -> Result<()> {
    for (other, clash) in [(Kind::Directed, true), (Kind::Undirected, false)] {
        let lab = Lab::new(true);
        let graph = lab.graph();
        let (left, right) = (lab.branch(lab.root, "left"), lab.branch(lab.root, "right"));
        graph.create_graph(&lab.at(left), Kind::Undirected)?;
        graph.add_vertex(&lab.at(left), 1, 0.0)?;
        graph.create_graph(&lab.at(right), other)?;
        graph.add_vertex(&lab.at(right), 2, 0.0)?;
        let merged = lab.at(lab.merge(&[left, right]));
        if clash {
            assert_eq!(refused(graph.graph(&merged)).0, ErrorKind::Conflict);
            assert_eq!(refused(graph.add_vertex(&merged, 3, 0.0)).0, ErrorKind::Conflict);
            graph.remove_graph(&merged)?;
            graph.create_graph(&merged, Kind::Directed)?;
            assert_eq!(graph.get_vertices(&merged)?, []);
        } else {
            assert_eq!(graph.graph(&merged)?, Some(Kind::Undirected));
            assert!(graph.add_edge(&merged, 1, 2, 0.0)?);
            assert_eq!(graph.get_vertices(&merged)?.len(), 2);
            assert_eq!(lab.faults(&merged), []);
        }
    }
    Ok(())
}

#[test]
fn what_a_removal_hides_is_the_same_with_a_view_of_its_keys() -> Result<()> {
    let (lab, left, _) = branched();
    lab.graph().remove_vertex(&lab.at(left), 2)?;
    let keys = lab.store.keys_in_range(&lab.at(left), &KeyRange::ALL)?;
    let names: Vec<_> = keys.iter().map(|key| Element::of_key(key).unwrap().unwrap()).collect();
    let property = Element::VertexProperty(1, "a".into());
    let vertices = [1, 3, 4].map(Element::Vertex);
    assert_eq!(names, [&[Element::Graph][..], &vertices, &[property]].concat());
    Ok(())
}
