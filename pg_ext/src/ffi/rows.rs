//! Shared catalogs read from one end to the other: all that a process without a database can do, as it knows none of their
//! indexes. What asks for one row there reads the whole table too, so ask once for many.

use pgrx::pg_sys;

/// A row of a catalog, valid until the next one is read.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    columns: pg_sys::TupleDesc,
}

impl Row {
    /// The column of that number, counted from one; `None` for a null.
    pub fn column(&self, number: u32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: tuple and description belong to each other, and the table is open while there is a row.
        let value =
            unsafe { pg_sys::heap_getattr(self.tuple, number as i32, self.columns, &mut is_null) };
        (!is_null).then_some(value)
    }

    /// The same, of a column that holds an OID and no null.
    pub fn oid(&self, number: u32) -> pg_sys::Oid {
        self.column(number)
            .map_or(pg_sys::InvalidOid, |value| (value.value() as u32).into())
    }

    /// The fixed part of the row.
    ///
    /// # Safety
    /// `Form` is the structure of this catalog.
    pub unsafe fn fixed<Form>(&self) -> &Form {
        // SAFETY: what GETSTRUCT does.
        unsafe { &*pg_sys::heap_tuple_get_struct::<Form>(self.tuple) }
    }
}

/// Calls `each` with all rows of `catalog`, one of those that the server keeps open for processes without a database. Inside a
/// transaction.
pub fn each_row(catalog: pg_sys::Oid, mut each: impl FnMut(&Row)) {
    // SAFETY: scan and table are closed before we return, or by the end of a transaction that fails; a tuple is read only between
    // two fetches.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let table = pg_sys::table_open(catalog, lock);
        let scan = pg_sys::table_beginscan_catalog(table, 0, std::ptr::null_mut());
        let columns = (*table).rd_att;
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            each(&Row { tuple, columns });
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(table, lock);
    }
}
