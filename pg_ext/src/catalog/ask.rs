//! One way to ask the server through SPI: constant text, bound values, rows read into types of ours. A text is parsed and
//! planned once in a session; planning took longer than running it.

use crate::ffi::planner;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgOid;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData};
use pgrx::{FromDatum, IntoDatum, Spi};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// By where the text lies. Kept as long as the session: there are as many as there are calls in this source.
    static KEPT: RefCell<HashMap<Place, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// Address and length of a text: constants lie still.
type Place = (usize, usize);

/// One row of an answer.
pub struct Row<'a, 'b>(&'a SpiHeapTupleData<'b>);

impl Row<'_, '_> {
    /// The value of a column, counted from 1; `None` is null.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: usize) -> Option<T> {
        self.0.get(column).unwrap_or_report()
    }

    /// The value of a column that is never null.
    pub fn must<T: FromDatum + IntoDatum>(&self, column: usize) -> T {
        self.get(column)
            .expect("the column is declared or computed as not null")
    }
}

/// Runs a statement that may write or lock, and reads its rows. It sees what this transaction has done before.
pub fn rows<T>(text: &'static str, values: &[DatumWithOid], read: impl Fn(Row) -> T) -> Vec<T> {
    let _by_index = planner::by_index();
    Spi::connect_mut(|client| {
        let kept = kept(client, text, values);
        let table = client.update(kept, None, values).unwrap_or_report();
        table.map(|tuple| read(Row(&tuple))).collect()
    })
}

/// The same for a text that is put together; it is not kept.
pub fn rows_once<T>(text: &str, values: &[DatumWithOid], read: impl Fn(Row) -> T) -> Vec<T> {
    let _by_index = planner::by_index();
    Spi::connect_mut(|client| {
        let table = client.update(text, None, values).unwrap_or_report();
        table.map(|tuple| read(Row(&tuple))).collect()
    })
}

/// Runs a statement for its effect; the number of rows it touched.
pub fn write(text: &'static str, values: &[DatumWithOid]) -> usize {
    let _by_index = planner::by_index();
    Spi::connect_mut(|client| {
        let kept = kept(client, text, values);
        client.update(kept, None, values).unwrap_or_report().len()
    })
}

/// Asks without writing or locking, with the snapshot that is active.
pub fn look<T>(text: &'static str, values: &[DatumWithOid], read: impl Fn(Row) -> T) -> Vec<T> {
    let _by_index = planner::by_index();
    Spi::connect(|client| {
        let kept = kept(client, text, values);
        let table = client.select(kept, None, values).unwrap_or_report();
        table.map(|tuple| read(Row(&tuple))).collect()
    })
}

/// The plan of a text, made for values of these types at its first use.
fn kept(
    client: &SpiClient<'_>,
    text: &'static str,
    values: &[DatumWithOid],
) -> &'static OwnedPreparedStatement {
    let place = (text.as_ptr().addr(), text.len());
    let found = KEPT.with_borrow(|kept| kept.get(&place).copied());
    found.unwrap_or_else(|| {
        let types: Vec<PgOid> = values
            .iter()
            .map(|value| PgOid::from(value.oid()))
            .collect();
        let made = client.prepare(text, &types).unwrap_or_report().keep();
        let made: &'static OwnedPreparedStatement = Box::leak(Box::new(made));
        KEPT.with_borrow_mut(|kept| kept.insert(place, made));
        made
    })
}
