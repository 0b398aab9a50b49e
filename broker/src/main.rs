//! The program `leasehold`: everything is in the library.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let text: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    match text.split_first() {
        Some((verb, rest)) if verb == "dev" => leasehold_broker::dev::run(rest),
        Some((verb, rest)) if verb == "server" && rest.iter().any(is_dev) => {
            leasehold_broker::dev::run(rest)
        }
        Some((verb, rest)) if verb == "server" => leasehold_broker::server::main(rest),
        _ => leasehold_broker::run(args),
    }
}

fn is_dev(arg: &String) -> bool {
    ["-dev", "--dev"].contains(&arg.as_str())
}
