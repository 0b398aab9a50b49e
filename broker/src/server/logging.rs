//! Log lines on standard error. Fields are searchable, messages readable alone; secrets are types that can not be printed.

use tracing_subscriber::EnvFilter;

/// Starts logging at a level, as text or as JSON objects. `RUST_LOG` wins over the level. A second call changes nothing.
pub fn start_logging(level: &str, json: bool) {
    // What sqlx logs holds statement texts and bound nothing, but slow ones are none of an operator's business here.
    let usual = format!("{level},sqlx=warn");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only if there is a subscriber already.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(false).try_init()
    };
}
