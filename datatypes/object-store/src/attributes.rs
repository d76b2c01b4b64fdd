//! Attributes as bytes.

use engine_api::{Error, ErrorKind, Result};
use object_store::{Attribute, AttributeValue, Attributes};

use crate::fields::{Fields, damaged};

/// The kind of attributes that have a name of their own.
const METADATA: u8 = 7;

/// The number of an attribute's kind, and its name where the kind doesn't say it.
fn kind(attribute: &Attribute) -> Result<(u8, &str)> {
    Ok(match attribute {
        Attribute::CacheControl => (1, ""),
        Attribute::ContentDisposition => (2, ""),
        Attribute::ContentEncoding => (3, ""),
        Attribute::ContentLanguage => (4, ""),
        Attribute::ContentType => (5, ""),
        Attribute::StorageClass => (6, ""),
        Attribute::Metadata(name) => (METADATA, name),
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "an attribute that has no place in a record")
                .with("attribute", format_args!("{other:?}")));
        }
    })
}

/// Appends attributes, ordered by kind and name, so that the same ones are always the same bytes.
pub(crate) fn write(attributes: &Attributes, out: &mut Vec<u8>) -> Result<()> {
    let mut all = attributes
        .iter()
        .map(|(attribute, value)| kind(attribute).map(|(kind, name)| (kind, name, value.as_ref())))
        .collect::<Result<Vec<_>>>()?;
    all.sort_unstable();
    out.extend_from_slice(&length(all.len())?.to_le_bytes());
    for (kind, name, value) in all {
        out.push(kind);
        for text in [name, value] {
            out.extend_from_slice(&length(text.len())?.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

fn length(length: usize) -> Result<u16> {
    u16::try_from(length).map_err(|_| {
        Error::new(ErrorKind::TooLarge, "attributes of more, or of longer text, than a record takes")
            .with("length", length)
            .with("limit", u16::MAX)
    })
}

/// Reads what [`write()`] has written.
pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    for _ in 0..fields.u16()? {
        let kind = fields.u8()?;
        let mut text = || fields.u16().and_then(|length| fields.text(length.into()));
        let (name, value) = (text()?, text()?);
        let attribute = match kind {
            1 => Attribute::CacheControl,
            2 => Attribute::ContentDisposition,
            3 => Attribute::ContentEncoding,
            4 => Attribute::ContentLanguage,
            5 => Attribute::ContentType,
            6 => Attribute::StorageClass,
            METADATA => Attribute::Metadata(name.to_owned().into()),
            _ => return Err(damaged("has an attribute of a kind that there isn't")),
        };
        attributes.insert(attribute, AttributeValue::from(value.to_owned()));
    }
    Ok(attributes)
}
