//! Vertices, edges and properties by name: as keys in conflict are listed, and chosen between.

use engine_api::key::{DataContext, TKey, VersionId};
use engine_api::version::{Choice, Instance};
use engine_api::{Bytes, Error, ErrorKind, Result};
use graph::{Element, Graph, VersionedGraph, element_of};

use crate::cli::store::AnyStore;

/// A key of a graph as people read it; `None` for one that says nothing that another doesn't say.
pub(crate) fn describe_key(tkey: &TKey) -> Result<Option<String>> {
    Ok(element_of(tkey)?.map(|element| element.to_string()))
}

/// A value of a graph as people read it: a weight as a number, a property as it is.
pub(crate) fn show_value(tkey: &TKey, value: &Bytes) -> Result<Option<Bytes>> {
    Ok(match element_of(tkey)? {
        Some(Element::Vertex(_) | Element::Edge(..)) => {
            let weight = value.as_ref().try_into().map(f64::from_be_bytes).ok();
            weight.map(|weight| weight.to_string().into())
        }
        Some(Element::VertexProperty(..) | Element::EdgeProperty(..)) => Some(value.clone()),
        _ => None,
    })
}

/// `vertex 5`, `edge 5 11`, `property "name" of vertex 5`, and so of an edge: what conflicts are listed by.
fn parse(text: &str) -> Result<Element> {
    let malformed = || {
        let message = "name a part of a graph as `kvdag conflicts` does: vertex 5, edge 5 11, property \"a\" of vertex 5";
        Error::new(ErrorKind::InvalidArgument, message).with("key", text)
    };
    let number = |word: &str| word.parse::<u64>().map_err(|_| malformed());
    let of = |text: &str| match text.split_whitespace().collect::<Vec<_>>()[..] {
        ["vertex", id] => Ok(Element::Vertex(number(id)?)),
        ["edge", from, to] => Ok(Element::Edge(number(from)?, number(to)?)),
        _ => Err(malformed()),
    };
    let Some(property) = text.trim().strip_prefix("property ") else { return of(text) };
    let (name, owner) = property.rsplit_once(" of ").ok_or_else(malformed)?;
    let name = name.trim();
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let name = match quoted {
        Some(quoted) => unquoted(quoted).ok_or_else(malformed)?,
        None => name.to_owned(),
    };
    Ok(match of(owner)? {
        Element::Edge(from, to) => Element::EdgeProperty(from, to, name),
        Element::Vertex(id) => Element::VertexProperty(id, name),
        _ => return Err(malformed()),
    })
}

/// A name without the backslashes that its listing put there.
fn unquoted(quoted: &str) -> Option<String> {
    let mut name = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            name.push(character);
            continue;
        }
        name.push(match characters.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '0' => '\0',
            'u' => {
                let rest = characters.as_str().strip_prefix('{')?;
                let (digits, behind) = rest.split_once('}')?;
                characters = behind.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(name)
}

/// Chooses for a part of a graph that is in conflict.
///
/// # Errors
/// `NotFound` when it isn't in conflict; `InvalidArgument` for a weight that is no number.
pub(crate) fn resolve(
    store: &AnyStore,
    instance: &Instance,
    at: VersionId,
    key: &str,
    choice: Choice,
) -> Result<()> {
    let element = parse(key)?;
    let there = VersionedGraph::open(store, &instance.name)?.at(at);
    let (graph, ctx) = (there.graph(), there.ctx());
    let mut found = false;
    super::super::conflicts::each_conflict(store, instance, &[at], &mut |conflict| {
        found |= element_of(&conflict.tkey)?.as_ref() == Some(&element);
        Ok(())
    })?;
    if !found {
        return Err(Error::new(ErrorKind::NotFound, "it isn't in conflict at this version").with("key", key));
    }
    // What is to be, read at the side that was chosen.
    let value = match choice {
        Choice::Version(side) => read(graph, &DataContext::versioned(instance.id, side), &element)?,
        Choice::Value(value) => Some(value),
        Choice::Delete => None,
    };
    let weight = || -> Result<Option<f64>> {
        let Some(value) = &value else { return Ok(None) };
        let text = std::str::from_utf8(value).unwrap_or_default();
        let weight = text
            .trim()
            .parse()
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, "a weight is a number").with("value", text));
        weight.map(Some)
    };
    match &element {
        Element::Vertex(id) => match weight()? {
            Some(weight) => graph.set_vertex_weight(ctx, *id, weight),
            None => graph.remove_vertex(ctx, *id),
        },
        Element::Edge(from, to) => match weight()? {
            Some(weight) => graph.set_edge_weight(ctx, *from, *to, weight),
            None => graph.remove_edge(ctx, *from, *to),
        },
        Element::VertexProperty(id, name) => match value {
            Some(value) => graph.set_vertex_property(ctx, *id, name, value),
            None => graph.remove_vertex_property(ctx, *id, name).map(drop),
        },
        Element::EdgeProperty(from, to, name) => match value {
            Some(value) => graph.set_edge_property(ctx, *from, *to, name, value),
            None => graph.remove_edge_property(ctx, *from, *to, name).map(drop),
        },
        Element::Graph => Err(Element::Graph.missing()),
    }
}

/// What a side has of an element: a weight as text.
fn read(graph: &dyn Graph, ctx: &DataContext, element: &Element) -> Result<Option<Bytes>> {
    let text = |weight: f64| Bytes::from(weight.to_string());
    match element {
        Element::Vertex(id) => Ok(graph.get_vertex(ctx, *id)?.map(|vertex| text(vertex.weight))),
        Element::Edge(from, to) => Ok(graph.get_edge(ctx, *from, *to)?.map(|edge| text(edge.weight))),
        Element::VertexProperty(id, name) => graph.get_vertex_property(ctx, *id, name),
        Element::EdgeProperty(from, to, name) => graph.get_edge_property(ctx, *from, *to, name),
        Element::Graph => Ok(None),
    }
}
