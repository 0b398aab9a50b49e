//! Where fuzzing begins: texts of each kind out of the recorded conversations, and a few of our own.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Longest seed in bytes: longer ones slow a fuzzer down and show nothing more.
const SEED_BYTES_MAX: usize = 1_024;

/// The seeds of a target, each once.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
    let mut seeds: BTreeSet<Vec<u8>> = own(target).iter().map(|s| s.as_bytes().to_vec()).collect();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the recorded conversations are there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "json"))
    {
        let text = std::fs::read(file).expect("a recording can be read");
        let recording: Value = serde_json::from_slice(&text).expect("a recording is JSON");
        for step in recording["steps"].as_array().into_iter().flatten() {
            collect(target, step, &mut seeds);
        }
    }
    seeds.retain(|seed| seed.len() <= SEED_BYTES_MAX);
    seeds.into_iter().collect()
}

fn own(target: &str) -> &'static [&'static str] {
    match target {
        "duration" => &["1h30m", "-1.5h", "30d", "1us", "9223372036", "0.000000001s"],
        "json" => &[
            "{\"a\":[1,-0,1E3,\"\\ud83d\\ude00\"],\"a\":null}",
            "a=1&b=%20",
        ],
        "path" => &["/v1/a/%2e%2e/b", "/v1//a%2Fb/"],
        _ => &[],
    }
}

fn collect(target: &str, step: &Value, seeds: &mut BTreeSet<Vec<u8>>) {
    let mut take = |text: &str| seeds.insert(text.as_bytes().to_vec());
    let body = &step["body"];
    match target {
        "path" => {
            if let Some((_, path)) = step["do"].as_str().and_then(|line| line.split_once(' ')) {
                let whole = path.starts_with('/');
                take(&if whole {
                    path.to_owned()
                } else {
                    format!("/v1/{path}")
                });
            }
        }
        "json" => {
            if let Some(raw) = step["raw"].as_str() {
                take(raw);
            } else if !body.is_null() {
                take(&body.to_string());
            }
        }
        "policy" => {
            body["policy"].as_str().map(take);
        }
        "template" => {
            body["username_template"].as_str().map(take);
        }
        "duration" => {
            for (name, value) in body.as_object().into_iter().flatten() {
                if name.contains("ttl") || name == "period" || name == "increment" {
                    take(value.as_str().unwrap_or(&value.to_string()));
                }
            }
        }
        _ => {}
    }
}
