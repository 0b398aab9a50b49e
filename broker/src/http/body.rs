//! Bodies in, with their limits: size, time, and how many large ones there may be at once.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Semaphore;

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a client may take for its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(90);
/// Up to here anybody may send what they like; larger ones wait for their turn, so that memory is bounded whoever sends them.
const SMALL_BYTES: usize = 1024 * 1024;
const LARGE_AT_ONCE: usize = 8;

static LARGE: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Past the limit.
    TooLarge,
    /// The client ended it, or was too slow.
    Cut,
}

/// Reads a whole body.
pub(super) async fn read(body: Incoming) -> Result<Vec<u8>, BodyError> {
    tokio::time::timeout(BODY_TIMEOUT, collect(body))
        .await
        .unwrap_or(Err(BodyError::Cut))
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    let mut turn = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Cut)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLarge);
        }
        if turn.is_none() && bytes.len() + data.len() > SMALL_BYTES {
            turn = Some(LARGE.acquire().await.map_err(|_| BodyError::Cut)?);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}
