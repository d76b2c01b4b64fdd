//! The names of a file's objects.

use object_store::path::Path;

use crate::error::{Error, Result};

/// The names that follow from `{folder}/{stem}.af`.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    folder: Path,
    stem: String,
}

impl Names {
    pub(crate) fn new(path: &str) -> Result<Self> {
        let invalid = || Error::InvalidPath { path: path.to_owned() };
        let parsed = Path::parse(path).map_err(|_| invalid())?;
        let mut parts: Vec<_> = parsed.parts().collect();
        let name = parts.pop().ok_or_else(invalid)?;
        let stem = name.as_ref().strip_suffix(".af").filter(|stem| !stem.is_empty()).ok_or_else(invalid)?;
        Ok(Self { stem: stem.to_owned(), folder: parts.into_iter().collect() })
    }

    fn named(&self, name: String) -> Path {
        self.folder.clone().join(name)
    }

    /// The folder of the file's objects.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The object that exists for as long as the file does.
    pub(crate) fn head(&self) -> Path {
        self.named(format!("{}.af", self.stem))
    }

    pub(crate) fn layer(&self, number: u64) -> Path {
        self.named(format!("{}.{number}.af", self.stem))
    }

    pub(crate) fn stats(&self) -> Path {
        self.named(format!("{}.stats", self.stem))
    }

    /// The folder of the commits.
    pub(crate) fn commits(&self) -> Path {
        self.named(format!("{}.commits", self.stem))
    }

    pub(crate) fn manifest(&self, commit: u64) -> Path {
        // Twenty digits hold every number, so that names sort as the commits do.
        self.commits().join(format!("{commit:020}.manifest"))
    }

    /// The number of a layer, where the path is that of one.
    pub(crate) fn layer_number(&self, path: &Path) -> Option<u64> {
        let number = path.filename()?.strip_prefix(&self.stem)?.strip_prefix('.')?.strip_suffix(".af")?;
        let parsed = number.parse().ok()?;
        (self.layer(parsed) == *path).then_some(parsed)
    }

    /// The number of a commit, where the path is that of a manifest.
    pub(crate) fn commit_number(&self, path: &Path) -> Option<u64> {
        let parsed = path.filename()?.strip_suffix(".manifest")?.parse().ok()?;
        (self.manifest(parsed) == *path).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        let names = Names::new("a/b.af").unwrap();
        assert_eq!(names.head().as_ref(), "a/b.af");
        assert_eq!(names.layer(12).as_ref(), "a/b.12.af");
        assert_eq!(names.stats().as_ref(), "a/b.stats");
        assert_eq!(names.manifest(7).as_ref(), "a/b.commits/00000000000000000007.manifest");
    }

    #[test]
    fn only_names_that_are_given_out_are_numbers() {
        let names = Names::new("b.af").unwrap();
        assert_eq!(names.layer_number(&names.layer(12)), Some(12));
        assert_eq!(names.commit_number(&names.manifest(12)), Some(12));
        for other in ["b.af", "b.012.af", "b.x.af", "c.1.af", "b.1.2.af", "b.+1.af", "d/b.1.af"] {
            assert_eq!(names.layer_number(&Path::from(other)), None, "{other}");
        }
        assert_eq!(names.commit_number(&Path::from("b.commits/7.manifest")), None);
    }

    #[test]
    fn paths_without_a_stem_are_refused() {
        for path in ["", "a", ".af", "a/.af", "a.af/b", "a//b.af"] {
            assert!(matches!(Names::new(path), Err(Error::InvalidPath { .. })), "{path}");
        }
    }
}
