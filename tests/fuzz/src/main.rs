//! The fuzzer: libFuzzer with the target that `LEASEHOLD_FUZZ_TARGET` names. Before it starts it writes the target's
//! seeds into the folder `LEASEHOLD_FUZZ_SEEDS`. `cargo xtask fuzz` sets both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn begin() {
    let name =
        std::env::var("LEASEHOLD_FUZZ_TARGET").expect("LEASEHOLD_FUZZ_TARGET names a target");
    let target = leasehold_fuzz::target(&name).expect("there is a target of that name");
    TARGET.get_or_init(|| target);
    if let Some(folder) = std::env::var_os("LEASEHOLD_FUZZ_SEEDS") {
        for (number, seed) in leasehold_fuzz::seeds::of(&name).into_iter().enumerate() {
            let file = Path::new(&folder).join(format!("seed-{number}"));
            std::fs::write(file, seed).expect("the seeds can be written");
        }
    }
}

fuzz_target!(init: begin(), |data: &[u8]| {
    let target = TARGET.get().expect("begun");
    target(data);
});
