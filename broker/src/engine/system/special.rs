//! Endpoints outside the mount system (contract 2.1 to 2.6): they answer while sealed, without policies and without envelopes.

use super::special_call::SpecialCall;
use super::{init, seal, state, unseal};
use crate::logical::RunFuture;

type Run = for<'a> fn(&'a SpecialCall<'a>) -> RunFuture<'a>;

/// One endpoint.
pub struct Special {
    /// Below `/v1/`, exactly.
    pub path: &'static str,
    /// Methods it serves; others are 405.
    pub methods: &'static [&'static str],
    run: Run,
}

impl Special {
    /// Whether it serves a method.
    pub fn serves(&self, method: &str) -> bool {
        self.methods.contains(&method)
    }

    /// Serves a request.
    pub fn run<'a>(&self, call: &'a SpecialCall<'a>) -> RunFuture<'a> {
        (self.run)(call)
    }
}

/// All of them.
pub static SPECIALS: &[Special] = &[
    Special {
        path: "sys/health",
        methods: &["GET", "HEAD"],
        run: |call| Box::pin(state::health(call)),
    },
    Special {
        path: "sys/seal-status",
        methods: &["GET"],
        run: |call| Box::pin(state::seal_status(call)),
    },
    Special {
        path: "sys/leader",
        methods: &["GET"],
        run: |call| Box::pin(state::leader(call)),
    },
    Special {
        path: "sys/init",
        methods: &["GET", "PUT", "POST"],
        run: |call| Box::pin(init::endpoint(call)),
    },
    Special {
        path: "sys/unseal",
        methods: &["PUT", "POST"],
        run: |call| Box::pin(unseal::endpoint(call)),
    },
    Special {
        path: "sys/seal",
        methods: &["PUT", "POST"],
        run: |call| Box::pin(seal::seal(call)),
    },
    Special {
        path: "sys/step-down",
        methods: &["PUT", "POST"],
        run: |call| Box::pin(seal::step_down(call)),
    },
];

/// The endpoint at a path.
pub fn find(path: &str) -> Option<&'static Special> {
    SPECIALS.iter().find(|special| special.path == path)
}
