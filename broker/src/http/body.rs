//! Bodies in, with their limits: size, time, and how many large ones there may be at once.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a client may take for its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(90);
/// Up to here anybody may send what they like; larger ones wait until there is room for all of one, so that memory is bounded
/// whoever sends them.
const SMALL_BYTES: usize = 64 * 1024;
/// Room for all larger bodies that are being read or served, in pieces.
const PIECES: usize = 2 * BODY_BYTES_MAX / PIECE_BYTES;
const PIECE_BYTES: usize = 64 * 1024;

static ROOM: Semaphore = Semaphore::const_new(PIECES);

/// A whole body. It takes up room until it is dropped: keep it as long as anything that was made of it.
pub(super) struct Whole {
    /// What was sent.
    pub(super) bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'static>>,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Past the limit.
    TooLarge,
    /// The client ended it, or was too slow.
    Cut,
}

/// Reads a whole body.
pub(super) async fn read(body: Incoming) -> Result<Whole, BodyError> {
    tokio::time::timeout(BODY_TIMEOUT, collect(body))
        .await
        .unwrap_or(Err(BodyError::Cut))
}

async fn collect(mut body: Incoming) -> Result<Whole, BodyError> {
    // All of it at once, or two that have half of what they need wait for each other.
    let most = body.size_hint().upper().map(usize::try_from);
    let most = most
        .and_then(Result::ok)
        .map_or(BODY_BYTES_MAX, |most| most.min(BODY_BYTES_MAX));
    let mut bytes = Vec::new();
    let mut room = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Cut)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLarge);
        }
        if room.is_none() && bytes.len() + data.len() > SMALL_BYTES {
            let pieces = u32::try_from(most.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
            room = Some(
                ROOM.acquire_many(pieces)
                    .await
                    .map_err(|_| BodyError::Cut)?,
            );
            bytes.reserve_exact(most.saturating_sub(bytes.len()));
        }
        bytes.extend_from_slice(data);
    }
    Ok(Whole { bytes, _room: room })
}
