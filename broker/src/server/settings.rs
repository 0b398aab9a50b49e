//! What a server needs to know to start.

use std::time::Duration;

use crate::core;
use crate::seal::KeySource;
use crate::secret::ConnectionUrl;

/// All of it, parsed once; nobody else reads files or the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HOST:PORT` of each listener; port 0 takes a free one.
    pub listen_addresses: Vec<String>,
    /// The store's database.
    pub connection_url: ConnectionUrl,
    /// Most connections to it.
    pub connections_max: u32,
    /// Where the root key comes from.
    pub key_source: KeySource,
    /// Name of a new store.
    pub cluster_name: String,
    /// TTLs and the advertised version.
    pub core: core::Settings,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub log_level: String,
    /// Log lines as JSON objects.
    pub log_json: bool,
    /// Names in the file that mean nothing here.
    pub ignored: Vec<String>,
    /// How long requests may take to finish when the server goes down.
    pub shutdown_grace: Duration,
}

/// Most connections to the store unless configured.
const CONNECTIONS_MAX: u32 = 24;
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

impl Settings {
    /// The usual settings, for one listener and a store.
    pub fn new(listen_address: impl Into<String>, connection_url: ConnectionUrl) -> Self {
        Settings {
            listen_addresses: vec![listen_address.into()],
            connection_url,
            connections_max: CONNECTIONS_MAX,
            key_source: KeySource::default(),
            cluster_name: "leasehold".into(),
            core: core::Settings::default(),
            log_level: "info".into(),
            log_json: false,
            ignored: Vec::new(),
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }
}
