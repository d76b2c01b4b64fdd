//! Graphs that go to files and come back the same.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;

use engine_api::version::Versioned;
use engine_api::{Bytes, ErrorKind, MemoryStore, Result};
use graph::{
    CsvOptions, Edge, GraphAt, GraphMl, Item, Kind, VersionedGraph, Vertex, read_csv, write_csv, write_dot,
    write_graphml,
};
use proptest::prelude::*;

type Properties = Vec<(String, Bytes)>;
type Contents = (BTreeMap<u64, (u64, Properties)>, BTreeMap<(u64, u64), (u64, Properties)>);

/// Everything of a graph; weights bit by bit.
fn contents(at: &GraphAt<'_, MemoryStore>) -> Contents {
    let (graph, ctx) = (at.graph(), at.ctx());
    let vertices = graph.get_vertices(ctx).unwrap().into_iter();
    let edges = graph.get_edges(ctx).unwrap().into_iter();
    (
        vertices.map(|v| (v.id, (v.weight.to_bits(), graph.vertex_properties(ctx, v.id).unwrap()))).collect(),
        edges
            .map(|e| {
                ((e.from, e.to), (e.weight.to_bits(), graph.edge_properties(ctx, e.from, e.to).unwrap()))
            })
            .collect(),
    )
}

fn with_graph<T>(kind: Kind, items: &[Item], test: impl FnOnce(&GraphAt<'_, MemoryStore>) -> T) -> T {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let at = VersionedGraph::create(&store, repo.id, "g").unwrap().at(repo.root);
    at.create(kind).unwrap();
    at.graph().load(at.ctx(), items).unwrap();
    test(&at)
}

fn to_csv(at: &GraphAt<'_, MemoryStore>) -> (Vec<u8>, Vec<u8>) {
    let (mut edges, mut vertices) = (Vec::new(), Vec::new());
    write_csv((at.graph(), at.ctx()), &mut edges, Some(&mut vertices), &mut |_| Ok(())).unwrap();
    (edges, vertices)
}

fn from_csv(
    at: &GraphAt<'_, MemoryStore>,
    edges: &[u8],
    vertices: Option<&[u8]>,
    delimiter: u8,
) -> Result<()> {
    let options = CsvOptions { delimiter, ..CsvOptions::default() };
    let (mut edges, mut vertices) = (edges, vertices);
    let vertices = vertices.as_mut().map(|vertices| vertices as &mut dyn std::io::Read);
    read_csv((at.graph(), at.ctx()), &mut edges, vertices, &options, &mut |_| Ok(()))
}

fn to_graphml(at: &GraphAt<'_, MemoryStore>) -> String {
    let mut out = Vec::new();
    write_graphml((at.graph(), at.ctx()), "a <\"graph\"> & \u{1}", &mut out, &mut |_| Ok(())).unwrap();
    String::from_utf8(out).unwrap()
}

fn from_graphml(text: &str) -> Result<Contents> {
    let file = GraphMl::parse(text)?;
    with_graph(file.kind()?, &[], |at| {
        file.load((at.graph(), at.ctx()), 1.0, &mut |_| Ok(()))?;
        Ok(contents(at))
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        any::<String>(),
        prop::sample::select(vec![
            "weight",
            "id",
            " From",
            "properties",
            "",
            "\u{feff}",
            "a\"b,c",
            "#",
            "\r\n\t"
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        any::<String>().prop_map(Bytes::from),
        any::<Vec<u8>>().prop_map(Bytes::from),
        prop::sample::select(vec![
            "",
            "%41",
            "\\n",
            "\"",
            "]]>",
            "\r",
            " a ",
            "#",
            "{\"hex\": \"00\"}",
            "\0"
        ])
        .prop_map(Bytes::from),
    ]
}

fn weight() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(f64::MIN_POSITIVE / 3.0)
    ]
    .prop_filter("no weight", |weight| !weight.is_nan())
}

prop_compose! {
    fn items()(
        vertices in prop::collection::btree_map(prop_oneof![0..9_u64, any::<u64>()], weight(), 1..6),
        edges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), weight()), 0..8),
        properties in prop::collection::vec((any::<prop::sample::Index>(), name(), value()), 0..12),
    ) -> Vec<Item> {
        let ids: Vec<u64> = vertices.keys().copied().collect();
        let mut items: Vec<_> = vertices.into_iter().map(|(id, weight)| Item::Vertex(Vertex { id, weight })).collect();
        for (from, to, weight) in edges {
            items.push(Item::Edge(Edge { from: *from.get(&ids), to: *to.get(&ids), weight }));
        }
        for (of, name, value) in properties {
            match *of.get(&items) {
                Item::Vertex(vertex) => items.push(Item::VertexProperty(vertex.id, name, value)),
                Item::Edge(edge) => items.push(Item::EdgeProperty(edge.from, edge.to, name, value)),
                _ => {}
            }
        }
        items
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_is_written_is_read_as_it_was(items in items(), directed: bool) {
        let kind = if directed { Kind::Directed } else { Kind::Undirected };
        with_graph(kind, &items, |at| {
            let expected = contents(at);
            let (edges, vertices) = to_csv(at);
            let again = with_graph(kind, &[], |again| {
                from_csv(again, &edges, Some(&vertices), b',').unwrap();
                assert_eq!(to_csv(again), (edges.clone(), vertices.clone()));
                contents(again)
            });
            assert_eq!(again, expected);
            let text = to_graphml(at);
            assert_eq!(from_graphml(&text).unwrap(), expected);
            assert_eq!(to_graphml(at), text);
        });
    }

    #[test]
    fn any_text_is_read_without_a_panic(text: String, lines in "(([0-9]{1,3}|[a-z]|\"),?){1,6}(\n([0-9],){1,4})*") {
        with_graph(Kind::Directed, &[], |at| {
            for text in [&text, &lines] {
                let _ = from_csv(at, text.as_bytes(), None, b',');
                let _ = from_csv(at, b"from,to\n", Some(text.as_bytes()), b',');
                let _ = from_graphml(text);
            }
        });
    }
}

#[test]
fn lists_of_edges_that_others_write() {
    let lists: [(&[u8], u8); 4] = [
        (b"# Nodes: 3\n1\t2\n2\t7\n", b'\t'),
        (b"1,2\n2,7,1\n", b'\t'),
        (b"Target,weight,Source\n2,1,1\n7,,2\n", b','),
        (b"\xef\xbb\xbffrom,to\r\n1,2\r\n2,7\r\n", b','),
    ];
    for (at, (list, delimiter)) in lists.into_iter().enumerate() {
        let found = with_graph(Kind::Undirected, &[], |graph| {
            from_csv(graph, list, None, delimiter).map(|()| contents(graph))
        });
        if at == 1 {
            // Commas, read with tabs.
            assert_eq!(found.unwrap_err().kind(), ErrorKind::InvalidArgument);
            continue;
        }
        let (vertices, edges) = found.unwrap();
        assert_eq!(vertices.into_keys().collect::<Vec<_>>(), [1, 2, 7]);
        let one = (1.0_f64.to_bits(), Vec::new());
        assert_eq!(edges, BTreeMap::from([((1, 2), one.clone()), ((2, 7), one)]));
    }
    // What is there already keeps its weight.
    let there = [Item::Vertex(Vertex { id: 1, weight: 9.0 })];
    with_graph(Kind::Undirected, &there, |at| {
        from_csv(at, b"1,2,0.5\n", None, b',').unwrap();
        assert_eq!(at.graph().get_vertex(at.ctx(), 1).unwrap().unwrap().weight.to_bits(), 9.0_f64.to_bits());
    });
}

#[test]
fn tables_that_make_no_sense_name_the_line() {
    let tables: [(&[u8], &str); 6] = [
        (b"1,2\n3,x\n", "2"),
        (b"from,to,weight\n1,2,3\n1,3,NaN\n", "3"),
        (b"1,2\n3\n", "2"),
        (b"1,2\n1,-2\n", "2"),
        (b"from,to,properties\n1,2,\"[1]\"\n", "2"),
        (b"from,to,properties\n1,2,\"{\"\"a\"\": {\"\"hex\"\": \"\"0\"\"}}\"\n", "2"),
    ];
    for (table, line) in tables {
        let refused = with_graph(Kind::Undirected, &[], |at| from_csv(at, table, None, b',')).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.field("line")),
            (ErrorKind::InvalidArgument, Some(line)),
            "{refused:?}"
        );
    }
    let lacks = with_graph(Kind::Undirected, &[], |at| from_csv(at, b"from,end\n", None, b',')).unwrap_err();
    assert_eq!(lacks.field("column"), Some("to"));
}

/// As networkx, igraph and yEd write it.
const OTHERS: &str = r#"<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:y="http://www.yworks.com/xml/graphml">
  <key id="d1" for="edge" attr.name="weight" attr.type="double"><default>2.5</default></key>
  <key id="d0" for="node" attr.name="colour" attr.type="string"><default>grey</default></key>
  <key id="d2" for="node" yfiles.type="nodegraphics"/>
  <graph edgedefault="directed">
    <node id="alice"><data key="d0">red &amp; blue</data></node>
    <node id="7"><data key="d2"><y:ShapeNode>drawn</y:ShapeNode></data></node>
    <edge source="alice" target="7"/>
    <edge source="7" target="alice"><data key="d1">-INF</data></edge>
  </graph>
</graphml>"#;

#[test]
fn graphml_of_others() {
    let (vertices, edges) = from_graphml(OTHERS).unwrap();
    let text = |name: &str, value: &str| (name.to_owned(), Bytes::from(value.to_owned()));
    let one = 1.0_f64.to_bits();
    let expected = [
        (0, (one, vec![text("colour", "red & blue"), text("id", "alice")])),
        (1, (one, vec![text("colour", "grey"), text("id", "7")])),
    ];
    assert_eq!(vertices, BTreeMap::from(expected));
    let expected = [((0, 1), (2.5_f64.to_bits(), vec![])), ((1, 0), (f64::NEG_INFINITY.to_bits(), vec![]))];
    assert_eq!(edges, BTreeMap::from(expected));
}

#[test]
fn graphml_that_is_no_graph_of_ours_is_refused() {
    let edge = "<edge source=\"alice\" target=\"7\"/>";
    let cases = [
        ("<graphml".to_owned(), "XML"),
        ("<svg/>".to_owned(), "isn't GraphML"),
        ("<graphml/>".to_owned(), "one graph"),
        (OTHERS.replace("edgedefault=\"directed\"", ""), "directed"),
        (OTHERS.replace(edge, &format!("{edge}{edge}")), "two edges"),
        (OTHERS.replace(edge, "<edge source=\"alice\" target=\"bob\"/>"), "ends at no node"),
        (OTHERS.replace(edge, "<hyperedge/>"), "edges alone"),
        (OTHERS.replace(edge, "<edge source=\"alice\" target=\"7\" directed=\"false\"/>"), "differs"),
        (OTHERS.replace("<node id=\"7\">", "<node id=\"alice\">"), "one id"),
        (OTHERS.replace("-INF", "much"), "isn't a number"),
        (OTHERS.replace("key=\"d2\"", "key=\"d9\""), "of no key"),
    ];
    for (text, words) in cases {
        let refused = from_graphml(&text).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert!(refused.message().contains(words), "{refused:?}");
    }
}

#[test]
fn dot_is_quoted() {
    let items = [
        Item::Vertex(Vertex { id: 5, weight: 1.5 }),
        Item::VertexProperty(5, "a \"b\"".to_owned(), Bytes::from("back\\slash\nline")),
        Item::VertexProperty(5, "z".to_owned(), Bytes::from_static(b"\xff\0")),
        Item::Edge(Edge { from: 5, to: 5, weight: f64::INFINITY }),
    ];
    let dot = with_graph(Kind::Directed, &items, |at| {
        let mut out = Vec::new();
        write_dot((at.graph(), at.ctx()), "g\"", &mut out, &mut |_| Ok(())).unwrap();
        String::from_utf8(out).unwrap()
    });
    let expected = r#"digraph "g\"" {
  5 [weight=1.5, "a \"b\""="back\\slash
line", "z"="\\xff\\x00"];
  5 -> 5 [weight="inf"];
}
"#;
    assert_eq!(dot, expected);
}
