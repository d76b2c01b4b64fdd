//! Graphs as GraphML, read.

use std::collections::{HashMap, HashSet};

use engine_api::graph::{Edge, Graph, Item, Kind, Vertex, VertexId};
use engine_api::key::Context;
use engine_api::{Bytes, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use crate::graphml_write::ENCODED;
use crate::loader::{Loader, Watch};
use crate::text::weight;

/// The property that keeps what a node is called where not all are numbers.
const NAME: &str = "id";

/// A file of GraphML.
#[derive(Debug)]
pub struct GraphMl<'t> {
    document: Document<'t>,
}

/// What a key means.
struct Key {
    name: String,
    encoded: bool,
    is_weight: bool,
    default: Option<String>,
    /// What it is for: `node`, `edge` or `all`, for one.
    of: String,
}

impl<'t> GraphMl<'t> {
    /// Parses a file; it is in memory with all that it says.
    ///
    /// # Errors
    /// `InvalidArgument` for what isn't GraphML with one graph in it.
    pub fn parse(text: &'t str) -> Result<Self> {
        let document = Document::parse(text).map_err(|error| bad("the file isn't XML").caused_by(error))?;
        let file = Self { document };
        if file.document.root_element().tag_name().name() != "graphml" {
            return Err(bad("the file isn't GraphML"));
        }
        file.graph()?;
        Ok(file)
    }

    fn graph(&self) -> Result<Node<'_, 't>> {
        let mut graphs = children(self.document.root_element(), "graph");
        match (graphs.next(), graphs.next()) {
            (Some(graph), None) => Ok(graph),
            _ => Err(bad("a file of GraphML has one graph here, no more and no less")),
        }
    }

    /// Whether edges have a direction.
    ///
    /// # Errors
    /// `InvalidArgument` when the file doesn't say.
    pub fn kind(&self) -> Result<Kind> {
        match self.graph()?.attribute("edgedefault") {
            Some("undirected") => Ok(Kind::Undirected),
            Some("directed") => Ok(Kind::Directed),
            _ => Err(bad("the graph doesn't say whether its edges are directed")),
        }
    }

    /// Adds to a graph what the file says. Nodes whose names are all numbers, with an `n` before them or without, get those; others are
    /// numbered from 0, and their names become the property `id`. Other data become properties.
    ///
    /// # Errors
    /// `InvalidArgument` for two edges between the same vertices, edges of the other kind, and graphs within nodes.
    pub fn load(
        &self,
        (graph, ctx): (&dyn Graph, &dyn Context),
        default_weight: f64,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let root = self.graph()?;
        let kind = self.kind()?;
        let keys = self.keys()?;
        for inner in ["hyperedge", "graph", "port"] {
            if root.descendants().skip(1).any(|node| node.has_tag_name_of(inner)) {
                return Err(bad("graphs have vertices and edges alone here").with("element", inner));
            }
        }
        let (ids, named) = numbers(root)?;
        let mut loader = Loader::new(graph, ctx);
        for node in children(root, "node") {
            let name = node.attribute("id").unwrap_or_default();
            let id = ids[name];
            let (weight, properties) = data(node, &keys)?;
            loader.push(Item::Vertex(Vertex { id, weight: weight.unwrap_or(default_weight) }), watch)?;
            if named {
                loader.push(Item::VertexProperty(id, NAME.to_owned(), name.to_owned().into()), watch)?;
            }
            for (name, value) in properties {
                loader.push(Item::VertexProperty(id, name, value), watch)?;
            }
        }
        let mut seen = HashSet::new();
        for edge in children(root, "edge") {
            let end = |which| {
                let name = edge.attribute(which).unwrap_or_default();
                ids.get(name).copied().ok_or_else(|| bad("an edge ends at no node").with(which, name))
            };
            let (from, to) = kind.ends(end("source")?, end("target")?);
            let other = match kind {
                Kind::Undirected => "true",
                Kind::Directed => "false",
            };
            if edge.attribute("directed") == Some(other) {
                return Err(bad("an edge differs from the graph in whether it is directed")
                    .with("from", from)
                    .with("to", to));
            }
            if !seen.insert((from, to)) {
                return Err(bad("there are two edges between the same vertices")
                    .with("from", from)
                    .with("to", to));
            }
            let (weight, properties) = data(edge, &keys)?;
            loader.push(Item::Edge(Edge { from, to, weight: weight.unwrap_or(default_weight) }), watch)?;
            for (name, value) in properties {
                loader.push(Item::EdgeProperty(from, to, name, value), watch)?;
            }
        }
        loader.flush(watch)
    }

    fn keys(&self) -> Result<HashMap<&str, Key>> {
        let mut keys = HashMap::new();
        for key in children(self.document.root_element(), "key") {
            let id = key.attribute("id").ok_or_else(|| bad("a key has no id"))?;
            let text = |tag| children(key, tag).next().map(|node| node.text().unwrap_or_default().to_owned());
            let encoded = text("desc").as_deref() == Some(ENCODED);
            let name = key.attribute("attr.name").unwrap_or(id);
            let of = key.attribute("for").unwrap_or("all");
            let meaning = Key {
                name: if encoded { decoded_name(name)? } else { name.to_owned() },
                encoded,
                is_weight: !encoded && name == "weight",
                default: text("default"),
                of: of.to_owned(),
            };
            keys.insert(id, meaning);
        }
        Ok(keys)
    }
}

/// The numbers of the nodes, and whether they were given here.
fn numbers<'a>(root: Node<'a, '_>) -> Result<(HashMap<&'a str, VertexId>, bool)> {
    let mut own = HashMap::new();
    let mut taken = HashSet::new();
    let mut all_numbers = true;
    for (node, order) in children(root, "node").zip(0..) {
        let name = node.attribute("id").ok_or_else(|| bad("a node has no id"))?;
        let number = name.strip_prefix('n').unwrap_or(name).parse::<u64>().ok();
        all_numbers &= number.is_some_and(|number| taken.insert(number));
        if own.insert(name, (order, number)).is_some() {
            return Err(bad("two nodes have one id").with("id", name));
        }
    }
    let chosen = own.into_iter().map(|(name, (order, number))| match number {
        Some(number) if all_numbers => (name, number),
        _ => (name, order),
    });
    Ok((chosen.collect(), !all_numbers))
}

type Data = (Option<f64>, Vec<(String, Bytes)>);

fn data(element: Node<'_, '_>, keys: &HashMap<&str, Key>) -> Result<Data> {
    let mut found = (None, Vec::new());
    let mut given = HashSet::new();
    for data in children(element, "data") {
        let id = data.attribute("key").unwrap_or_default();
        let key = keys.get(id).ok_or_else(|| bad("data is of no key").with("key", id))?;
        given.insert(id);
        // Programs that draw keep elements of their own there, which are none of ours.
        if data.children().any(|child| child.is_element()) {
            continue;
        }
        take(&mut found, key, data.text().unwrap_or_default())?;
    }
    let mut defaults: Vec<_> = keys.iter().filter(|(id, _)| !given.contains(*id)).collect();
    defaults.sort_unstable_by_key(|(id, _)| **id);
    for (_, key) in defaults {
        if let Some(value) = &key.default
            && (key.of == "all" || key.of == element.tag_name().name())
        {
            take(&mut found, key, value)?;
        }
    }
    Ok(found)
}

fn take(found: &mut Data, key: &Key, value: &str) -> Result<()> {
    if key.is_weight {
        found.0 = Some(weight(value)?);
    } else if key.encoded {
        found.1.push((key.name.clone(), percent_decode_str(value).collect::<Vec<u8>>().into()));
    } else {
        found.1.push((key.name.clone(), value.to_owned().into()));
    }
    Ok(())
}

fn decoded_name(name: &str) -> Result<String> {
    let decoded = percent_decode_str(name).decode_utf8();
    decoded.map(Into::into).map_err(|error| bad("the name of a key isn't UTF-8").caused_by(error))
}

fn children<'a, 't>(node: Node<'a, 't>, tag: &'static str) -> impl Iterator<Item = Node<'a, 't>> {
    node.children().filter(move |child| child.has_tag_name_of(tag))
}

trait TagName {
    /// Whether an element is called so, in whichever namespace.
    fn has_tag_name_of(&self, tag: &str) -> bool;
}

impl TagName for Node<'_, '_> {
    fn has_tag_name_of(&self, tag: &str) -> bool {
        self.is_element() && self.tag_name().name() == tag
    }
}

#[cold]
fn bad(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}
