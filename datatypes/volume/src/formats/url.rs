//! Names of images that are URLs.

use std::path::{Path, PathBuf};

/// Whether a name of an image is the URL of a precomputed volume rather than a path: `http://`, `https://`, or these
/// behind `precomputed://`.
pub fn is_url(name: &Path) -> bool {
    name.to_str().is_some_and(|name| {
        let plain = plain(name);
        starts_with(plain, "http://") || starts_with(plain, "https://")
    })
}

/// A URL without what Neuroglancer has around it to say the format.
pub(super) fn plain(url: &str) -> &str {
    let url = if starts_with(url, "precomputed://") { &url["precomputed://".len()..] } else { url };
    url.strip_suffix("|neuroglancer-precomputed:").unwrap_or(url)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A name for people: of a URL what no password and no token is in.
pub(super) fn shown(name: &Path) -> PathBuf {
    if !is_url(name) {
        return name.to_owned();
    }
    let text = name.to_string_lossy();
    let url = plain(&text);
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (host, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        for url in
            ["http://h/v", "HTTPS://h", "precomputed://https://h/v", "https://h/v|neuroglancer-precomputed:"]
        {
            assert!(is_url(Path::new(url)), "{url}");
        }
        for path in
            ["", "http", "http:/h", "./http://h", "precomputed://h/v", "redb:a", "précomputed://http://h"]
        {
            assert!(!is_url(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn nobody_is_shown_a_password() {
        let shown = |name: &str| shown(Path::new(name)).display().to_string();
        assert_eq!(shown("precomputed://https://me:secret@h:8/a/b@c?token=x#y"), "https://h:8/a/b@c");
        assert_eq!(shown("https://me@secret@h"), "https://h");
        assert_eq!(shown("a?b"), "a?b");
    }
}
