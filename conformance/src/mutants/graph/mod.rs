//! A store with graphs of its own, in maps, which are wrong in one way: in each of those in which DVID's are, and some more.

mod native;
mod operations;
mod state;

pub(super) use native::NativeGraph;

/// A way in which graphs are wrong. What each does is where it is matched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mutants) enum GraphFlaw {
    None,
    AcceptsNan,
    AddingAnEdgeWipesProperties,
    AddingAVertexWipesEdges,
    AddingAVertexWipesProperties,
    AddsEdgesInTwoSteps,
    AnswersInForOut,
    ClaimsToRemoveProperties,
    CountsLoopsTwice,
    CutsNames,
    CutsNumbers,
    EdgesMakeTheirEnds,
    EmptyPropertyIsNone,
    ForgetsDirections,
    ForgetsOrder,
    IncludesTheEnd,
    LeavesEdgesOfVertices,
    LeavesOneEnd,
    LeavesPropertiesOfGraphs,
    LeavesPropertiesOfVertices,
    LoadPassesOver,
    LosesNeighbours,
    LosesProperties,
    MakingIsNothing,
    MissingIsAnError,
    OneGraphForAll,
    OrdersByTheEnd,
    OrdersWeightsByBits,
    ReadsPropertiesByPrefix,
    RemovesBackwardsTooMuch,
    RemovesBitByBit,
    RemovesFirstNeighbours,
    RemovesNextToo,
    RoundsWeights,
    SharesProperties,
    SilentAboutEdges,
    SilentAboutVertices,
    VisitsToTheEnd,
}
