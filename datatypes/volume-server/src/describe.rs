//! What a viewer needs to know of a volume at a version.

use chunks::DType;
use engine_api::Result;
use serde::Serialize;

use crate::catalog::{Axis, Served};
use crate::picture::suggested;
use crate::precomputed::{Form, scale_key};
use crate::space::Space;

/// A volume at a version; lists are slowest axis first.
#[derive(Serialize)]
pub(crate) struct Description<'a> {
    version: &'a str,
    committed: bool,
    labels: bool,
    dtype: DType,
    axes: &'a [Axis],
    /// The array as it is, with all its axes.
    origin: &'a [i64],
    shape: &'a [u64],
    /// As three axes: z, y, x.
    scales: Vec<Scale>,
    /// The values to show as black and white.
    window: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct Scale {
    key: String,
    origin: Vec<i64>,
    shape: Vec<u64>,
    chunk_shape: Vec<u64>,
    /// Elements of scale 0 that are one of this.
    factors: Vec<u64>,
}

pub(crate) fn describe<'a>(served: &Served<'a>, space: &Space<'_>) -> Result<Description<'a>> {
    let base = served.scales.scales().base();
    let (form, _) = Form::offered(base, served.labels);
    let mut scales = Vec::with_capacity(space.scales());
    for scale in 0..space.scales() {
        let bounds = space.bounds(scale)?;
        scales.push(Scale {
            key: scale_key(form, scale),
            origin: bounds.offset().to_vec(),
            shape: bounds.shape().to_vec(),
            chunk_shape: space.chunk_shape(scale)?.to_vec(),
            factors: space.factors(scale)?.to_vec(),
        });
    }
    let window = if served.labels {
        None
    } else {
        let window = suggested(space, base.dtype())?;
        Some([window.low, window.high])
    };
    Ok(Description {
        version: served.version,
        committed: served.committed,
        labels: served.labels,
        dtype: base.dtype(),
        axes: served.axes,
        origin: base.origin(),
        shape: base.shape(),
        scales,
        window,
    })
}
