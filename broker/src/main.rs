//! The program `leasehold`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    leasehold_broker::run(std::env::args_os().skip(1).collect())
}
