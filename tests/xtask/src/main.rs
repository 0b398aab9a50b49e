//! The one door for chores: `cargo xtask build | install | dev | guide | fuzz | test | crash | soak | mass | mutants | bench`.
//!
//! Each of them starts from a bare clone on a machine with the Rust toolchain and a C compiler, and installs what else
//! it needs ([`machine`]). Everything is built in one profile (release) and one target folder, so that dependencies are
//! compiled once, whichever chore comes first. Nothing here knows how the parts work inside.

mod bench;
mod build;
mod cargo;
mod clients;
mod dev;
mod fuzz;
mod guide;
mod install;
mod machine;
mod mutants;
mod step;
mod test;
mod trial;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask CHORE [arguments]

  build                       The program, and beside it the extension's files, in target/release.
  install --pg-config=PATH    The extension into the PostgreSQL server that this pg_config belongs to. With --root=FOLDER,
                              below that folder, for packages and images.
  dev [arguments]             Builds, then runs `leasehold dev` with these arguments.
  guide                       Builds, starts the embedded mode, and runs the whole guide, showing each command and answer.
  fuzz [TARGET] [--seconds=N]
                              Lets a fuzzer look for inputs that break a reader of foreign text, 30 s each.
  test [words]                Builds, checks and tests everything. With words, only tests whose names contain one.
  crash [--cycles N] [--seed S]
                              The crash test, with so many crashes (20 unless told otherwise).
  soak [--minutes M] [--seed S]
                              Random faults under steady work for so long (30 unless told otherwise).
  mass [--leases N]           So many leases (100,000 unless told otherwise) ended at once, with their token, below a prefix and
                              with their mount.
  mutants [words]             Takes one safety after the other out of a copy of the tree, and demands that a test fails
                              each time. With words, only those whose names contain one. Slow; not a part of `test`.
  bench [issue|requests|ends|guide] [--statements] [--large] [--readme=FILE]
                              Measures, and prints the table of the README; with --readme, puts it there.
                              --large measures with 256,000 leases instead.
";

fn main() -> ExitCode {
    fuzz::wrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((chore, rest)) = arguments.split_first() else {
        eprint!("{HELP}");
        return ExitCode::FAILURE;
    };
    let outcome = match chore.as_str() {
        "build" => build::run(),
        "install" => install::run(rest),
        "dev" => dev::run(rest),
        "fuzz" => fuzz::run(rest),
        "guide" => guide::run(),
        "test" => test::run(rest),
        "crash" => trial::run(&trial::CRASH, rest),
        "mass" => trial::run(&trial::MASS, rest),
        "soak" => trial::run(&trial::SOAK, rest),
        "mutants" => mutants::run(rest),
        "bench" => bench::run(rest),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("no chore \"{other}\"\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
