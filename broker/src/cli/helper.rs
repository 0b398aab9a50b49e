//! The token file: `~/.vault-token`, shared with the other command lines of this API.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use crate::secret::Token;

/// Where the token is kept: `TOKEN_PATH` of the environment, else `~/.vault-token`.
pub fn path(environment: &Environment) -> Option<PathBuf> {
    match environment.lookup("TOKEN_PATH") {
        Some((_, path)) => Some(PathBuf::from(path)),
        None => environment.home().map(|home| home.join(".vault-token")),
    }
}

/// The kept token; none when there is no file or nothing in it.
pub fn load(path: &Path) -> io::Result<Option<Token>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = text.trim();
            Ok((!text.is_empty()).then(|| Token::new(text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps a token, readable by its owner alone; whoever reads meanwhile sees the old one or the new.
pub fn store(path: &Path, token: &Token) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| {
            file.write_all(token.expose().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}
