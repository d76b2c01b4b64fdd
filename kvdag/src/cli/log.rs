//! `kvdag log`.

use std::collections::BTreeMap;
use std::fmt;

use engine_api::Result;
use engine_api::key::VersionId;
use engine_api::version::{Version, VersionDag};
use serde::Serialize;

use super::output::{self, Output};
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// Only this version and its ancestors.
    version: Option<String>,
    /// At most this many versions.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Show hidden branches, too.
    #[arg(long)]
    all: bool,
    /// Draw which version was made from which; this is so unless --no-graph is given.
    #[arg(long, overrides_with = "no_graph")]
    graph: bool,
    /// A line for each version, without the drawing.
    #[arg(long)]
    no_graph: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    version: String,
    branch: String,
    /// Whether it is the branch's newest.
    head: bool,
    tags: Vec<String>,
    parents: Vec<String>,
    created: String,
    committed: Option<String>,
    note: String,
    /// What stands left of the version in the drawing, and the lines that lead to it.
    #[serde(skip)]
    drawing: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Lines(Vec<Line>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.0 {
            if line.drawing.is_empty() {
                writeln!(f, "{}", line.text())?;
            }
            for drawing in &line.drawing {
                if drawing.contains(['*', 'o']) {
                    writeln!(f, "{drawing}  {}", line.text())?;
                } else {
                    writeln!(f, "{drawing}")?;
                }
            }
        }
        Ok(())
    }
}

impl Line {
    fn text(&self) -> String {
        let mut marks = Vec::new();
        if self.head {
            marks.push("head".to_owned());
        }
        if self.committed.is_none() {
            marks.push("open".to_owned());
        }
        marks.extend(self.tags.iter().map(|tag| format!("tag: {tag}")));
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let note = if self.note.is_empty() { String::new() } else { format!("  {}", self.note) };
        let digits = &self.version[..12.min(self.version.len())];
        format!("{digits}  {}{marks}  {}{note}", self.branch, self.created)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let dag = store.dag()?;
    let tip = args.version.as_deref().map(|spec| store.find(spec)).transpose()?;
    let mut lines = Vec::new();
    let mut lanes = Lanes::default();
    for version in newest_first(&dag, tip.as_ref(), args.all)? {
        if args.limit.is_some_and(|limit| lines.len() >= limit) {
            break;
        }
        let drawing = if args.no_graph { Vec::new() } else { lanes.draw(version) };
        let parents =
            version.parents.iter().map(|parent| dag.version(*parent)).collect::<Result<Vec<_>>>()?;
        lines.push(Line {
            version: version.uuid.simple().to_string(),
            branch: version.branch.clone(),
            head: dag.next_on_branch(version).is_none(),
            tags: dag.tags().filter(|tag| tag.version == version.id).map(|tag| tag.name.clone()).collect(),
            parents: parents.iter().map(|parent| parent.uuid.simple().to_string()).collect(),
            created: output::time(version.created),
            committed: version.committed.map(output::time),
            note: version.note.clone(),
            drawing,
        });
    }
    output.print(&Lines(lines))
}

/// The versions, children before parents; where there is a choice, the younger first.
///
/// Without a tip those of hidden branches are left out, save those from which others descend.
pub(crate) fn newest_first<'d>(
    dag: &'d VersionDag,
    tip: Option<&Version>,
    all: bool,
) -> Result<Vec<&'d Version>> {
    let mut todo: Vec<VersionId> = match tip {
        Some(tip) => vec![tip.id],
        None => dag
            .versions()
            .filter(|version| all || !dag.is_hidden(version.repo, &version.branch))
            .map(|version| version.id)
            .collect(),
    };
    let mut waiting = BTreeMap::new();
    while let Some(id) = todo.pop() {
        if waiting.insert(id, 0_usize).is_none() {
            todo.extend(&dag.version(id)?.parents);
        }
    }
    let shown: Vec<_> = waiting.keys().copied().collect();
    for id in shown {
        for parent in &dag.version(id)?.parents {
            *waiting.entry(*parent).or_default() += 1;
        }
    }
    let mut ready: Vec<_> = waiting.iter().filter(|(_, left)| **left == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::new();
    while let Some(at) = (0..ready.len()).max_by_key(|at| ready[*at]) {
        let version = dag.version(ready.swap_remove(at))?;
        for parent in &version.parents {
            if let Some(left) = waiting.get_mut(parent) {
                *left -= 1;
                if *left == 0 {
                    ready.push(*parent);
                }
            }
        }
        order.push(version);
    }
    Ok(order)
}

/// The lines of the drawing: each leads down to a version that is still to come.
#[derive(Debug, Default)]
struct Lanes(Vec<VersionId>);

impl Lanes {
    /// Draws a version, and the lines that join or leave there.
    fn draw(&mut self, version: &Version) -> Vec<String> {
        let mut rows = Vec::new();
        let at = self.0.iter().position(|lane| *lane == version.id).unwrap_or_else(|| {
            self.0.push(version.id);
            self.0.len() - 1
        });
        while let Some(other) = self.0.iter().rposition(|lane| *lane == version.id).filter(|last| *last != at)
        {
            rows.push(self.joint(at, other, '/'));
            self.0.remove(other);
        }
        let mark = if version.committed.is_some() { '*' } else { 'o' };
        let row: Vec<_> =
            (0..self.0.len()).map(|lane| if lane == at { mark } else { '|' }.to_string()).collect();
        rows.push(row.join(" "));
        match version.parents.split_first() {
            None => {
                self.0.remove(at);
            }
            Some((first, others)) => {
                self.0[at] = *first;
                for other in others {
                    self.0.push(*other);
                    rows.push(self.joint(at, self.0.len() - 1, '\\'));
                }
            }
        }
        rows
    }

    /// A row in which the lane `to` joins or leaves the lane `at`, to the left of it.
    fn joint(&self, at: usize, to: usize, corner: char) -> String {
        let mut row = String::new();
        for lane in 0..self.0.len() {
            if lane == to {
                row.pop();
                row.push(corner);
            } else {
                row.push('|');
            }
            row.push(if lane + 1 < to && lane >= at { '_' } else { ' ' });
        }
        row.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use engine_api::key::RepoId;

    use super::*;

    fn version(id: u32, parents: &[u32]) -> Version {
        Version {
            id: VersionId(id),
            uuid: engine_api::Uuid::from_u128(u128::from(id)),
            repo: RepoId(1),
            parents: parents.iter().map(|id| VersionId(*id)).collect(),
            branch: "b".to_owned(),
            note: String::new(),
            created: 0,
            committed: Some(0),
            cleaned: None,
        }
    }

    #[test]
    fn a_fork_and_a_merge_are_drawn() {
        let mut lanes = Lanes::default();
        let history = [version(4, &[3, 2]), version(3, &[1]), version(2, &[1]), version(1, &[])];
        let rows: Vec<_> = history.iter().flat_map(|version| lanes.draw(version)).collect();
        assert_eq!(rows, ["*", "|\\", "* |", "| *", "|/", "*"]);
    }

    #[test]
    fn a_lane_in_between_is_crossed() {
        let mut lanes = Lanes::default();
        let history = [version(5, &[1]), version(4, &[2]), version(3, &[1])];
        let mut rows: Vec<_> = history.iter().flat_map(|version| lanes.draw(version)).collect();
        rows.extend(lanes.draw(&version(1, &[])));
        assert_eq!(rows, ["*", "| *", "| | *", "|_|/", "* |"]);
    }
}
