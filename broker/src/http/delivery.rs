//! A response body that knows whether it was handed over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::core::Core;
use crate::logical::Undelivered;

/// A whole body in one piece. Dropped before the connection took it, it sets off what was left for that case.
pub(super) struct Delivery {
    bytes: Option<Bytes>,
    undelivered: Option<(Arc<Core>, Undelivered)>,
}

impl Delivery {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Delivery {
            bytes: (!bytes.is_empty()).then(|| bytes.into()),
            undelivered: None,
        }
    }

    /// What is to be done if nobody takes this body.
    pub(super) fn or_else(mut self, core: &Arc<Core>, undelivered: Option<Undelivered>) -> Self {
        self.undelivered = undelivered.map(|work| (core.clone(), work));
        self
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.undelivered = None;
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some((core, work)) = self.undelivered.take() {
            tracing::info!("a client went away before its answer; undoing what it asked for");
            core.tasks.spawn(work.into_future());
        }
    }
}
