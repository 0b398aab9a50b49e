//! The command line at a terminal, where it asks for what must not be seen. `script` lends the terminal.

use anyhow::{Context, Result, ensure};
use leasehold_tests::built;
use std::io::Read;
use std::process::{Command, Stdio};

/// Starts `$1 login`, sends it a signal once the terminal has fallen silent, and says whether that echoes then. No shell
/// with job control, so everybody here may speak to the terminal.
const PLAY: &str = r#"
exec 3<&0
"$1" login <&3 &
asked=$!
echoes() { stty -a <&3 | tr -s ' ;' '\n\n' | grep -x -e '-\{0,1\}echo'; }
until_says() {
    n=0
    until [ "$(echoes)" = "$1" ] || [ $n = 200 ]; do sleep 0.05; n=$((n + 1)); done
}
until_says -echo
echo "asked: $(echoes)"
kill -s "$2" $asked
until_says echo
echo "then: $(echoes)"
kill -s KILL $asked
"#;

#[test]
fn a_signal_at_a_hidden_prompt_lets_the_terminal_echo_again() -> Result<()> {
    if Command::new("script").arg("--version").output().is_err() {
        println!("left out: there is no script on this machine");
        return Ok(());
    }
    let program = built::binary()?;
    let folder = std::env::temp_dir().join(format!("leasehold-prompt-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let play = folder.join("play.sh");
    std::fs::write(&play, PLAY)?;
    let mut failed = Vec::new();
    for signal in ["INT", "TERM", "QUIT"] {
        let line = format!("sh {} {} {signal}", play.display(), program.display());
        let mut script = Command::new("script")
            .args(["-q", "-e", "-c", &line, "/dev/null"])
            .env("HOME", &folder)
            // Kept open: its end would be an answer to the question.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running script")?;
        let mut shown = String::new();
        script
            .stdout
            .as_mut()
            .context("its output")?
            .read_to_string(&mut shown)?;
        script.wait()?;
        if !(shown.contains("asked: -echo") && shown.contains("then: echo")) {
            failed.push(format!("{signal}: {shown}"));
        }
    }
    std::fs::remove_dir_all(&folder)?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
