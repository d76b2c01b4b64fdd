//! OME-XML: what the description of an OME-TIFF's first page says of its pages.
//!
//! The model is that of <https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html>, of one
//! image whose planes are the pages in their order, which `DimensionOrder` says.

use std::fmt::Write;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};
use roxmltree::{Document, Node, ParsingOptions};

use crate::formats::info::{ImageAxis, ImageInfo};

/// The most elements, attributes and texts of a description, several for each plane.
const MOST_NODES: u32 = 1 << 22;

/// Deeper than the model goes.
const MOST_DEPTH: usize = 100;

/// What a description says.
#[derive(Debug, PartialEq)]
pub(super) struct Description {
    /// The extents of the axes before y and x, slowest first, and those two.
    pub(super) shape: Vec<u64>,
    pub(super) axes: Vec<ImageAxis>,
}

impl Description {
    /// `None` where the text isn't OME-XML that describes pixels: whoever wrote the file, its pages are a stack.
    ///
    /// # Errors
    /// `Unsupported` for several images, and planes that aren't in the order of the pages; `Corrupt` for extents
    /// that aren't numbers or of which one is zero.
    pub(super) fn parse(text: &str) -> Result<Option<Self>> {
        if !text.contains("<OME") && !text.contains(":OME") || is_deep(text) {
            return Ok(None);
        }
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let Ok(document) = Document::parse_with_options(text.trim_end_matches('\0'), options) else {
            return Ok(None);
        };
        let mut all = document.descendants().filter(|node| node.tag_name().name() == "Pixels");
        let Some(pixels) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the OME-TIFF has several images; convert it to one file per image",
            ));
        }
        let order = pixels.attribute("DimensionOrder").unwrap_or_default();
        let known = ["XYZCT", "XYZTC", "XYCZT", "XYCTZ", "XYTZC", "XYTCZ"];
        if !known.contains(&order) {
            return Err(corrupt("DimensionOrder").with("found", order.escape_debug()));
        }
        // The planes' axes, the fastest first.
        let mut planes = Vec::new();
        for letter in order[2..].chars() {
            planes.push((letter, extent(pixels, letter)?));
        }
        check_planes(pixels, &planes)?;
        let (height, width) = (extent(pixels, 'Y')?, extent(pixels, 'X')?);
        // Of axes with one element z is kept, and only where no other is there.
        let several = planes.iter().any(|(_, length)| *length > 1);
        planes.retain(|(letter, length)| *length > 1 || (!several && *letter == 'Z'));
        let all: Vec<_> = planes.into_iter().rev().chain([('Y', height), ('X', width)]).collect();
        Ok(Some(Self {
            shape: all.iter().map(|(_, length)| *length).collect(),
            axes: all.iter().map(|(letter, _)| axis(pixels, *letter)).collect(),
        }))
    }

    /// The number of pages.
    pub(super) fn planes(&self) -> Option<u64> {
        let [planes @ .., _, _] = self.shape.as_slice() else { return None };
        planes.iter().try_fold(1u64, |product, length| product.checked_mul(*length))
    }
}

/// Whether elements may lie deeper in each other than a parser that calls itself bears.
fn is_deep(text: &str) -> bool {
    let mut depth = 0usize;
    for (at, _) in text.match_indices('<') {
        let rest = &text.as_bytes()[at + 1..];
        match rest.first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) => {
                let end = rest.iter().position(|byte| *byte == b'>');
                if end.is_none_or(|end| end == 0 || rest[end - 1] != b'/') {
                    depth += 1;
                }
            }
        }
        if depth > MOST_DEPTH {
            return true;
        }
    }
    false
}

fn extent(pixels: Node<'_, '_>, letter: char) -> Result<u64> {
    let name = format!("Size{letter}");
    let text = pixels.attribute(name.as_str()).unwrap_or_default();
    text.trim()
        .parse()
        .ok()
        .filter(|extent| *extent > 0)
        .ok_or_else(|| corrupt("an extent").with("name", name).with("found", text.escape_debug()))
}

/// Whether the planes that are listed are in the order of the pages.
fn check_planes(pixels: Node<'_, '_>, planes: &[(char, u64)]) -> Result<()> {
    for data in pixels.children().filter(|node| node.tag_name().name() == "TiffData") {
        let number =
            |name: &str| data.attribute(name).map_or(Some(0), |text| text.trim().parse::<u64>().ok());
        let mut place = Some(0u64);
        let mut stride = 1u64;
        for (letter, length) in planes {
            let first = number(&format!("First{letter}"));
            place = place.zip(first).and_then(|(place, first)| place.checked_add(first.checked_mul(stride)?));
            stride = stride.saturating_mul(*length);
        }
        // Without a page it speaks of all of them.
        if data.attribute("IFD").is_some() && number("IFD") != place {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the OME-TIFF's planes aren't in the order of its pages",
            ));
        }
    }
    Ok(())
}

fn axis(pixels: Node<'_, '_>, letter: char) -> ImageAxis {
    let (spacing, unit, default) = match letter {
        'T' => ("TimeIncrement".to_owned(), "TimeIncrementUnit".to_owned(), "s"),
        other => (format!("PhysicalSize{other}"), format!("PhysicalSize{other}Unit"), "µm"),
    };
    let spacing = pixels.attribute(spacing.as_str()).and_then(|text| text.trim().parse::<f64>().ok());
    let spacing = spacing.filter(|spacing| spacing.is_finite() && *spacing > 0.0);
    let unit = match pixels.attribute(unit.as_str()).unwrap_or(default) {
        "µm" | "μm" => Some("um"),
        "µs" | "μs" => Some("us"),
        "Å" => Some("angstrom"),
        "pixel" | "reference frame" => None,
        other => Some(other),
    };
    ImageAxis {
        name: letter.to_ascii_lowercase().to_string(),
        spacing,
        unit: unit.filter(|_| spacing.is_some()).map(str::to_owned),
    }
}

/// The description of an image that is to be written.
///
/// # Errors
/// `Unsupported` for types and axes that the model hasn't got.
pub(super) fn describe(info: &ImageInfo) -> Result<String> {
    let kind = match info.dtype() {
        DType::U8 | DType::Bool => "uint8",
        DType::U16 => "uint16",
        DType::U32 => "uint32",
        DType::I8 => "int8",
        DType::I16 => "int16",
        DType::I32 => "int32",
        DType::F32 => "float",
        DType::F64 => "double",
        DType::U64 | DType::I64 => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "OME-TIFF has no integers of 64 bits; write .tif",
            )
            .with("type", info.dtype()));
        }
    };
    let names: Vec<&str> = info.axes().iter().map(|axis| axis.name.as_str()).collect();
    let planes = match names.as_slice() {
        [planes @ .., "y", "x"]
            if !planes.is_empty()
                && planes
                    .iter()
                    .enumerate()
                    .all(|(at, name)| ["t", "c", "z"].contains(name) && !planes[..at].contains(name)) =>
        {
            planes
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "OME-TIFF has the axes y, x, and before them one or more of t, c, z",
            )
            .with("axes", format_args!("{names:?}")));
        }
    };
    let mut order: Vec<&str> = planes.iter().rev().copied().collect();
    order.extend(["z", "c", "t"].into_iter().filter(|name| !planes.contains(name)));
    let extent = |name: &str| {
        names
            .iter()
            .position(|other| *other == name)
            .and_then(|at| info.shape().get(at).copied())
            .unwrap_or(1)
    };

    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://www.openmicroscopy.org/Schemas/OME/2016-06 \
         http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd\">\
         <Image ID=\"Image:0\"><Pixels ID=\"Pixels:0\"",
    );
    let mut attribute = |name: &str, value: &str| push_attribute(&mut xml, name, value);
    attribute("DimensionOrder", &format!("XY{}", order.concat().to_ascii_uppercase()));
    attribute("Type", kind);
    attribute("BigEndian", if cfg!(target_endian = "big") { "true" } else { "false" });
    for name in ["x", "y", "z", "c", "t"] {
        attribute(&format!("Size{}", name.to_ascii_uppercase()), &extent(name).to_string());
    }
    for axis in info.axes() {
        let Some(spacing) = axis.spacing.filter(|spacing| spacing.is_finite() && *spacing > 0.0) else {
            continue;
        };
        let name = match axis.name.as_str() {
            "c" => continue,
            "t" => "TimeIncrement".to_owned(),
            name => format!("PhysicalSize{}", name.to_ascii_uppercase()),
        };
        let unit = match axis.unit.as_deref() {
            Some("um") => "µm",
            Some("us") => "µs",
            Some("angstrom") => "Å",
            Some(unit @ ("m" | "cm" | "mm" | "nm" | "pm" | "s" | "ms" | "ns")) => unit,
            // What the model has for lengths whose unit nobody knows; it has nothing for times.
            _ if axis.name != "t" => "reference frame",
            _ => continue,
        };
        attribute(&name, &spacing.to_string());
        attribute(&format!("{name}Unit"), unit);
    }
    xml.push('>');
    for channel in 0..extent("c") {
        // Writing to a string can't fail.
        let _ = write!(xml, "<Channel ID=\"Channel:0:{channel}\" SamplesPerPixel=\"1\"/>");
    }
    let planes: u64 = planes.iter().map(|name| extent(name)).product();
    let _ = write!(xml, "<TiffData IFD=\"0\" PlaneCount=\"{planes}\"/></Pixels></Image></OME>");
    Ok(xml)
}

/// An attribute in ASCII, which is all that the TIFF's tag holds.
fn push_attribute(xml: &mut String, name: &str, value: &str) {
    let _ = write!(xml, " {name}=\"");
    for letter in value.chars() {
        match letter {
            '&' | '<' | '>' | '"' | '\'' => drop(write!(xml, "&#{};", u32::from(letter))),
            ' '..='~' => xml.push(letter),
            _ if !letter.is_control() => drop(write!(xml, "&#{};", u32::from(letter))),
            _ => {}
        }
    }
    xml.push('"');
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the OME-TIFF's description isn't one of an image").with("what", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pixels(attributes: &str, inside: &str) -> String {
        format!("<OME><Image ID='i'><Pixels {attributes}>{inside}</Pixels></Image></OME>")
    }

    const SIZES: &str = "SizeX='5' SizeY='4' SizeZ='3' SizeC='2' SizeT='1'";

    fn kind(text: &str) -> ErrorKind {
        Description::parse(text).unwrap_err().kind()
    }

    #[test]
    fn axes_are_those_of_the_order() {
        for (order, names, shape) in [
            ("XYZCT", "czyx", [2, 3, 4, 5]),
            ("XYCZT", "zcyx", [3, 2, 4, 5]),
            ("XYTCZ", "zcyx", [3, 2, 4, 5]),
        ] {
            let text =
                pixels(&format!("DimensionOrder='{order}' {SIZES} PhysicalSizeZ='2' TimeIncrement='1'"), "");
            let found = Description::parse(&text).unwrap().unwrap();
            assert_eq!(found.axes.iter().map(|axis| axis.name.as_str()).collect::<String>(), names);
            assert_eq!(found.shape, shape);
            let z = found.axes.iter().find(|axis| axis.name == "z").unwrap();
            assert_eq!((z.spacing, z.unit.as_deref()), (Some(2.0), Some("um")));
        }
        let one = "DimensionOrder='XYCTZ' SizeX='5' SizeY='4' SizeZ='1' SizeC='1' SizeT='1'";
        assert_eq!(Description::parse(&pixels(one, "")).unwrap().unwrap().shape, [1, 4, 5]);
    }

    #[test]
    fn what_is_described_is_understood() {
        let axis = |name: &str, spacing: f64, unit: &str| ImageAxis {
            name: name.into(),
            spacing: Some(spacing),
            unit: Some(unit.into()),
        };
        let axes = vec![
            axis("t", 1.5, "us"),
            ImageAxis::named("c"),
            axis("z", 0.1, "um"),
            axis("y", 3.0, "nm"),
            axis("x", 1e-9, "angstrom"),
        ];
        let info = ImageInfo::new(&[2, 3, 4, 5, 6], DType::F32).unwrap().with_axes(axes).unwrap();
        let text = describe(&info).unwrap();
        assert!(text.is_ascii());
        let found = Description::parse(&text).unwrap().unwrap();
        assert_eq!((found.shape.as_slice(), found.axes.as_slice()), (info.shape(), info.axes()));
    }

    #[test]
    fn what_is_no_description_of_pixels_is_none() {
        let deep = format!("<OME>{}", "<a>".repeat(1 << 20));
        for text in
            ["", "ImageJ=1", "<OME", "<OME></OME>", "<OME><BinaryOnly/></OME>", "<OME><a></OME>", &deep]
        {
            assert_eq!(Description::parse(text).unwrap(), None, "{}", &text[..text.len().min(50)]);
        }
    }

    #[test]
    fn descriptions_that_cannot_be_are_refused() {
        assert_eq!(kind(&pixels(SIZES, "")), ErrorKind::Corrupt);
        assert_eq!(kind(&pixels(&format!("DimensionOrder='XYZ' {SIZES}"), "")), ErrorKind::Corrupt);
        for (good, bad) in [("'5'", "'0'"), ("'5'", "'-5'"), ("'3'", "'many'"), ("SizeC", "SizeQ")] {
            let text = pixels(&format!("DimensionOrder='XYZCT' {}", SIZES.replace(good, bad)), "");
            assert_eq!(kind(&text), ErrorKind::Corrupt, "{text}");
        }
        let whole = format!("DimensionOrder='XYZCT' {SIZES}");
        let moved = "<TiffData IFD='0' FirstZ='1'/><TiffData IFD='1' FirstZ='0'/>";
        assert_eq!(kind(&pixels(&whole, moved)), ErrorKind::Unsupported);
        let listed = "<TiffData IFD='2' FirstZ='2'/><TiffData IFD='4' FirstZ='1' FirstC='1'/><TiffData/>";
        assert!(Description::parse(&pixels(&whole, listed)).unwrap().is_some());
        let two = pixels(&whole, "").replace("</OME>", "<Image><Pixels/></Image></OME>");
        assert_eq!(kind(&two), ErrorKind::Unsupported);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "[<>/='a-cOMEPixelsSizXYZCT0-9 &;]{0,80}",
            inside in "[<>/='TiffDataIFDrst0-9 &;]{0,60}",
            huge in any::<u64>(),
        ) {
            let _ = Description::parse(&text);
            let _ = Description::parse(&format!("<OME>{text}"));
            let sizes = format!("DimensionOrder='XYZCT' {}", SIZES.replace('3', &huge.to_string()));
            let _ = Description::parse(&pixels(&sizes, &inside));
            let listed = format!("<TiffData IFD='{huge}' FirstT='{huge}' FirstC='{huge}'/>");
            let _ = Description::parse(&pixels(&sizes, &listed)).map(|found| found.map(|found| found.planes()));
        }
    }
}
