//! Where a volume is on the web.

use engine_api::{Error, ErrorKind, Result};
use url::Url;

use crate::formats::url::plain;

/// The URL of a volume's folder.
#[derive(Clone, Debug)]
pub(super) struct VolumeUrl {
    url: Url,
    /// Without what lets somebody in.
    pub(super) shown: String,
}

impl VolumeUrl {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut url = Url::parse(plain(text)).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the URL can't be understood").caused_by(error)
        })?;
        url.set_fragment(None);
        let mut open = url.clone();
        open.set_query(None);
        let named = open.set_username("").is_ok() && open.set_password(None).is_ok();
        if !named || !matches!(url.scheme(), "http" | "https") {
            return Err(Error::new(ErrorKind::InvalidArgument, "a volume's URL begins with http or https")
                .with("scheme", url.scheme()));
        }
        let shown = open.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, shown })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL of a file in the folder, whose query is the folder's.
    pub(super) fn file(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        // A URL of http always has a path.
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(name.split('/').filter(|part| !part.is_empty()));
        }
        url
    }

    /// What tells the volume from others: not who asks for it with which password.
    pub(super) fn identity(&self) -> String {
        format!("{}@{}?{}", self.url.username(), self.shown, self.url.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_below_the_folder() {
        let file = |folder: &str, name: &str| VolumeUrl::parse(folder).unwrap().file(name).to_string();
        for folder in
            ["https://h/a/b", "https://h/a/b/", "precomputed://https://h/a/b", "HTTPS://H:443/a/b#x"]
        {
            assert_eq!(
                file(folder, "8_8_40/0-64_0-64_-3-1"),
                "https://h/a/b/8_8_40/0-64_0-64_-3-1",
                "{folder}"
            );
        }
        assert_eq!(file("http://h", "./a b/c?d#e%f\\ü"), "http://h/a%20b/c%3Fd%23e%25f%5C%C3%BC");
        assert_eq!(file("http://u:p@h/v?sig=1", "info"), "http://u:p@h/v/info?sig=1");
    }

    #[test]
    fn what_lets_somebody_in_is_not_shown() {
        let url = VolumeUrl::parse("http://u:secret@h/v/?sig=hidden#x").unwrap();
        assert_eq!(url.shown, "http://h/v");
        assert!(!url.identity().contains("secret"));
        for (text, kind) in
            [("http://", ErrorKind::InvalidArgument), ("ftp://u:secret@h", ErrorKind::InvalidArgument)]
        {
            let error = VolumeUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn spellings_of_a_url_are_one_volume() {
        let identity = |text: &str| VolumeUrl::parse(text).unwrap().identity();
        assert_eq!(identity("precomputed://HTTP://H:80/v/"), identity("http://h/v"));
        assert_ne!(identity("http://h/v?version=1"), identity("http://h/v?version=2"));
    }
}
