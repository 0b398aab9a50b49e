//! What is fuzzed: the pure readers of foreign text that the broker uses, each with what has to hold for any input.
//!
//! A target is a file here and a line in [`TARGETS`]. `cargo xtask fuzz` builds `src/main.rs` with coverage and lets
//! libFuzzer look for inputs that break a target; what it finds is kept below `found/TARGET/` and tried again by
//! `tests/replay.rs`, without a fuzzer, every time.

mod duration;
mod json;
mod path;
mod policy;
pub mod seeds;
mod template;

/// A target's name and itself: it panics if something does not hold.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("duration", duration::target),
    ("json", json::target),
    ("path", path::target),
    ("policy", policy::target),
    ("template", template::target),
];

/// The target of this name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, target)| *target)
}
