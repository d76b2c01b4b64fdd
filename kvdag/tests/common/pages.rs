//! The commands of the pages of the docs.

use std::path::Path;

use super::succeed;

/// The lines of a page's blocks of shell commands, without comments.
pub(crate) fn lines(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(path).expect("the page is there");
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines =
        blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or_default().trim_end());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The arguments of a line: what is between spaces, or between quotation marks.
pub(crate) fn arguments(line: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 { arguments.push(part) } else { arguments.extend(part.split_whitespace()) }
    }
    arguments
}

/// Runs the commands of a page one after another as they stand there; answers how many there are.
pub(crate) fn run(folder: &Path, page: &str) -> usize {
    let lines = lines(page);
    for line in &lines {
        let line = line.strip_prefix("kvdag ").unwrap_or_else(|| panic!("a line that isn't run: {line}"));
        succeed(folder, &arguments(line));
    }
    lines.len()
}
