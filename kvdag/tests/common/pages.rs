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

/// Runs the commands of a page one after another as they stand there; answers how many there are. Servers are at any
/// port that is free, and run until the page ends; what a page calls VERSION is the newest one that the first shows.
pub(crate) fn run(folder: &Path, page: &str) -> usize {
    let lines = lines(page);
    let mut served = Pages::default();
    for line in &lines {
        let line = line.strip_prefix("kvdag ").unwrap_or_else(|| panic!("a line that isn't run: {line}"));
        served.run(folder, line);
    }
    lines.len()
}

/// The servers that a page has started, and what stands for what it says of them.
#[derive(Default)]
struct Pages {
    #[cfg(all(unix, feature = "serve"))]
    servers: Vec<super::served::Served>,
    names: Vec<(String, String)>,
}

impl Pages {
    fn run(&mut self, folder: &Path, line: &str) {
        let line = self.names.iter().fold(line.to_owned(), |line, (name, is)| line.replace(name, is));
        #[cfg(all(unix, feature = "serve"))]
        if let Some((serve, address)) = line.split_once(" --addr ") {
            let server = super::served::Served::start(folder, &arguments(serve));
            self.names.push((address.to_owned(), server.address.clone()));
            let version = server.json("/volumes")[0]["versions"][0]["version"].clone();
            self.names.push(("VERSION".to_owned(), version.as_str().expect("a version").to_owned()));
            self.servers.push(server);
            return;
        }
        succeed(folder, &arguments(&line));
    }
}
