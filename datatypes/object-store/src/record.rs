//! What is stored of an object under its path.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use engine_api::Result;
use object_store::path::Path;
use object_store::{Attributes, ObjectMeta};

use crate::attributes;
use crate::envelope::{self, Magic};
use crate::fields::{Fields, damaged};
use crate::generation::Generation;
use crate::layout::Layout;

/// Objects of up to so many bytes are stored in their records.
pub(crate) const INLINE_BYTES: usize = 4096;

/// Where an object's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// In the record.
    Inline(Bytes),
    /// In blocks under the record's generation.
    Blocks(Layout),
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: Generation,
    pub(crate) last_modified: DateTime<Utc>,
    pub(crate) attributes: Attributes,
    pub(crate) content: Content,
}

impl Record {
    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::Inline(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::Blocks(layout) => layout.size(),
        }
    }

    pub(crate) fn meta(&self, location: Path) -> ObjectMeta {
        ObjectMeta {
            location,
            last_modified: self.last_modified,
            size: self.size(),
            e_tag: Some(self.generation.e_tag()),
            version: None,
        }
    }

    /// Whether there are blocks to be removed with the record.
    pub(crate) fn has_blocks(&self) -> bool {
        matches!(self.content, Content::Blocks(_))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut body = self.generation.to_bytes().to_vec();
        body.extend_from_slice(&self.last_modified.timestamp_micros().to_le_bytes());
        body.extend_from_slice(&self.size().to_le_bytes());
        attributes::write(&self.attributes, &mut body)?;
        match &self.content {
            Content::Inline(bytes) => {
                body.push(0);
                body.extend_from_slice(bytes);
            }
            Content::Blocks(layout) => {
                body.push(1);
                layout.write(&mut body)?;
            }
        }
        Ok(envelope::seal(Magic::Object, &body))
    }

    /// # Errors
    /// `Corrupt`; `Incompatible` for a layout that this build doesn't know.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields(envelope::open(Magic::Object, bytes)?);
        let generation = Generation::from_bytes(fields.array()?);
        let last_modified = moment(fields.i64()?)?;
        let size = fields.u64()?;
        let attributes = attributes::read(&mut fields)?;
        let content = match fields.u8()? {
            0 => {
                let bytes = fields.take(fields.0.len())?;
                Content::Inline(Bytes::copy_from_slice(bytes))
            }
            1 => Content::Blocks(Layout::read(&mut fields)?),
            _ => return Err(damaged("keeps its bytes in a place that there isn't")),
        };
        fields.end()?;
        let record = Self { generation, last_modified, attributes, content };
        if record.size() != size {
            return Err(damaged("is of another size than its parts"));
        }
        Ok(record)
    }
}

/// The moment that is stored as microseconds since 1970.
pub(crate) fn moment(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| damaged("is of a moment that no calendar has"))
}

/// Now, as precise as it is stored.
pub(crate) fn now() -> DateTime<Utc> {
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}
