//! The program `leasehold`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|arg| arg == "server").is_some() {
        let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
        return leasehold_broker::server::main(&args);
    }
    leasehold_broker::run(args.collect())
}
