//! The header of an `.npy` file: a Python dictionary of three keys.

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

use super::number::NpyNumber;
use crate::formats::bytes::ByteOrder;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    OfImages(DType),
    Other(NpyNumber),
}

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) order: ByteOrder,
    pub(super) fortran: bool,
    /// As NumPy has it.
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Reads the dictionary: the keys in any order, each once, and no others.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut input = Input { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        input.expect('{')?;
        while !input.accept('}') {
            let key = input.string()?;
            input.expect(':')?;
            let again = match key {
                "descr" => descr.replace(input.descr()?).is_some(),
                "fortran_order" => fortran.replace(input.boolean()?).is_some(),
                "shape" => shape.replace(input.tuple()?).is_some(),
                _ => true,
            };
            if again {
                return Err(corrupt().with("key", key));
            }
            if !input.accept(',') {
                input.expect('}')?;
                break;
            }
        }
        match (descr, fortran, shape) {
            (Some((element, order)), Some(fortran), Some(shape)) if input.rest.trim().is_empty() => {
                Ok(Self { element, order, fortran, shape })
            }
            _ => Err(corrupt()),
        }
    }
}

/// The dictionary of an array in C order.
pub(super) fn format_header(shape: &[u64], element: Element) -> String {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    // A tuple of one element ends with its comma.
    let extents = extents.join(", ") + if shape.len() == 1 { "," } else { "" };
    let descr = descr_of(element);
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}")
}

const fn descr_of(element: Element) -> &'static str {
    match element {
        Element::OfImages(DType::U8) => "|u1",
        Element::OfImages(DType::U16) => "<u2",
        Element::OfImages(DType::U32) => "<u4",
        Element::OfImages(DType::U64) => "<u8",
        Element::OfImages(DType::I8) => "|i1",
        Element::OfImages(DType::I16) => "<i2",
        Element::OfImages(DType::I32) => "<i4",
        Element::OfImages(DType::I64) => "<i8",
        Element::OfImages(DType::F32) => "<f4",
        Element::OfImages(DType::F64) => "<f8",
        Element::OfImages(DType::Bool) => "|b1",
        Element::Other(NpyNumber::Float16) => "<f2",
        Element::Other(NpyNumber::Complex64) => "<c8",
        Element::Other(NpyNumber::Complex128) => "<c16",
    }
}

/// All types that are read and written.
fn elements() -> impl Iterator<Item = Element> {
    let of_images = DType::ALL.iter().copied().map(Element::OfImages);
    of_images.chain(NpyNumber::ALL.iter().copied().map(Element::Other))
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "the header isn't that of a NumPy array")
}

struct Input<'a> {
    rest: &'a str,
}

impl<'a> Input<'a> {
    fn accept(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.accept(wanted) { Ok(()) } else { Err(corrupt()) }
    }

    /// A string without escapes: no key and no type has one.
    fn string(&mut self) -> Result<&'a str> {
        for quote in ['\'', '"'] {
            if self.accept(quote) {
                let (text, rest) = self.rest.split_once(quote).ok_or_else(corrupt)?;
                self.rest = rest;
                return Ok(text);
            }
        }
        Err(corrupt())
    }

    fn descr(&mut self) -> Result<(Element, ByteOrder)> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('[') {
            return Err(Error::new(ErrorKind::Unsupported, "the array's elements are records"));
        }
        let text = self.string()?;
        let order = match text.chars().next() {
            Some('>') => ByteOrder::Big,
            Some('=') if cfg!(target_endian = "big") => ByteOrder::Big,
            Some('<' | '|' | '=') => ByteOrder::Little,
            _ => return Err(corrupt().with("descr", text.escape_debug())),
        };
        let element = elements().find(|element| descr_of(*element)[1..] == text[1..]).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the array's elements aren't numbers of 1 to 16 bytes")
                .with("descr", text.escape_debug())
        })?;
        Ok((element, order))
    }

    fn boolean(&mut self) -> Result<bool> {
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(corrupt())
    }

    fn tuple(&mut self) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            self.rest = self.rest.trim_start();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(corrupt)?;
            let (digits, rest) = self.rest.split_at(end);
            values.push(digits.parse().map_err(|_| corrupt().with("extent", digits))?);
            // Python 2 wrote long integers.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(text: &str) -> ErrorKind {
        Header::parse(text).unwrap_err().kind()
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let header =
            Header::parse("{'descr': '>i2', 'fortran_order': True, 'shape': (3, 4), }     \n").unwrap();
        let element = Element::OfImages(DType::I16);
        let expected = Header { element, order: ByteOrder::Big, fortran: true, shape: vec![3, 4] };
        assert_eq!(header, expected);
        let header = Header::parse("{\"shape\":(5L,),'fortran_order':False,'descr':'|b1'}").unwrap();
        assert_eq!(
            (header.shape.as_slice(), header.element),
            ([5].as_slice(), Element::OfImages(DType::Bool))
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for element in elements() {
            for shape in [&[7][..], &[1, 2, 3]] {
                let header = Header::parse(&format_header(shape, element)).unwrap();
                assert_eq!((header.element, header.shape.as_slice()), (element, shape));
            }
        }
    }

    #[test]
    fn other_dictionaries_are_corrupt() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<u2', 'fortran_order': False}",
            "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': ()}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (1 2)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': ((1,),)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'x': 1}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (1,)} more",
            "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '§u2', 'fortran_order': False, 'shape': (1,)}",
        ] {
            assert_eq!(kind(text), ErrorKind::Corrupt, "{text}");
        }
    }

    #[test]
    fn other_types_are_unsupported() {
        for descr in ["'<c32'", "'<f16'", "'|S5'", "'|O'", "'<M8[ns]'", "[('a', '<u2')]", "'<u16'"] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}");
            assert_eq!(kind(&text), ErrorKind::Unsupported, "{descr}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}()\\[\\]'\",:<>|a-z0-9 LTF§]{0,60}") {
            let _ = Header::parse(&text);
            let _ = Header::parse(&format!("{{'descr': {text}"));
            let _ = Header::parse(&format!("{{'shape': ({text}"));
        }
    }
}
