//! A JSON object in its parts, each value in the very text that it was written in.
//!
//! What an application has put beside the volume's own keys must come back as it was, to the order and the digits, and
//! Python writes numbers that JSON doesn't have: `NaN` and `Infinity`. So values are found here, and only the volume's
//! own are understood.

use engine_api::{Error, ErrorKind, Result};
use serde::de::IgnoredAny;

/// The keys of the object in `text`, in order, and the text of their values.
pub(crate) fn split_object(text: &str) -> Result<Vec<(String, String)>> {
    let mut scan = Scan { text, at: 0 };
    let mut fields = Vec::new();
    scan.space();
    scan.expect(b'{')?;
    scan.space();
    if scan.peek() != Some(b'}') {
        loop {
            scan.space();
            let key = scan.string()?;
            let key: String = serde_json::from_str(key).map_err(|error| invalid(scan.at).caused_by(error))?;
            scan.space();
            scan.expect(b':')?;
            scan.space();
            let value = scan.value()?;
            fields.push((key, value.to_owned()));
            if scan.peek() != Some(b',') {
                break;
            }
            scan.expect(b',')?;
        }
    }
    scan.expect(b'}')?;
    scan.space();
    if scan.at == text.len() { Ok(fields) } else { Err(invalid(scan.at)) }
}

/// An object as Python writes it.
pub(crate) fn join_object(fields: &[(String, String)]) -> String {
    let mut text = String::from("{");
    for (at, (key, value)) in fields.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        text.push_str(&quote(key));
        text.push_str(": ");
        text.push_str(value);
    }
    text.push('}');
    text
}

/// A string as Python writes it: everything beyond ASCII is escaped.
pub(crate) fn quote(string: &str) -> String {
    let mut text = String::from("\"");
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(letter),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    text.push_str("\\u");
                    for nibble in [12, 8, 4, 0] {
                        text.extend(char::from_digit(u32::from(*unit >> nibble & 15), 16));
                    }
                }
            }
        }
    }
    text.push('"');
    text
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(invalid(self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn since(&self, start: usize) -> Result<&'a str> {
        self.text.get(start..self.at).ok_or_else(|| invalid(start))
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek() {
                None => return Err(invalid(start)),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        self.since(start)
    }

    /// A value, up to the comma or bracket behind it, without the space before that.
    fn value(&mut self) -> Result<&'a str> {
        let start = self.at;
        let mut depth = 0usize;
        // The value with numbers for what JSON doesn't know, to see that it is one.
        let mut plain = String::new();
        while let Some(byte) = self.peek() {
            let from = self.at;
            match byte {
                b'"' => {
                    plain.push_str(self.string()?);
                    continue;
                }
                b'}' | b']' | b',' if depth == 0 => break,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'-' | b'I' | b'N' => {
                    let rest = self.text.get(from..).unwrap_or_default();
                    if let Some(word) =
                        ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word))
                    {
                        plain.push('0');
                        self.at += word.len();
                        continue;
                    }
                }
                _ => {}
            }
            self.at += 1;
            while !self.text.is_char_boundary(self.at) {
                self.at += 1;
            }
            plain.push_str(self.since(from)?);
        }
        serde_json::from_str::<IgnoredAny>(&plain).map_err(|error| invalid(start).caused_by(error))?;
        Ok(self.since(start)?.trim_end())
    }
}

#[cold]
fn invalid(at: usize) -> Error {
    Error::new(ErrorKind::Corrupt, "the metadata isn't a JSON object").with("byte", at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_come_back_as_they_were_written() {
        let text = r#"{"a": [1, 2.50, {"b": "},]\""}], "é\n": NaN, "n": {"x": [-Infinity, 1e5]}, "t": true, "z": 0.1000}"#;
        let fields = split_object(text).unwrap();
        let values: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            values,
            [
                ("a", r#"[1, 2.50, {"b": "},]\""}]"#),
                ("é\n", "NaN"),
                ("n", r#"{"x": [-Infinity, 1e5]}"#),
                ("t", "true"),
                ("z", "0.1000")
            ]
        );
        assert_eq!(join_object(&fields), text.replace('é', "\\u00e9"));
        assert_eq!(quote("😀\u{1}\u{7f}"), r#""\ud83d\ude00\u0001\u007f""#);
        assert!(split_object(" {} ").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            r#"{"a"}"#,
            r#"{"a": }"#,
            r#"{"a": 1,}"#,
            r#"{"a": 1} x"#,
            r#"{"a": [1}"#,
            r#"{"a": 1 2}"#,
            r#"{"a": "\"#,
        ] {
            assert_eq!(split_object(text).unwrap_err().kind(), ErrorKind::Corrupt, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[ \t{}\[\],:"\\aé0-9NIn.-]{0,40}"#) {
            drop(split_object(&text));
            drop(split_object(&format!("{{\"a\": {text}}}")));
        }

        #[test]
        fn quoted_strings_are_json(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&quote(&text)).unwrap(), text);
        }
    }
}
