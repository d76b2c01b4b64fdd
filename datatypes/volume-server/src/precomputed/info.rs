//! The info file.

use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::form::{BLOCK, Form};
use crate::catalog::{Axis, Served};
use crate::space::{AXES, Space};

/// The info file; lists are x first.
#[derive(Serialize)]
pub(crate) struct Info {
    #[serde(rename = "@type")]
    of: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    data_type: &'static str,
    num_channels: u8,
    scales: Vec<Scale>,
}

#[derive(Serialize)]
struct Scale {
    key: String,
    size: [u64; AXES],
    /// In nanometres.
    resolution: [f64; AXES],
    voxel_offset: [i64; AXES],
    chunk_sizes: [[u64; AXES]; 1],
    encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compressed_segmentation_block_size: Option<[u64; AXES]>,
}

/// The info file of a volume at a version.
pub(crate) fn info(served: &Served<'_>, space: &Space<'_>) -> Result<Info> {
    let (form, shown) = Form::offered(served.scales.scales().base(), served.labels);
    // The format knows no names that are real numbers.
    let segmentation = served.labels && shown.numpy_name() != "float32";
    let base: [f64; AXES] = std::array::from_fn(|axis| {
        let slower = served.axes.len() + axis;
        nanometres(slower.checked_sub(AXES).and_then(|at| served.axes.get(at)))
    });
    let mut scales = Vec::with_capacity(space.scales());
    for scale in 0..space.scales() {
        let bounds = space.bounds(scale)?;
        let factors = space.factors(scale)?;
        scales.push(Scale {
            key: scale_key(form, scale),
            size: reversed(bounds.shape()),
            resolution: std::array::from_fn(|at| base[AXES - 1 - at] * number(factors[AXES - 1 - at])),
            voxel_offset: reversed(bounds.offset()),
            chunk_sizes: [reversed(&space.chunk_shape(scale)?)],
            encoding: form.encoding(),
            compressed_segmentation_block_size: (form == Form::Compressed).then(|| reversed(&BLOCK)),
        });
    }
    Ok(Info {
        of: "neuroglancer_multiscale_volume",
        kind: if segmentation { "segmentation" } else { "image" },
        data_type: shown.numpy_name(),
        num_channels: 1,
        scales,
    })
}

/// The folder of a scale in a form.
pub(crate) fn scale_key(form: Form, scale: usize) -> String {
    format!("{}{scale}", form.letter())
}

/// The form and the scale of a folder.
///
/// # Errors
/// `NotFound` when a scale has no such folder.
pub(crate) fn scale_of(key: &str) -> Result<(Form, usize)> {
    let form = Form::ALL.into_iter().find(|form| key.starts_with(form.letter()));
    form.and_then(|form| Some((form, key.get(1..)?.parse().ok()?)))
        .filter(|(form, scale)| scale_key(*form, *scale) == key)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such scale").with("key", key))
}

fn reversed<T: Copy + Default>(list: &[T]) -> [T; AXES] {
    std::array::from_fn(|at| list.get(AXES - 1 - at).copied().unwrap_or_default())
}

/// The distance from an element to the next, or 1 where it isn't a length. One without a unit is taken for
/// nanometres, so that the proportions are right.
fn nanometres(axis: Option<&Axis>) -> f64 {
    axis.and_then(|axis| Some(axis.spacing? * axis.unit.as_deref().map_or(Some(1.0), in_nanometres)?))
        .filter(|distance| distance.is_finite() && *distance > 0.0)
        .unwrap_or(1.0)
}

fn in_nanometres(unit: &str) -> Option<f64> {
    Some(match unit {
        "m" | "meter" | "metre" => 1e9,
        "cm" | "centimeter" | "centimetre" => 1e7,
        "mm" | "millimeter" | "millimetre" => 1e6,
        "um" | "µm" | "μm" | "micron" | "micrometer" | "micrometre" => 1e3,
        "nm" | "nanometer" | "nanometre" => 1.0,
        "Å" | "angstrom" => 0.1,
        "pm" | "picometer" | "picometre" => 1e-3,
        _ => return None,
    })
}

/// A factor, which is far below 2^53 for anything that a chunk is made from.
#[allow(clippy::cast_precision_loss, reason = "a resolution is a real number")]
fn number(factor: u64) -> f64 {
    factor as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_back_and_nothing_else_is_one() {
        for form in Form::ALL {
            assert_eq!(scale_of(&scale_key(form, 12)).unwrap(), (form, 12));
        }
        for key in ["", "s", "0", "é1", "x1", "s00", "s+1", "s-1", "S1", "s1 ", "s99999999999999999999999"] {
            assert_eq!(scale_of(key).unwrap_err().kind(), ErrorKind::NotFound, "{key}");
        }
    }

    #[test]
    fn an_unknown_or_impossible_spacing_is_one() {
        let axis = |spacing, unit: &str| Axis { spacing, unit: Some(unit.to_owned()), ..Axis::default() };
        assert!((nanometres(Some(&axis(Some(0.5), "um"))) - 500.0).abs() < 1e-9);
        for axis in [
            axis(None, "mm"),
            axis(Some(0.0), "mm"),
            axis(Some(-1.0), "mm"),
            axis(Some(f64::NAN), "mm"),
            axis(Some(f64::MAX), "m"),
            axis(Some(3.0), "s"),
            Axis::default(),
        ] {
            assert!((nanometres(Some(&axis)) - 1.0).abs() < 1e-9, "{axis:?}");
        }
        assert!((nanometres(None) - 1.0).abs() < 1e-9);
        let bare = Axis { spacing: Some(3.0), ..Axis::default() };
        assert!((nanometres(Some(&bare)) - 3.0).abs() < 1e-9);
    }
}
