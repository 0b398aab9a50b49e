//! `server`: runs a server. With `-dev` it is `dev`.

use std::process::ExitCode;

use crate::cli::verb::{Count, Output, Run, Verb};
use crate::{dev, server};

pub static VERB: Verb = Verb {
    name: "server",
    about: "Run a server",
    usage: "[options]",
    help: "",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Program(run),
};

fn run(args: &[String]) -> ExitCode {
    if args
        .iter()
        .any(|arg| ["-dev", "--dev"].contains(&arg.as_str()))
    {
        dev::run(args)
    } else {
        server::main(args)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::server::Settings;

    /// What people copy from the README starts a server.
    #[test]
    fn configurations_of_the_readme_are_read() {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let readme = std::fs::read_to_string(readme).expect("a full checkout");
        let blocks = readme.split("```hcl\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or_default());
        let mut read = 0;
        for block in blocks.filter(|block| block.contains("listener ")) {
            let settings = Settings::parse(block, |_| None);
            let settings = settings.unwrap_or_else(|error| panic!("{error}\n{block}"));
            assert!(settings.ignored.is_empty(), "{:?}", settings.ignored);
            read += 1;
        }
        assert!(read > 0, "the README shows no configuration");
    }
}
