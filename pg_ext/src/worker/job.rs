//! A cleaner's errand, as it lies on the board: which logins to clean away in which database, and what came of it.
//! The sweeper that posted it reads the answers when the cleaner has ended.

use pgrx::pg_sys;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering::SeqCst};

/// How many cleaners may run at once in the whole cluster.
pub const JOBS_MAX: usize = 6;
/// How many leases one errand takes along.
pub const ITEMS_MAX: usize = 64;
/// How many bytes of a reason are kept.
pub const REASON_MAX: usize = 480;

/// An errand.
#[repr(C)]
pub struct Job {
    /// The sweeper that posted it; 0 is a free job.
    pub poster: AtomicU32,
    /// The database of the installation that the leases belong to.
    pub home: AtomicU32,
    /// The database to visit.
    pub database: AtomicU32,
    /// The cleaner's process id while it is at it.
    pub cleaner: AtomicU32,
    /// How many of the items are used.
    pub count: AtomicU32,
    /// The leases.
    pub items: [Item; ITEMS_MAX],
}

/// One lease of an errand.
#[repr(C)]
pub struct Item {
    lease: AtomicI64,
    login: AtomicU32,
    reassign_to: AtomicU32,
    flags: AtomicU32,
    answer: AtomicU32,
    reason_length: AtomicU32,
    reason: [AtomicU8; REASON_MAX],
}

/// What is to be done for one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The lease's internal number.
    pub lease: i64,
    /// Its login; `None` for a lease without one, which only has ending statements.
    pub login: Option<pg_sys::Oid>,
    /// Who gets what the login owns.
    pub reassign_to: Option<pg_sys::Oid>,
    /// Whether what the login owns is to be dropped.
    pub drop_owned: bool,
    /// Whether the recipe's ending statements are to be run.
    pub statements: bool,
    /// Whether only prepared transactions are to be rolled back: one of them keeps the login from being fenced.
    pub prepared_only: bool,
    /// Whether the login belongs to an installation that no database holds.
    pub stranger: bool,
    /// Whether it is no login but the group of a shared recipe, and the number is the group's.
    pub group: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The cleaner did not come to it.
    None,
    /// Nothing of the login is left in that database.
    Clean,
    /// It could not be done, and why.
    Failed(String),
    /// Nothing is left of it here, but there is in that database.
    Elsewhere(pg_sys::Oid),
}

const DROP_OWNED: u32 = 1;
const STATEMENTS: u32 = 2;
const PREPARED_ONLY: u32 = 4;
const STRANGER: u32 = 8;
const GROUP: u32 = 16;
/// Set by the cleaner: it has begun with the ending statements.
const BEGUN: u32 = 32;

impl Order {
    /// An order to roll back what `login` has prepared, and nothing else.
    pub fn prepared_only(lease: i64, login: pg_sys::Oid) -> Self {
        Self {
            lease,
            login: Some(login),
            reassign_to: None,
            drop_owned: false,
            statements: false,
            prepared_only: true,
            stranger: false,
            group: false,
        }
    }

    /// An order to clean the group of a shared recipe away.
    pub fn group(number: i64, role: pg_sys::Oid) -> Self {
        Self {
            prepared_only: false,
            group: true,
            ..Self::prepared_only(number, role)
        }
    }

    /// An order to see to the login of an unknown installation.
    pub fn stranger(lease: i64, login: pg_sys::Oid) -> Self {
        Self {
            prepared_only: false,
            stranger: true,
            ..Self::prepared_only(lease, login)
        }
    }
}

impl Item {
    /// Writes an order.
    pub fn write(&self, order: Order) {
        self.lease.store(order.lease, SeqCst);
        self.login
            .store(order.login.map_or(0, |oid| oid.to_u32()), SeqCst);
        self.reassign_to
            .store(order.reassign_to.map_or(0, |oid| oid.to_u32()), SeqCst);
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let flags = flag(order.drop_owned, DROP_OWNED)
            | flag(order.statements, STATEMENTS)
            | flag(order.prepared_only, PREPARED_ONLY)
            | flag(order.stranger, STRANGER)
            | flag(order.group, GROUP);
        self.flags.store(flags, SeqCst);
        self.answer.store(0, SeqCst);
    }

    /// Reads the order.
    pub fn read(&self) -> Order {
        let oid = |number: u32| (number != 0).then(|| pg_sys::Oid::from(number));
        let flags = self.flags.load(SeqCst);
        Order {
            lease: self.lease.load(SeqCst),
            login: oid(self.login.load(SeqCst)),
            reassign_to: oid(self.reassign_to.load(SeqCst)),
            drop_owned: flags & DROP_OWNED != 0,
            statements: flags & STATEMENTS != 0,
            prepared_only: flags & PREPARED_ONLY != 0,
            stranger: flags & STRANGER != 0,
            group: flags & GROUP != 0,
        }
    }

    /// Notes that the ending statements begin now.
    pub fn begin_statements(&self) {
        self.flags.fetch_or(BEGUN, SeqCst);
    }

    /// Whether they have begun.
    pub fn has_begun(&self) -> bool {
        self.flags.load(SeqCst) & BEGUN != 0
    }

    /// Writes what came of it.
    pub fn answer(&self, answer: &Answer) {
        let (code, reason) = match answer {
            Answer::None => (0, ""),
            Answer::Clean => (1, ""),
            Answer::Failed(reason) => (2, reason.as_str()),
            Answer::Elsewhere(database) => {
                self.reassign_to.store(database.to_u32(), SeqCst);
                (3, "")
            }
        };
        let mut end = reason.len().min(REASON_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        for (place, byte) in self.reason.iter().zip(reason[..end].bytes()) {
            place.store(byte, SeqCst);
        }
        self.reason_length
            .store(u32::try_from(end).unwrap_or(0), SeqCst);
        self.answer.store(code, SeqCst);
    }

    /// Reads what came of it.
    pub fn answered(&self) -> Answer {
        match self.answer.load(SeqCst) {
            1 => Answer::Clean,
            2 => {
                let length = self.reason_length.load(SeqCst) as usize;
                let bytes: Vec<u8> = self
                    .reason
                    .iter()
                    .take(length)
                    .map(|byte| byte.load(SeqCst))
                    .collect();
                Answer::Failed(String::from_utf8_lossy(&bytes).into_owned())
            }
            3 => Answer::Elsewhere(pg_sys::Oid::from(self.reassign_to.load(SeqCst))),
            _ => Answer::None,
        }
    }
}

impl Job {
    /// Takes this job for the sweeper `poster`, if it is free, and writes the errand. At most [`ITEMS_MAX`] orders.
    pub fn post(
        &self,
        poster: u32,
        home: pg_sys::Oid,
        database: pg_sys::Oid,
        orders: &[Order],
    ) -> bool {
        if self
            .poster
            .compare_exchange(0, poster, SeqCst, SeqCst)
            .is_err()
        {
            return false;
        }
        self.home.store(home.to_u32(), SeqCst);
        self.database.store(database.to_u32(), SeqCst);
        self.cleaner.store(0, SeqCst);
        for (item, order) in self.items.iter().zip(orders) {
            item.write(*order);
        }
        self.count.store(
            u32::try_from(orders.len().min(ITEMS_MAX)).unwrap_or(0),
            SeqCst,
        );
        true
    }

    /// The items in use.
    pub fn used(&self) -> &[Item] {
        &self.items[..(self.count.load(SeqCst) as usize).min(ITEMS_MAX)]
    }

    /// Makes the job free again.
    pub fn free(&self) {
        self.count.store(0, SeqCst);
        self.poster.store(0, SeqCst);
    }
}
