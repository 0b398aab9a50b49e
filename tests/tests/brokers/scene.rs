//! Store and target apart, and a broker between them.

use anyhow::Result;
use leasehold_tests::{Cluster, Engine, Options, Served};

/// Database `store` in one cluster, and the engine at `db` ready for the other one.
pub struct Scene {
    pub store: Cluster,
    pub target: Cluster,
    pub broker: Served,
    pub engine: Engine,
}

impl Scene {
    /// All of it, started.
    pub fn start() -> Result<Scene> {
        let store = Cluster::start(Options::default())?;
        let target = Cluster::start(Options::default())?;
        let broker = Served::start(&store, "store", "")?;
        let engine = Engine::ready(&broker.root(), "db", target.port())?;
        Ok(Scene {
            store,
            target,
            broker,
            engine,
        })
    }
}
