//! One way to ask the server through SPI: constant text, bound values, rows read into types of ours, plans kept.

use super::plan::kept;
use crate::ffi::planner;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::spi::SpiHeapTupleData;
use pgrx::{FromDatum, IntoDatum, Spi};

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
        let kept = kept(client, text, values).unwrap_or_report();
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
        let kept = kept(client, text, values).unwrap_or_report();
        client.update(kept, None, values).unwrap_or_report().len()
    })
}

/// Asks without writing or locking, with the snapshot that is active.
pub fn look<T>(text: &'static str, values: &[DatumWithOid], read: impl Fn(Row) -> T) -> Vec<T> {
    let _by_index = planner::by_index();
    Spi::connect(|client| {
        let kept = kept(client, text, values).unwrap_or_report();
        let table = client.select(kept, None, values).unwrap_or_report();
        table.map(|tuple| read(Row(&tuple))).collect()
    })
}
