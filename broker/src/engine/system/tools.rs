//! `sys/tools/*` (contract 2.11): random bytes and hashes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

use crate::fields::{FieldType, FieldValue};
use crate::logical::{
    Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response, replaced_by_path,
};

/// Most random bytes in one answer.
const BYTES_MAX: i64 = 128 * 1024;

const RANDOM: &[Field] = &[
    field("bytes", FieldType::Int, "How many; 32 unless said."),
    field(
        "urlbytes",
        FieldType::String,
        "The same, or the source, in the path.",
    ),
    // Of any type: a body's is never read.
    field(
        "source",
        FieldType::Any,
        "platform, seal or all; only in the path.",
    ),
    field("format", FieldType::String, "base64 or hex."),
];
const HASH: &[Field] = &[
    field("input", FieldType::String, "What to hash, as base64."),
    field(
        "algorithm",
        FieldType::String,
        "sha2- or sha3-, and 224, 256, 384 or 512.",
    ),
    field("urlalgorithm", FieldType::String, "The same in the path."),
    field("format", FieldType::String, "hex or base64."),
];

const fn field(name: &'static str, kind: FieldType, help: &'static str) -> Field {
    Field { name, kind, help }
}

const fn row(
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    operations: &'static [(Operation, crate::logical::Handler)],
) -> PathSpec {
    PathSpec {
        pattern,
        summary,
        fields,
        open: false,
        access: Access::Token,
        existence: None,
        operations,
    }
}

pub(super) static ROWS: &[PathSpec] = &[
    row(
        "tools/random",
        "Random bytes.",
        RANDOM,
        &[(Operation::Update, |call| Box::pin(random(call)))],
    ),
    row(
        "tools/random/:source/:urlbytes",
        "Random bytes.",
        RANDOM,
        &[(Operation::Update, |call| Box::pin(random(call)))],
    ),
    row(
        "tools/random/*urlbytes",
        "Random bytes.",
        RANDOM,
        &[(Operation::Update, |call| Box::pin(random(call)))],
    ),
    row(
        "tools/hash",
        "A hash.",
        HASH,
        &[(Operation::Update, |call| Box::pin(hash(call)))],
    ),
    row(
        "tools/hash/:urlalgorithm",
        "A hash.",
        HASH,
        &[(Operation::Update, |call| Box::pin(hash(call)))],
    ),
];

async fn random(call: &Call<'_>) -> Outcome {
    let text = |name: &str| call.fields.get(name).and_then(FieldValue::as_text);
    let captured = |name: &str| call.captures.get(name).map(String::as_str);
    let (mut source, mut count) = (captured("source"), captured("urlbytes"));
    // One word in the path is a source or a count.
    if let (None, Some("platform" | "seal" | "all")) = (source, count) {
        source = count.take();
    }
    let bytes = match count {
        Some(count) => count.parse().map_err(|_| {
            Fault::bad(format!(
                "error parsing url-set byte count: {count:?} is no whole number"
            ))
        })?,
        None => call
            .fields
            .get("bytes")
            .and_then(FieldValue::as_int)
            .unwrap_or(32),
    };
    if bytes < 1 {
        return Err(Fault::bad("'bytes' cannot be less than 1"));
    }
    if bytes > BYTES_MAX {
        return Err(Fault::bad(format!(
            "'bytes' should be less than {BYTES_MAX}"
        )));
    }
    let hex = match text("format").unwrap_or("base64") {
        "base64" => false,
        "hex" => true,
        other => {
            return Err(Fault::bad(format!(
                "unsupported encoding format \"{other}\"; must be \"hex\" or \"base64\""
            )));
        }
    };
    let mut warnings = Vec::new();
    let in_body = call.request.body.get("source");
    if captured("source").is_none() && in_body.is_some_and(|source| !source.is_null()) {
        warnings.push(replaced_by_path(&["source"]));
    }
    match source.unwrap_or_default() {
        "" | "platform" | "all" => {}
        "seal" => warnings.push(
            "no seal/entropy augmentation available, using platform entropy source".to_owned(),
        ),
        other => {
            return Err(Fault::bad(format!(
                "unsupported entropy source \"{other}\"; must be \"platform\" or \"seal\", or \"all\""
            )));
        }
    }
    let mut drawn = vec![0u8; usize::try_from(bytes).unwrap_or_default()];
    rand::fill(&mut drawn[..]);
    let shown = if hex {
        hex::encode(&drawn)
    } else {
        STANDARD.encode(&drawn)
    };
    let response = Response::data(json!({ "random_bytes": shown }));
    Ok(Some(Response {
        warnings,
        ..response
    }))
}

async fn hash(call: &Call<'_>) -> Outcome {
    let text = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_text)
            .unwrap_or_default()
    };
    let algorithm = match (text("urlalgorithm"), text("algorithm")) {
        ("", "") => "sha2-256",
        ("", algorithm) | (algorithm, _) => algorithm,
    };
    let hex = match text("format") {
        "" | "hex" => true,
        "base64" => false,
        other => {
            return Err(Fault::bad(format!(
                "unsupported encoding format {other}; must be \"hex\" or \"base64\""
            )));
        }
    };
    let input = STANDARD
        .decode(text("input"))
        .map_err(|error| Fault::bad(format!("unable to decode input as base64: {error}")))?;
    let sum = digest(algorithm, &input)
        .ok_or_else(|| Fault::bad(format!("unsupported algorithm {algorithm}")))?;
    let shown = if hex {
        hex::encode(&sum)
    } else {
        STANDARD.encode(&sum)
    };
    Ok(Some(Response::data(json!({ "sum": shown }))))
}

/// None: there is no such algorithm.
fn digest(algorithm: &str, input: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        "sha2-224" => Sha224::digest(input).to_vec(),
        "sha2-256" => Sha256::digest(input).to_vec(),
        "sha2-384" => Sha384::digest(input).to_vec(),
        "sha2-512" => Sha512::digest(input).to_vec(),
        "sha3-224" => Sha3_224::digest(input).to_vec(),
        "sha3-256" => Sha3_256::digest(input).to_vec(),
        "sha3-384" => Sha3_384::digest(input).to_vec(),
        "sha3-512" => Sha3_512::digest(input).to_vec(),
        _ => return None,
    })
}
