//! Asking for a secret on the terminal, without showing it.

use std::io::{self, BufRead, IsTerminal};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
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

/// Whether the terminal does not echo because of us. Held while that changes, so that the last word is `echo`.
static SILENT: Mutex<bool> = Mutex::new(false);

/// The terminal does not echo while this lives. `stty` does it, so that no unsafe call is needed.
struct Silence;

impl Silence {
    fn begin() -> Silence {
        // First, or a Ctrl-C in between would leave the terminal mute. Where signals can not be watched the answer is
        // still better hidden.
        let _ = end_aloud();
        let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
        stty("-echo");
        *silent = true;
        Silence
    }

    fn end() -> MutexGuard<'static, bool> {
        let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *silent) {
            stty("echo");
        }
        silent
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        drop(Silence::end());
    }
}

/// From now on the signals that end the process let the terminal echo again before. Without this they would end it on the
/// spot, and whoever is left at the terminal would not see what they type.
fn end_aloud() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut quit = signal(SignalKind::quit())?;
    drop(inside);
    thread::spawn(move || {
        let kind = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = quit.recv() => SignalKind::quit(),
            }
        });
        // Kept to the end: nobody is to silence it again.
        let _last = Silence::end();
        // As shells count a process that a signal ended.
        std::process::exit(128 + kind.as_raw_value());
    });
    Ok(())
}

/// Where `stty` is missing the question is asked all the same, and the answer seen.
fn stty(mode: &str) {
    let _ = Command::new("stty")
        .arg(mode)
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
}
