//! What fuzzing found once, and where it begins, tried again without a fuzzer.

use leasehold_fuzz::{TARGETS, seeds};
use std::path::Path;

#[test]
fn seeds_hold() {
    for (name, target) in TARGETS {
        let seeds = seeds::of(name);
        assert!(seeds.len() >= 20, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            target(&seed);
        }
    }
}

#[test]
fn what_was_found_holds() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    for (name, target) in TARGETS {
        let Ok(folder) = found.join(name).read_dir() else {
            continue;
        };
        for entry in folder {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            target(&std::fs::read(&path).expect("a file can be read"));
        }
    }
}
