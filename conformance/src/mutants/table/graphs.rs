//! Stores whose own graphs are wrong: DVID's defects first.

use crate::mutants::Mutant;
use crate::mutants::flaw::Flaw;
use crate::mutants::graph::GraphFlaw;

const fn graph(
    name: &'static str,
    flaw: GraphFlaw,
    wrong: &'static str,
    cases: &'static [&'static str],
) -> Mutant {
    Mutant::new(name, Flaw::Graph(flaw), wrong, cases)
}

pub(super) const MUTANTS: &[Mutant] = &[
    graph(
        "graph-adding-a-vertex-wipes-edges",
        GraphFlaw::AddingAVertexWipesEdges,
        "To add a vertex that is there wipes its list of neighbours.",
        &["graph.adding-a-vertex-again-keeps-its-edges"],
    ),
    graph(
        "graph-adding-a-vertex-wipes-properties",
        GraphFlaw::AddingAVertexWipesProperties,
        "To add a vertex that is there wipes its properties.",
        &["graph.adding-a-vertex-again-keeps-its-properties"],
    ),
    graph(
        "graph-adding-an-edge-wipes-properties",
        GraphFlaw::AddingAnEdgeWipesProperties,
        "To add an edge that is there wipes its properties.",
        &["graph.adding-an-edge-again-keeps-its-properties"],
    ),
    graph(
        "graph-removes-first-neighbours",
        GraphFlaw::RemovesFirstNeighbours,
        "To remove an edge that isn't there removes the first neighbour of each end.",
        &["graph.removing-an-edge-that-is-not-there-changes-nothing"],
    ),
    graph(
        "graph-removes-backwards-too-much",
        GraphFlaw::RemovesBackwardsTooMuch,
        "To remove an edge, its higher end first, removes other edges' properties.",
        &["graph.removing-an-edge-named-backwards-leaves-others"],
    ),
    graph(
        "graph-removes-next-too",
        GraphFlaw::RemovesNextToo,
        "To remove an edge removes the properties of the one behind it.",
        &["graph.removing-an-edge-leaves-the-next-one"],
    ),
    graph(
        "graph-silent-about-vertices",
        GraphFlaw::SilentAboutVertices,
        "To change a vertex that isn't there does nothing, and succeeds.",
        &["graph.changing-a-vertex-that-is-not-there-is-refused"],
    ),
    graph(
        "graph-silent-about-edges",
        GraphFlaw::SilentAboutEdges,
        "To change an edge that isn't there does nothing, and succeeds.",
        &["graph.changing-an-edge-that-is-not-there-is-refused"],
    ),
    graph(
        "graph-missing-is-an-error",
        GraphFlaw::MissingIsAnError,
        "To read a vertex or an edge that isn't there is an error.",
        &["graph.reads-of-what-is-not-there-are-none"],
    ),
    graph(
        "graph-leaves-properties-of-vertices",
        GraphFlaw::LeavesPropertiesOfVertices,
        "A vertex that is removed leaves its properties.",
        &["graph.removed-vertex-takes-its-properties"],
    ),
    graph(
        "graph-reads-properties-by-prefix",
        GraphFlaw::ReadsPropertiesByPrefix,
        "A property is read as the first whose name begins with its own.",
        &["graph.names-of-properties-are-told-apart"],
    ),
    graph(
        "graph-cuts-names",
        GraphFlaw::CutsNames,
        "The characters of a property's name are cut to bytes.",
        &["graph.names-of-properties-are-any-text"],
    ),
    graph(
        "graph-loses-neighbours",
        GraphFlaw::LosesNeighbours,
        "A list of neighbours is read, added to and written back without a lock.",
        &["graph.edges-added-at-once-to-one-vertex-lose-nothing"],
    ),
    graph(
        "graph-loses-properties",
        GraphFlaw::LosesProperties,
        "A vertex is read, given a property and written back without a lock.",
        &["graph.properties-set-at-once-lose-nothing"],
    ),
    graph(
        "graph-making-is-nothing",
        GraphFlaw::MakingIsNothing,
        "To make a graph does nothing; it is there when it is used.",
        &["graph.made-once-and-empty", "graph.without-a-graph-everything-is-refused"],
    ),
    graph(
        "graph-leaves-properties-of-graphs",
        GraphFlaw::LeavesPropertiesOfGraphs,
        "A graph that is removed leaves the properties of its vertices.",
        &["graph.removed-graph-leaves-nothing"],
    ),
    graph(
        "graph-one-for-all",
        GraphFlaw::OneGraphForAll,
        "All data instances share one graph.",
        &["graph.instances-are-apart"],
    ),
    graph(
        "graph-load-passes-over",
        GraphFlaw::LoadPassesOver,
        "What can't be loaded is passed over.",
        &["graph.load-is-what-adding-is"],
    ),
    graph(
        "graph-cuts-numbers",
        GraphFlaw::CutsNumbers,
        "A vertex's number is cut to 32 bits.",
        &["graph.vertices-of-any-number", "graph.vertices-and-edges-come-in-order"],
    ),
    graph(
        "graph-rounds-weights",
        GraphFlaw::RoundsWeights,
        "Weights are kept in 32 bits.",
        &["graph.weights-come-back-bit-by-bit", "graph.specifications-example"],
    ),
    graph("graph-accepts-nan", GraphFlaw::AcceptsNan, "A weight may be NaN.", &["graph.nan-is-refused"]),
    graph(
        "graph-leaves-edges-of-vertices",
        GraphFlaw::LeavesEdgesOfVertices,
        "A vertex that is removed leaves its edges.",
        &["graph.removed-vertex-takes-its-edges", "graph.removed-vertex-has-many-edges"],
    ),
    graph(
        "graph-edges-make-their-ends",
        GraphFlaw::EdgesMakeTheirEnds,
        "An edge makes the vertices that it lacks.",
        &["graph.edge-needs-both-of-its-ends"],
    ),
    graph(
        "graph-forgets-order",
        GraphFlaw::ForgetsOrder,
        "An edge is read in one order of its ends alone.",
        &["graph.ends-in-either-order", "graph.specifications-example"],
    ),
    graph(
        "graph-leaves-one-end",
        GraphFlaw::LeavesOneEnd,
        "An edge that is removed is still found from where it ends.",
        &["graph.removed-edge-is-gone-from-both-ends"],
    ),
    graph(
        "graph-counts-loops-twice",
        GraphFlaw::CountsLoopsTwice,
        "A loop is found twice.",
        &["graph.loops-are-edges"],
    ),
    graph(
        "graph-forgets-directions",
        GraphFlaw::ForgetsDirections,
        "A graph with directions is made without.",
        &["graph.directions-tell-edges-apart", "graph.made-once-and-empty"],
    ),
    graph(
        "graph-answers-in-for-out",
        GraphFlaw::AnswersInForOut,
        "Edges that begin at a vertex are taken for those that end at it.",
        &["graph.neighbours-and-degrees"],
    ),
    graph(
        "graph-empty-property-is-none",
        GraphFlaw::EmptyPropertyIsNone,
        "A property with an empty value reads as absent.",
        &["graph.property-values-are-any-bytes"],
    ),
    graph(
        "graph-shares-properties",
        GraphFlaw::SharesProperties,
        "Vertices whose numbers are longer than a byte share their properties.",
        &["graph.properties-belong-to-their-element"],
    ),
    graph(
        "graph-claims-to-remove-properties",
        GraphFlaw::ClaimsToRemoveProperties,
        "To remove a property that isn't there is said to have removed it.",
        &["graph.removing-a-property-tells-whether-it-was-there"],
    ),
    graph(
        "graph-orders-by-the-end",
        GraphFlaw::OrdersByTheEnd,
        "Edges come by where they end.",
        &["graph.vertices-and-edges-come-in-order"],
    ),
    graph(
        "graph-includes-the-end",
        GraphFlaw::IncludesTheEnd,
        "A visit includes the end that it should exclude.",
        &["graph.visits-keep-to-their-bounds"],
    ),
    graph(
        "graph-visits-to-the-end",
        GraphFlaw::VisitsToTheEnd,
        "A visit goes on after it was broken off.",
        &["graph.visits-end-when-they-are-told", "graph.pages-and-iterators-go-on-where-they-were"],
    ),
    graph(
        "graph-orders-weights-by-bits",
        GraphFlaw::OrdersWeightsByBits,
        "A range of weights is one of their bits.",
        &["graph.edges-in-a-range-of-weights"],
    ),
    graph(
        "graph-adds-edges-in-two-steps",
        GraphFlaw::AddsEdgesInTwoSteps,
        "An edge is added in another step than the one that looks for its ends.",
        &["graph.edge-against-the-removal-of-its-vertex", "graph.of-many-adders-one-made-it"],
    ),
    graph(
        "graph-removes-bit-by-bit",
        GraphFlaw::RemovesBitByBit,
        "A vertex's edges are removed a few at a time, for everybody to see.",
        &["graph.readers-see-no-edge-without-its-ends"],
    ),
];
