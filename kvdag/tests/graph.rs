//! Graphs, by the command.
#![cfg(all(feature = "cli", feature = "graph", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{fail, pages, succeed, testdata};
use serde_json::{Value, json};
use tempfile::tempdir;

fn import_nuclei(at: &Path) {
    let image = testdata("nuclei_labels.tif");
    succeed(
        at,
        &[
            "volume", "import", "c.redb", &image, "--name", "nuclei", "--labels", "--scales", "--chunk",
            "8,16,16",
        ],
    );
    succeed(at, &["graph", "import", "c.redb", "--volume", "nuclei", "--name", "touching"]);
}

fn json_of(at: &Path, arguments: &[&str]) -> Value {
    succeed(at, &[arguments, &["--format", "json"]].concat()).json()
}

#[test]
fn regions_that_touch_become_a_graph_and_files() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    import_nuclei(at);
    let info = json_of(at, &["graph", "info", "c.redb", "touching"]);
    assert_eq!((&info["kind"], &info["vertices"]), (&"undirected".into(), &51.into()));
    let edges = info["edges"].as_u64().unwrap();
    assert!(edges > 10);

    // What is exported comes back the same, and is exported the same again.
    let export = |name: &str, tag: &str| {
        let (graphml, csv, vertices) =
            (format!("{tag}.graphml"), format!("{tag}.csv"), format!("{tag}.v.csv"));
        succeed(at, &["graph", "export", "c.redb", name, &graphml]);
        succeed(at, &["graph", "export", "c.redb", name, &csv, "--vertices", &vertices]);
        succeed(at, &["graph", "export", "c.redb", name, &format!("{tag}.dot")]);
        [graphml, csv, vertices].map(|file| fs::read_to_string(at.join(file)).unwrap())
    };
    let [graphml, csv, vertices] = export("touching", "a");
    assert_eq!(csv.lines().count() as u64, edges + 1);
    assert!(vertices.starts_with("id,weight,centroid\n") && vertices.lines().count() == 52);
    succeed(at, &["graph", "import", "c.redb", "a.graphml", "--name", "b"]);
    succeed(at, &["graph", "import", "c.redb", "a.csv", "--vertices", "a.v.csv", "--name", "c"]);
    for name in ["b", "c"] {
        let again = export(name, name);
        assert_eq!(again[0].replace(&format!("id=\"{name}\""), "id=\"touching\""), graphml);
        assert_eq!(again[1..], [csv.clone(), vertices.clone()]);
    }
    let dot = fs::read_to_string(at.join("a.dot")).unwrap();
    assert_eq!(dot.lines().filter(|line| line.contains(" -- ")).count() as u64, edges);

    // A coarser scale, a part, and no background.
    let counts = |name: &str, more: &[&str]| {
        let import = ["graph", "import", "c.redb", "--volume", "nuclei", "--name", name];
        json_of(at, &[&import, more].concat())["vertices"].as_u64().unwrap()
    };
    assert_eq!(counts("all", &["--background", "none", "--memory", "1"]), 52);
    assert!(counts("coarse", &["--scale", "1"]) <= 51);
    assert!(counts("part", &["--region", "0:8,0:30,0:30"]) < 51);
    let import = ["graph", "import", "c.redb", "--volume", "nuclei"];
    fail(at, &[&import[..], &["--name", "touching"]].concat(), 4, "of this name");
    fail(at, &[&import[..], &["--scale", "9"]].concat(), 2, "scale");
    fail(at, &[&import[..], &["--background", "x"]].concat(), 2, "background");
    fail(at, &["graph", "import", "c.redb", "--volume", "none"], 3, "none");
    // What failed has left nothing.
    fail(at, &["graph", "info", "c.redb", "nuclei-regions"], 3, "nuclei-regions");
}

#[test]
fn a_graph_is_looked_at_and_edited() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("roads.csv"), "from,to,weight,name\n1,2,3,\"a \"\"b\"\"\"\n2,3,4,\n1,3,9,\n7,8,1,\n")
        .unwrap();
    let imported = succeed(at, &["graph", "import", "g.redb", "roads.csv"]);
    assert!(imported.out.contains("undirected, 5 vertices, 4 edges"), "{}", imported.out);
    let path = json_of(at, &["graph", "path", "g.redb", "roads", "1", "3"]);
    assert_eq!(path, json!({ "cost": 7.0, "vertices": [1, 2, 3] }));
    assert_eq!(succeed(at, &["graph", "path", "g.redb", "roads", "1", "3", "--hops"]).out, "1 3\ncost 1\n");
    fail(at, &["graph", "path", "g.redb", "roads", "1", "8"], 3, "no way");
    let components = json_of(at, &["graph", "components", "g.redb", "roads"]);
    assert_eq!(components, json!({ "count": 2, "components": [[1, 2, 3], [7, 8]] }));
    let strong = json_of(at, &["graph", "components", "g.redb", "roads", "--strong", "--limit", "1"]);
    assert_eq!(strong, json!({ "count": 2, "components": [[1, 2, 3]] }));
    fail(at, &["graph", "components", "g.redb", "roads", "--memory", "0"], 4, "more memory");

    let neighbors = json_of(at, &["graph", "neighbors", "g.redb", "roads", "3"]);
    assert_eq!(
        neighbors["edges"],
        json!([{ "ends": [1, 3], "weight": 9.0 }, { "ends": [2, 3], "weight": 4.0 }])
    );
    fail(at, &["graph", "neighbours", "g.redb", "roads", "4"], 3, "no such vertex");
    let page = succeed(at, &["graph", "ls", "g.redb", "roads", "--limit", "2"]);
    assert_eq!(page.out, "1  1\n2  1\nthere are more: --after 2\n");
    let page = json_of(at, &["graph", "ls", "g.redb", "roads", "--after", "2"]);
    assert_eq!((page["elements"].as_array().unwrap().len(), &page["next"]), (3, &Value::Null));
    let page = json_of(at, &["graph", "ls", "g.redb", "roads", "--edges", "--after", "1,2", "--limit", "2"]);
    assert_eq!(page["next"], "2,3");
    fail(at, &["graph", "ls", "g.redb", "roads", "--edges", "--after", "1"], 2, "FROM,TO");
    let shown = json_of(at, &["graph", "show", "g.redb", "roads", "2", "1"]);
    assert_eq!(shown["properties"], json!([{ "name": "name", "value": "a \"b\"", "escaped": false }]));

    let set = ["graph", "set", "g.redb", "roads"];
    succeed(at, &[&set[..], &["9", "--property", "name=x=y"]].concat());
    succeed(at, &[&set[..], &["3", "9", "--weight", "-2.5"]].concat());
    succeed(at, &[&set[..], &["3", "9", "--property", "kind=ferry"]].concat());
    let shown = json_of(at, &["graph", "show", "g.redb", "roads", "9", "3"]);
    assert_eq!((&shown["weight"], &shown["properties"][0]["value"]), (&json!(-2.5), &"ferry".into()));
    fail(at, &["graph", "path", "g.redb", "roads", "1", "9"], 2, "negative");
    fail(at, &[&set[..], &["3", "10"]].concat(), 3, "no such vertex");
    fail(at, &[&set[..], &["3", "--weight", "NaN"]].concat(), 2, "NaN");
    fail(at, &[&set[..], &["3", "--property", "x"]].concat(), 2, "NAME=VALUE");
    let stats = json_of(at, &["graph", "stats", "g.redb", "roads"]);
    assert_eq!(
        (&stats["edges"], &stats["components"], &stats["degree"]["most"]),
        (&5.into(), &2.into(), &3.0.into())
    );

    let rm = ["graph", "rm", "g.redb", "roads"];
    succeed(at, &[&rm[..], &["9", "--property", "name"]].concat());
    fail(at, &[&rm[..], &["9", "--property", "name"]].concat(), 3, "no such property");
    succeed(at, &[&rm[..], &["3"]].concat());
    succeed(at, &[&rm[..], &["8", "7"]].concat());
    fail(at, &[&rm[..], &["8", "7"]].concat(), 3, "no such edge");
    assert!(succeed(at, &["graph", "info", "g.redb", "roads"]).out.contains("5 vertices, 1 edges"));
    succeed(at, &["graph", "check", "g.redb", "roads"]);
    fail(at, &["graph", "import", "g.redb", "roads.csv"], 4, "of this name");
    fail(at, &["graph", "import", "g.redb", "roads.csv", "--add", "--directed"], 2, "other kind");
    succeed(at, &["graph", "import", "g.redb", "roads.csv", "--add"]);
    assert!(succeed(at, &["graph", "info", "g.redb", "roads"]).out.contains("6 vertices, 4 edges"));
    succeed(at, &rm);
    fail(at, &["graph", "info", "g.redb", "roads"], 3, "no graph");
    succeed(at, &["graph", "create", "g.redb", "roads", "--directed"]);
    assert!(succeed(at, &["graph", "info", "g.redb", "roads"]).out.contains("directed, 0 vertices"));
    succeed(at, &[&rm[..], &["--everywhere"]].concat());
    fail(at, &["graph", "info", "g.redb", "roads"], 3, "roads");
}

#[test]
fn bad_files_leave_nothing() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let lines = (0..6_000).map(|n| format!("{n},{}\n", n + 1)).collect::<Vec<_>>().concat();
    fs::write(at.join("late.csv"), format!("{lines}1,oops\n")).unwrap();
    fs::write(at.join("no.graphml"), "<graphml").unwrap();
    fail(at, &["graph", "import", "g.redb", "no.file.csv"], 3, "no.file.csv");
    fail(at, &["graph", "import", "g.redb", "picture.png"], 2, "imported from");
    fail(at, &["graph", "import", "g.redb", "late.csv"], 2, "line: 6001");
    fail(at, &["graph", "info", "g.redb", "late"], 3, "late");
    fail(at, &["graph", "import", "g.redb", "no.graphml"], 2, "XML");
    succeed(at, &["check", "g.redb"]);
    fs::write(at.join("late.csv"), lines).unwrap();
    assert!(
        succeed(at, &["graph", "import", "g.redb", "late.csv"]).out.contains("6001 vertices, 6000 edges")
    );
    fs::write(at.join("old.csv"), "old").unwrap();
    fail(at, &["graph", "export", "g.redb", "none", "old.csv"], 3, "none");
    fail(at, &["graph", "export", "g.redb", "late", "old.txt"], 2, "--as");
    fail(at, &["graph", "export", "g.redb", "late", "a.dot", "--vertices", "v.csv"], 2, "CSV alone");
    assert_eq!(fs::read_to_string(at.join("old.csv")).unwrap(), "old");
    let names: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

/// Both sides of a branch change one graph; what they changed alike merges, and the rest is chosen.
#[test]
fn a_graph_is_branched_merged_and_its_conflicts_resolved() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("g.csv"), "1,2,1\n2,3,1\n3,4,1\n").unwrap();
    succeed(at, &["graph", "import", "g.redb", "g.csv"]);
    succeed(at, &["commit", "g.redb", "-m", "as imported"]);
    succeed(at, &["branch", "g.redb", "draft", "--from", "main"]);
    succeed(at, &["new", "g.redb"]);
    let set = |more: &[&str]| succeed(at, &[&["graph", "set", "g.redb", "g"], more].concat());
    set(&["1", "2", "--weight", "10"]);
    set(&["2", "--weight", "5", "--property", "name=main"]);
    set(&["5"]);
    set(&["4", "5"]);
    set(&["1", "2", "--weight", "20", "--at", "draft"]);
    set(&["2", "--weight", "6", "--property", "name=draft", "--at", "draft"]);
    succeed(at, &["graph", "rm", "g.redb", "g", "2", "3", "--at", "draft"]);
    let diff = succeed(at, &["diff", "g.redb", "main~1", "draft", "--in", "g"]).out;
    for line in ["M g edge 1 2", "D g edge 2 3", "M g vertex 2", "A g property \"name\" of vertex 2"] {
        assert_eq!(diff.lines().filter(|found| *found == line).count(), 1, "{line} in {diff}");
    }
    succeed(at, &["commit", "g.redb", "main"]);
    succeed(at, &["commit", "g.redb", "draft"]);
    succeed(at, &["merge", "g.redb", "draft"]);

    // What both agree on is there; the edge that one has removed is gone.
    let ends = |edges: &Value| -> Vec<Value> {
        edges["elements"].as_array().unwrap().iter().map(|edge| edge["ends"].clone()).collect()
    };
    let edges = json_of(at, &["graph", "ls", "g.redb", "g", "--edges"]);
    assert_eq!(ends(&edges), [json!([1, 2]), json!([3, 4]), json!([4, 5])]);
    assert_eq!(edges["elements"][0]["weight"], Value::Null);
    fail(at, &["graph", "show", "g.redb", "g", "1", "2"], 4, "several weights");
    fail(at, &["graph", "components", "g.redb", "g"], 4, "several weights");
    assert!(succeed(at, &["graph", "info", "g.redb", "g"]).out.contains("2 of them in conflict"));

    let conflicts = json_of(at, &["conflicts", "g.redb", "main", "--in", "g"]);
    let found: Vec<_> = conflicts["conflicts"].as_array().unwrap().iter().collect();
    let keys: Vec<_> = found.iter().map(|conflict| conflict["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["vertex 2", "property \"name\" of vertex 2", "edge 1 2"]);
    let values = |at: usize| -> Vec<&str> {
        found[at]["sides"].as_array().unwrap().iter().map(|side| side["value"].as_str().unwrap()).collect()
    };
    // By the age of the versions.
    let expected = [["6", "5"], ["draft", "main"], ["20", "10"]];
    assert_eq!([values(0), values(1), values(2)], expected);

    let resolve =
        |key: &str, more: &[&str]| succeed(at, &[&["resolve", "g.redb", key, "--in", "g"], more].concat());
    resolve("edge 1 2", &["--take", "draft"]);
    resolve("vertex 2", &["--value", "5.5"]);
    fail(at, &["resolve", "g.redb", "vertex 2", "--in", "g", "--value", "1"], 3, "isn't in conflict");
    fail(at, &["resolve", "g.redb", "vertex x", "--in", "g", "--delete"], 2, "vertex 5");
    assert!(resolve("property \"name\" of vertex 2", &["--delete"]).out.contains("0 left"));
    let shown = json_of(at, &["graph", "show", "g.redb", "g", "2"]);
    assert_eq!((&shown["weight"], &shown["properties"]), (&json!(5.5), &json!([])));
    assert_eq!(json_of(at, &["graph", "show", "g.redb", "g", "2", "1"])["weight"], 20.0);
    assert_eq!(
        json_of(at, &["graph", "components", "g.redb", "g"])["components"],
        json!([[3, 4, 5], [1, 2]])
    );
    assert!(succeed(at, &["graph", "check", "g.redb", "g"]).out.contains("problems: 0"));
    // History stays what it was.
    assert_eq!(json_of(at, &["graph", "show", "g.redb", "g", "1", "2", "--at", "main~2"])["weight"], 1.0);
}

/// The commands of the page of the docs, run one after another as they stand there.
#[test]
fn the_page_on_graphs_says_what_works() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    fs::copy(testdata("nuclei_labels.tif"), at.join("nuclei_labels.tif")).unwrap();
    let commands = pages::run(at, "graph.md");
    assert!(commands >= 15, "{commands}");
}
