//! What the examples say.
#![allow(clippy::unwrap_used, dead_code, reason = "a test that can't go on has failed; examples have a main")]

#[path = "../examples/components.rs"]
mod components;
#[path = "../examples/region_adjacency.rs"]
mod region_adjacency;
#[path = "../examples/shortest_path.rs"]
mod shortest_path;

#[test]
fn components_of_a_graph_on_two_branches() {
    let said = components::story().unwrap();
    assert_eq!(said, "main: 2 components, cycles: false\ndraft: 1 components, cycles: true");
}

#[test]
fn the_shortest_way_through_a_city() {
    let said = shortest_path::story().unwrap();
    // Two blocks down to the fast road, twenty along it, three more down.
    assert_eq!(said, "15 minutes over 25 streets; looked at less than 2000: true");
}

#[test]
fn nuclei_that_touch_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.png");
    let said = region_adjacency::story(&file).unwrap();
    assert_eq!(said, "51 nuclei, 41 pairs of them touch");
    let picture = std::fs::File::open(&file).unwrap();
    let info = png::Decoder::new(std::io::BufReader::new(picture)).read_info().unwrap();
    assert_eq!((info.info().width, info.info().height), (570, 610));
}
