//! Names of the files of an image that has one for each slice.

use std::path::{Path, PathBuf};

use engine_api::{Error, ErrorKind, Result};

use super::info::ImageInfo;

/// How the files of a folder of slices are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SliceNames {
    /// `z0003.png`, with a number for each axis before y and x; as they are sorted they follow each other.
    Axes { ending: &'static str },
    /// `before`, the number of the slice with so many digits at least, and `after`.
    Pattern { before: String, digits: usize, after: String },
}

impl SliceNames {
    /// A pattern with a place for a number as in C: `img_%04d.tif`, or `%d.tif`.
    ///
    /// # Errors
    /// `InvalidArgument` when there isn't one such place, or it leaves a folder.
    pub(super) fn pattern(text: &str) -> Result<Self> {
        Self::parse(text).filter(|_| !text.contains(['/', '\\', '\0'])).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "the names of slices have one place for a number, as in z%04d.tif",
            )
            .with("pattern", text)
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let digits = match digits.strip_prefix('0') {
            None if digits.is_empty() => 1,
            Some(width) => width.parse().ok().filter(|width| (1..=20).contains(width))?,
            None => return None,
        };
        (!after.contains('%')).then(|| Self::Pattern { before: before.into(), digits, after: after.into() })
    }

    /// The folder and the pattern of a path whose last part is one.
    pub(super) fn split(path: &Path) -> Option<(PathBuf, String)> {
        let name = path.file_name()?.to_str()?;
        Self::parse(name)?;
        Some((path.parent()?.to_owned(), name.to_owned()))
    }

    /// The name of the slice of a number.
    pub(super) fn name(&self, image: &ImageInfo, number: u64) -> String {
        let ending = match self {
            Self::Pattern { before, digits, after } => return format!("{before}{number:0digits$}{after}"),
            Self::Axes { ending } => ending,
        };
        let mut rest = number;
        let before = image.shape().len().saturating_sub(2);
        let mut parts = Vec::new();
        for (extent, axis) in image.shape().iter().zip(image.axes()).take(before).rev() {
            let digits = extent.saturating_sub(1).to_string().len().max(4);
            // The name of an axis may be anything.
            let name: String = axis.name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
            let name = if name.is_empty() { "i" } else { &name };
            parts.push(format!("{name}{:0digits$}", rest % extent));
            rest /= extent;
        }
        parts.reverse();
        format!("{}.{ending}", parts.join("_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chunks::DType;

    #[test]
    fn a_pattern_has_one_place_for_a_number() {
        let image = ImageInfo::new(&[3, 2, 2], DType::U8).unwrap();
        for (pattern, name) in [
            ("img_%04d.tif", "img_0007.tif"),
            ("%d.jp2", "7.jp2"),
            ("a%01d", "a7"),
            ("d%03d_d.png", "d007_d.png"),
        ] {
            assert_eq!(SliceNames::pattern(pattern).unwrap().name(&image, 7), name);
        }
        assert_eq!(SliceNames::pattern("%02d").unwrap().name(&image, 1234), "1234");
        for wrong in ["", "img.tif", "%s.tif", "%4d.tif", "%00d", "%0d", "%099d", "%d%d", "a/%d.tif", "%04"] {
            assert_eq!(
                SliceNames::pattern(wrong).unwrap_err().kind(),
                ErrorKind::InvalidArgument,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn the_last_part_of_a_path_may_be_a_pattern() {
        let split = SliceNames::split(Path::new("out/z%04d.tif"));
        assert_eq!(split, Some(("out".into(), "z%04d.tif".into())));
        assert_eq!(SliceNames::split(Path::new("out%04d/z.tif")), None);
    }
}
