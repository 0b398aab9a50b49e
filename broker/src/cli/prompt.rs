//! Asking for a secret on the terminal, without showing it.

use std::io::{self, BufRead, IsTerminal};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::fail::Fail;
use super::session::Session;

/// Asks; fails with `otherwise` where nobody can answer.
pub fn secret(
    session: &mut Session,
    question: &str,
    otherwise: &str,
) -> Result<Zeroizing<String>, Fail> {
    if !io::stdin().is_terminal() || session.flags.is_on("non-interactive") {
        return Err(Fail::Input(otherwise.to_owned()));
    }
    write!(session.err, "{question} (will be hidden): ")?;
    session.err.flush()?;
    let silence = Silence::begin();
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line);
    drop(silence);
    writeln!(session.err)?;
    read?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// The terminal does not echo while this lives. `stty` does it, so that no unsafe call is needed.
struct Silence;

impl Silence {
    fn begin() -> Silence {
        stty("-echo");
        Silence
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// Where `stty` is missing the question is asked all the same, and the answer seen.
fn stty(mode: &str) {
    let _ = Command::new("stty")
        .arg(mode)
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
}
