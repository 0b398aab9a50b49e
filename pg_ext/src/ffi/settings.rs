//! Settings of a worker's own, beyond the reach of whoever owns the database that it visits.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Every setting that the owner of a database may preset for whoever connects, and that could turn a visitor's
/// work into the owner's, stop it, or misread it. The rest of such settings only makes noise.
const PINNED: &[(&CStr, &CStr)] = &[
    // Whose functions and operators are meant, and as whom.
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"role", c"none"),
    (c"session_replication_role", c"origin"),
    // Whether a transaction can write, wait and end.
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
    (c"statement_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    (c"exit_on_error", c"off"),
    // Durable here; an end must not wait for a standby that is away.
    (c"synchronous_commit", c"local"),
    // How texts are read and values written.
    (c"standard_conforming_strings", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"escape_string_warning", c"on"),
    (c"quote_all_identifiers", c"off"),
    (c"array_nulls", c"on"),
    (c"transform_null_equals", c"off"),
    (c"timezone", c"UTC"),
    (c"datestyle", c"ISO, MDY"),
    (c"intervalstyle", c"postgres"),
    (c"lc_numeric", c"C"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
    (c"xmloption", c"content"),
    (c"row_security", c"on"),
    (c"check_function_bodies", c"off"),
    // Plans: no helpers, and by index. Our tables grow and shrink faster than their statistics: what the planner
    // believes small may hold every lease there is.
    (c"enable_seqscan", c"off"),
    (c"enable_indexscan", c"on"),
    (c"enable_indexonlyscan", c"on"),
    (c"enable_bitmapscan", c"on"),
    (c"enable_nestloop", c"on"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_sort", c"off"),
    (c"enable_hashagg", c"on"),
    (c"enable_material", c"on"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"force_parallel_mode", c"off"),
    (c"plan_cache_mode", c"auto"),
    (c"constraint_exclusion", c"partition"),
    (c"jit", c"off"),
    (c"work_mem", c"16MB"),
    // A look at our own table does not take breaks.
    (c"vacuum_cost_delay", c"0"),
    (c"default_tablespace", c""),
    (c"temp_tablespaces", c""),
    (c"default_table_access_method", c"heap"),
    (c"password_encryption", c"scram-sha-256"),
    (c"client_min_messages", c"error"),
];

/// Pins all settings of [`PINNED`] above everything that a database or a role can preset, and the lock timeout at
/// `lock_timeout`. To be called after connecting and before the first transaction. Ends the process if it is then
/// anybody but the bootstrap superuser.
pub fn pin(lock_timeout: &CStr) {
    for (name, value) in PINNED {
        set(name, value);
    }
    set(c"lock_timeout", lock_timeout);
    // SAFETY: reads this process's own identity.
    let user = unsafe { pg_sys::GetUserId() };
    if user.to_u32() != pg_sys::BOOTSTRAP_SUPERUSERID {
        pgrx::ereport!(
            FATAL,
            pgrx::PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "worker of leasehold is not the bootstrap superuser"
        );
    }
}

fn set(name: &CStr, value: &CStr) {
    // SAFETY: name and value are C strings that the server copies. The source beats database and role settings.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}
