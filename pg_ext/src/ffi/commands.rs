//! Watching utility commands on their way into the server.
//!
//! Two kinds matter. A command that wants a database to itself (`DROP DATABASE`, a copy, a rename) would wait five
//! seconds for our workers in it and then fail, so they step aside for it. And `SET CONSTRAINTS` in a recipe's statement,
//! from inside a block or a function where no reading of the text finds it, would fire what the caller has queued,
//! with the rights of the definer.

use super::{databases, identity, membership, parser, xact};
use crate::worker::aside;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};
use std::ffi::{CStr, c_char};

static mut NEXT: pg_sys::ProcessUtility_hook_type = None;

/// Starts watching; called once when the library is loaded.
pub fn watch() {
    // SAFETY: a process loads a library once, and hooks are called by its only thread.
    unsafe {
        NEXT = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(on_command);
    }
}

#[pg_guard]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the server's hook"
)]
unsafe extern "C-unwind" fn on_command(
    plan: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: in the hook made for this; the node is a utility statement.
    let node = unsafe { (*plan).utilityStmt };
    // SAFETY: as above.
    let tag = unsafe { (*node).type_ };
    if tag == pg_sys::NodeTag::T_ConstraintsSetStmt && identity::within_definer() {
        pgrx::ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "cannot SET CONSTRAINTS within security-restricted operation"
        );
    }
    let top = context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL;
    let wanted = if top {
        // SAFETY: as above.
        unsafe { wanted(node, tag) }
    } else {
        None
    };
    // The workers come back when this is dropped, whether the command succeeds or not.
    let _aside = wanted.and_then(|wanted| aside::step(wanted.database, wanted.others_are_ended));
    macro_rules! go_on {
        ($with:expr) => {
            $with(
                plan,
                text,
                read_only_tree,
                context,
                params,
                environment,
                dest,
                completion,
            )
        };
    }
    // SAFETY: what the server gave us goes on as it came. A C hook's error is turned into a panic, as the server's own is
    // already, so that what is above is dropped; the guard of this function turns it back.
    unsafe {
        match NEXT {
            Some(next) => pg_sys::ffi::pg_guard_ffi_boundary(|| go_on!(next)),
            None => go_on!(pg_sys::standard_ProcessUtility),
        }
    }
}

/// A database that a command wants to have to itself.
struct Wanted {
    database: pg_sys::Oid,
    /// `WITH (FORCE)`: the command itself ends the other sessions.
    others_are_ended: bool,
}

/// What a command wants to itself, if its caller has the right to that: nobody else may send our workers away.
///
/// # Safety
/// `node` must be a utility statement of kind `tag`.
unsafe fn wanted(node: *mut pg_sys::Node, tag: pg_sys::NodeTag) -> Option<Wanted> {
    use pg_sys::NodeTag as T;
    // SAFETY: each node is read as what its tag says; names are null or C strings.
    let (name, copied, force) = unsafe {
        match tag {
            T::T_DropdbStmt => {
                let statement = &*node.cast::<pg_sys::DropdbStmt>();
                // It fails in one, and must not do harm on the way.
                if pg_sys::IsTransactionBlock() {
                    return None;
                }
                let force = option(statement.options, c"force").is_some();
                (statement.dbname.cast_const(), false, force)
            }
            T::T_CreatedbStmt => {
                let statement = &*node.cast::<pg_sys::CreatedbStmt>();
                let template = option(statement.options, c"template")?;
                if pg_sys::IsTransactionBlock() || (*template).arg.is_null() {
                    return None;
                }
                (pg_sys::defGetString(template).cast_const(), true, false)
            }
            T::T_RenameStmt => {
                let statement = &*node.cast::<pg_sys::RenameStmt>();
                if statement.renameType != pg_sys::ObjectType::OBJECT_DATABASE {
                    return None;
                }
                (statement.subname.cast_const(), false, false)
            }
            T::T_AlterDatabaseStmt => {
                let statement = &*node.cast::<pg_sys::AlterDatabaseStmt>();
                option(statement.options, c"tablespace")?;
                (statement.dbname.cast_const(), false, false)
            }
            _ => return None,
        }
    };
    if name.is_null() {
        return None;
    }
    let user = identity::current();
    // SAFETY: inside the transaction of the command; catalog lookups.
    let (database, owner) = unsafe {
        let database = pg_sys::get_database_oid(name, true);
        if database == pg_sys::InvalidOid {
            return None;
        }
        (database, pg_sys::pg_database_ownercheck(database, user))
    };
    let copier = || {
        copied
            && databases::is_template(database)
            && membership::attributes(user).is_some_and(|it| it.create_db)
    };
    // Nobody can have the database alone that they are in.
    let possible = database != xact::my_database() && (owner || copier());
    possible.then_some(Wanted {
        database,
        others_are_ended: force,
    })
}

/// The option of that name in a list of them.
///
/// # Safety
/// `options` must be a list of `DefElem`.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: per the contract; names are C strings.
    unsafe {
        parser::pointers::<pg_sys::DefElem>(options)
            .find(|&element| CStr::from_ptr((*element).defname) == name)
    }
}
