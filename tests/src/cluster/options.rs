//! What a test may want of its cluster.

/// `Options::default()` is right for most: extension preloaded and created, nothing durable, small memory.
#[derive(Clone, Debug)]
pub struct Options {
    /// `shared_preload_libraries`, in this order.
    pub preload: Vec<String>,
    /// Whether database `postgres` gets the extension.
    pub extension: bool,
    /// Whether what is acknowledged survives a crash of the machine (`fsync`, `full_page_writes`). Surviving
    /// `stop -m immediate` or a killed backend does not need it: the kernel keeps what was written.
    pub durable: bool,
    /// The `postgres` to run, of a prefix with the extension; none: the one that the tests share.
    pub server: Option<std::path::PathBuf>,
    /// More server settings; later ones win.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            preload: vec!["leasehold".to_owned()],
            extension: true,
            durable: false,
            server: None,
            settings: Vec::new(),
        }
    }
}

impl Options {
    /// With one more server setting.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With nothing preloaded: `CREATE EXTENSION` still works, no worker runs.
    pub fn without_preload(mut self) -> Self {
        self.preload.clear();
        self
    }

    /// Name and value of every setting given on the server's command line.
    pub(super) fn all_settings(&self) -> Vec<(String, String)> {
        let durable = if self.durable { "on" } else { "off" };
        let preload = self.preload.join(",");
        let base = [
            ("listen_addresses", "127.0.0.1"),
            ("shared_preload_libraries", preload.as_str()),
            ("fsync", durable),
            ("full_page_writes", durable),
            ("shared_buffers", "32MB"),
            ("max_connections", "100"),
            ("max_prepared_transactions", "5"),
            ("max_worker_processes", "24"),
            ("jit", "off"),
            ("ssl", "off"),
            ("log_line_prefix", "%m [%p] %q%u@%d "),
        ];
        base.into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain(self.settings.iter().cloned())
            .collect()
    }
}
