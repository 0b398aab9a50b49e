//! Who holds a row: the backends of the transactions that its header names. `pg_locks` does not tell it of a savepoint that was
//! released, nor of a row that several hold at once.

use pgrx::pg_sys;

/// Whose transactions, still in progress, hold something.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Holders {
    /// The backends that are in them.
    pub pids: Vec<i32>,
    /// Those that are prepared, and nobody's.
    pub prepared: Vec<pg_sys::TransactionId>,
}

impl Holders {
    /// True if nobody holds it.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty() && self.prepared.is_empty()
    }

    /// Those of something else, too.
    pub fn add(&mut self, more: Holders) {
        self.pids.extend(more.pids);
        self.prepared.extend(more.prepared);
    }
}

/// Whose transactions, still in progress, have changed or locked this version of a row of `table`.
pub fn of_row(table: pg_sys::Oid, place: pg_sys::ItemPointerData) -> Holders {
    let mut holders = Holders::default();
    let Some((xmax, flags)) = header(table, place) else {
        return holders;
    };
    if flags & pg_sys::HEAP_XMAX_INVALID != 0 || xmax == pg_sys::InvalidTransactionId {
        return holders;
    }
    let several = flags & pg_sys::HEAP_XMAX_IS_MULTI != 0;
    let transactions = if several {
        members(xmax, flags)
    } else {
        vec![xmax]
    };
    for transaction in transactions {
        match holder(transaction) {
            Some(Holder::Backend(pid)) => holders.pids.push(pid),
            Some(Holder::Prepared(transaction)) => holders.prepared.push(transaction),
            None => {}
        }
    }
    holders
}

/// Who changed or locked the version last, and what its header says of that.
fn header(
    table: pg_sys::Oid,
    place: pg_sys::ItemPointerData,
) -> Option<(pg_sys::TransactionId, u32)> {
    // SAFETY: inside a transaction. The tuple lies in a page that is pinned while it is read, and locked against whoever would
    // write its header meanwhile; relation and pin are given back, by the transaction's end if there is an error.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let mut tuple = pg_sys::HeapTupleData {
            t_self: place,
            ..Default::default()
        };
        let mut buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
        let any = &raw mut pg_sys::SnapshotAnyData;
        let found = pg_sys::heap_fetch(relation, any, &mut tuple, &mut buffer, false).then(|| {
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let header = &*tuple.t_data;
            let read = (header.t_choice.t_heap.t_xmax, u32::from(header.t_infomask));
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32);
            pg_sys::ReleaseBuffer(buffer);
            read
        });
        pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        found
    }
}

/// The transactions that hold a row together.
fn members(several: pg_sys::MultiXactId, flags: u32) -> Vec<pg_sys::TransactionId> {
    let only_locked = flags & pg_sys::HEAP_XMAX_LOCK_ONLY != 0;
    // SAFETY: inside a transaction; the server allocates the array, of as many as it says.
    unsafe {
        let mut list = std::ptr::null_mut();
        let count = pg_sys::GetMultiXactIdMembers(several, &mut list, false, only_locked);
        let count = usize::try_from(count).unwrap_or(0);
        (0..count).map(|at| (*list.add(at)).xid).collect()
    }
}

enum Holder {
    Backend(i32),
    Prepared(pg_sys::TransactionId),
}

/// Whose transaction this is, or is a part of; `None` if it is over.
fn holder(transaction: pg_sys::TransactionId) -> Option<Holder> {
    // SAFETY: asks the server's own tables; only of one in progress is its parent sure to be still known.
    unsafe {
        if !pg_sys::TransactionIdIsInProgress(transaction) {
            return None;
        }
        let whole = pg_sys::SubTransGetTopmostTransaction(transaction);
        match pg_sys::BackendXidGetPid(whole) {
            // Prepared, or over since it was asked: then no prepared one has its number.
            0 => Some(Holder::Prepared(whole)),
            pid => Some(Holder::Backend(pid)),
        }
    }
}
