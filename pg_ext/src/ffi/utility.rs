//! Runs one statement of a recipe with somebody's rights: utility commands go straight to `ProcessUtility` (no
//! statement text in the log, in `pg_stat_statements` or in an error's context), the rest through planner and
//! executor. Never through SPI, whose errors quote the statement.

use super::parser;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// Settings that decide what a statement means or where a name leads. They are the session's, so the caller's; a
/// recipe's statements get these instead. `pg_temp` comes last, or the caller's temporary tables would come first.
/// Names that a server does not know are passed over.
const PINNED: &[(&CStr, &CStr)] = &[
    (c"search_path", c"\"$user\", public, pg_temp"),
    (c"standard_conforming_strings", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"transform_null_equals", c"off"),
    (c"array_nulls", c"on"),
    (c"quote_all_identifiers", c"off"),
    (c"row_security", c"on"),
    (c"check_function_bodies", c"on"),
    (c"xmloption", c"content"),
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"TimeZone", c"UTC"),
    (c"default_tablespace", c""),
    (c"default_table_access_method", c"heap"),
    (c"createrole_self_grant", c""),
    // Without query ids nothing of what a block runs inside is kept by pg_stat_statements, verifiers included.
    (c"compute_query_id", c"off"),
];

/// Runs the one statement in `text` with the rights of the current user, to its end, dropping any rows.
pub fn execute(text: &str) {
    let source = CString::new(text).expect("a text from PostgreSQL has no zero byte");
    let raw = parser::parse_one(&source);
    // SAFETY: a RawStmt of the current memory context, which lives longer than this call; `source` does too, and
    // nothing keeps a pointer to it: what is stored of a statement is copied.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        if needs_analysis((*raw).stmt) {
            let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
                raw,
                source.as_ptr(),
                std::ptr::null(),
                0,
                std::ptr::null_mut(),
            );
            let plans = pg_sys::pg_plan_queries(queries, source.as_ptr(), 0, std::ptr::null_mut());
            for plan in parser::pointers::<pg_sys::PlannedStmt>(plans) {
                if (*plan).commandType == pg_sys::CmdType::CMD_UTILITY {
                    utility(plan, &source);
                } else {
                    planned(plan, &source);
                }
            }
        } else {
            let plan =
                pg_sys::palloc0(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
            (*plan).type_ = pg_sys::NodeTag::T_PlannedStmt;
            (*plan).commandType = pg_sys::CmdType::CMD_UTILITY;
            (*plan).utilityStmt = (*raw).stmt;
            (*plan).stmt_location = (*raw).stmt_location;
            (*plan).stmt_len = (*raw).stmt_len;
            utility(plan, &source);
        }
        pg_sys::PopActiveSnapshot();
        pg_sys::CommandCounterIncrement();
    }
}

/// The statements that parse analysis does more to than wrap them.
unsafe fn needs_analysis(node: *mut pg_sys::Node) -> bool {
    use pg_sys::NodeTag as T;
    // SAFETY: a node of a raw parse tree.
    matches!(
        unsafe { (*node).type_ },
        T::T_SelectStmt
            | T::T_InsertStmt
            | T::T_UpdateStmt
            | T::T_DeleteStmt
            | T::T_MergeStmt
            | T::T_ExplainStmt
            | T::T_CreateTableAsStmt
            | T::T_CallStmt
    )
}

/// `PROCESS_UTILITY_QUERY`: never as the top level, so nothing that commits or must stand alone runs.
unsafe fn utility(plan: *mut pg_sys::PlannedStmt, source: &CStr) {
    let mut completion = pg_sys::QueryCompletion::default();
    // SAFETY: a whole PlannedStmt with its source text; an active snapshot is set; DestNone drops rows.
    unsafe {
        pg_sys::ProcessUtility(
            plan,
            source.as_ptr(),
            false,
            pg_sys::ProcessUtilityContext::PROCESS_UTILITY_QUERY,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
            &mut completion,
        );
    }
}

unsafe fn planned(plan: *mut pg_sys::PlannedStmt, source: &CStr) {
    // SAFETY: the order of the executor's own callers; an error on the way is cleaned up by the subtransaction's
    // rollback, as it is for them.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let query = pg_sys::CreateQueryDesc(
            plan,
            source.as_ptr(),
            pg_sys::GetActiveSnapshot(),
            std::ptr::null_mut(),
            pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        );
        pg_sys::ExecutorStart(query, 0);
        pg_sys::ExecutorRun(query, pg_sys::ScanDirection::ForwardScanDirection, 0, true);
        pg_sys::ExecutorFinish(query);
        pg_sys::ExecutorEnd(query);
        pg_sys::FreeQueryDesc(query);
        pg_sys::PopActiveSnapshot();
    }
}

/// Sets what is not already as [`PINNED`] wants it, for the level of settings that is open: only inside
/// [`super::identity::as_definer`].
pub fn pin() {
    for (name, value) in PINNED {
        // SAFETY: constant strings; the current value is null or a C string that is read before anything changes.
        unsafe {
            let now = pg_sys::GetConfigOption(name.as_ptr(), true, false);
            if now.is_null() || CStr::from_ptr(now) == *value {
                continue;
            }
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
}
