//! Durations: whatever is read is within bounds, means the same when written and read again, and has its mirror image.

use leasehold_broker::duration::{Span, parse, parse_json, parse_seconds};
use serde_json::Value;

/// Longest message about a text, which it quotes in part.
const MESSAGE_BYTES_MAX: usize = 2_048;

pub(crate) fn target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = parse(&text);
    let again = parse_json(&Value::String(text.clone().into_owned()));
    assert_eq!(
        again,
        read.clone().map(Some),
        "as JSON it is something else"
    );
    assert_eq!(parse_seconds(&text), read.clone().map(Span::seconds));
    let span = match read {
        Ok(span) => span,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= MESSAGE_BYTES_MAX, "{message}");
            assert!(!message.chars().any(char::is_control), "{message:?}");
            return;
        }
    };
    assert_eq!(
        i128::from(span.nanos()) / 1_000_000_000,
        i128::from(span.seconds())
    );
    assert!(span.whole_seconds().nanos().unsigned_abs() <= span.nanos().unsigned_abs());
    assert_eq!(
        parse(&span.to_string()),
        Ok(span),
        "{span} is read as something else"
    );
    if !text.is_empty() && !text.starts_with(['+', '-']) {
        let mirrored = parse(&format!("-{text}")).map(Span::nanos);
        assert_eq!(mirrored, Ok(-span.nanos()), "-{text}");
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !text.is_empty() {
        assert_eq!(text.parse(), Ok(span.seconds()), "a number is seconds");
    }
}
