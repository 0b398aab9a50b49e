//! Paths: what is judged is canonical, decoded once, and what is served; to make it canonical again changes nothing.

use leasehold_broker::path::{PathError, canonicalize, folder, folder_range, mount_path, segments};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) fn target(data: &[u8]) {
    let Ok(url) = std::str::from_utf8(data) else {
        return;
    };
    let path = match canonicalize(url) {
        Ok(path) => path,
        Err(
            PathError::BadEscape
            | PathError::NotPrintable
            | PathError::Outside
            | PathError::Relative,
        ) => return,
    };
    assert!(!path.starts_with('/') && !path.contains("//"), "{path:?}");
    assert!(
        segments(&path).all(|segment| !matches!(segment, "." | "..")),
        "{path:?}"
    );
    assert!(!path.chars().any(char::is_control), "{path:?}");
    // The same path, encoded letter by letter or only where a percent sign stands, is the same path: there is one reading.
    let encoded = format!("/v1/{}", utf8_percent_encode(&path, NON_ALPHANUMERIC));
    assert_eq!(canonicalize(&encoded).as_ref(), Ok(&path), "{encoded}");
    let plain = format!("/v1/{}", path.replace('%', "%25"));
    assert_eq!(canonicalize(&plain).as_ref(), Ok(&path), "{plain}");
    if let Some(raw) = url.strip_prefix("/v1/") {
        assert_eq!(path, naive(raw), "{url}");
    }
    mounts(&path);
}

/// The same by hand: decoded once, then without empty segments but for a last one.
fn naive(raw: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| std::str::from_utf8(&after[..2]).expect("two digits"));
        match hex {
            Some(hex) => {
                bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut path = segments(&text).collect::<Vec<_>>().join("/");
    if text.ends_with('/') && !path.is_empty() {
        path.push('/');
    }
    path
}

/// Mounts and folders: one form each, and a folder's range holds what lies in it.
fn mounts(path: &str) {
    let mount = mount_path(path);
    assert_eq!(mount_path(&mount), mount, "{path:?}");
    let own = folder(path);
    if let Some((from, to)) = folder_range(&own) {
        let inside = format!("{own}x");
        assert!(
            from <= inside && inside < to,
            "{inside:?} is outside {from:?}..{to:?}"
        );
    }
}
