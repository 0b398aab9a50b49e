//! What a statement is, as far as we look into it: the parser's nodes read into plain enums.

use super::pointers;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// The statements that are told apart. Names are as the parser folded them.
#[derive(Debug)]
pub enum Shape {
    /// `CREATE ROLE`, `CREATE USER`, `CREATE GROUP`.
    CreateRole {
        role: String,
        user: bool,
        options: Vec<RoleOption>,
    },
    /// `ALTER ROLE … options`.
    AlterRole {
        role: RoleRef,
        options: Vec<RoleOption>,
    },
    /// `ALTER ROLE … SET`, `… RESET`; `None` is `ALTER ROLE ALL`.
    AlterRoleSet { role: Option<RoleRef> },
    /// `DROP ROLE`.
    DropRole { roles: Vec<RoleRef> },
    /// `GRANT group TO role`; `plain` is without ADMIN OPTION and GRANTED BY.
    GrantRole {
        groups: Vec<String>,
        grantees: Vec<RoleRef>,
        plain: bool,
    },
    /// `REVOKE group FROM role`.
    RevokeRole,
    /// `GRANT` and `REVOKE` on objects.
    Grant(Class),
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, `SET TRANSACTION`, …
    TransactionControl,
    /// `SET CONSTRAINTS`.
    SetConstraints,
    /// `SET`, `RESET` of a setting; `None` is `RESET ALL`.
    Set { name: Option<String> },
    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`.
    Prepared,
    /// `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
    Cursor,
    /// `LISTEN`, `UNLISTEN`.
    Listen,
    /// `DISCARD`.
    Discard,
    /// `CREATE TEMPORARY …`, `SELECT … INTO TEMPORARY`.
    Temporary,
    /// `COPY` from or to the client.
    CopyClient,
    /// `ALTER DEFAULT PRIVILEGES`.
    DefaultPrivileges,
    /// `DROP OWNED`.
    DropOwned,
    /// `DO`; whether the word GRANT or REVOKE is in its body.
    Block { grants: bool },
    /// A statement that can not change an access list.
    NoGrant,
    /// Anything else.
    Other,
}

/// What kind of object a `GRANT` is about: those of one class share a catalog.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    Relation,
    Routine,
    Schema,
    Database,
    Type,
    Rest,
}

/// A role as a statement names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoleRef {
    /// By name.
    Named(String),
    /// `PUBLIC`, `CURRENT_USER` and the like.
    Special,
}

/// An option of `CREATE ROLE` or `ALTER ROLE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoleOption {
    Login(bool),
    Inherit(bool),
    ConnectionLimit(i32),
    Password,
    ValidUntil,
    InRoles(Vec<String>),
    /// `SYSID n`, which the server ignores.
    SysId,
    /// `SUPERUSER`, `CREATEDB`, `CREATEROLE`, `REPLICATION` or `BYPASSRLS`: true, or refused explicitly: false.
    Power(bool),
    /// `ROLE …`, `ADMIN …`, or one that a later server has.
    Rest,
}

// SAFETY of all below: `node` is a node of a raw parse tree that lives in the current memory context, and a node is
// cast to a struct only after its tag has been looked at. Nothing is written.

/// PostgreSQL's command tag.
pub(super) unsafe fn tag(node: *mut pg_sys::Node) -> &'static str {
    // SAFETY: the names are constants of the server.
    unsafe {
        CStr::from_ptr(pg_sys::GetCommandTagName(pg_sys::CreateCommandTag(node)))
            .to_str()
            .unwrap_or("statement")
    }
}

/// What a statement is.
pub(super) unsafe fn shape(node: *mut pg_sys::Node) -> Shape {
    use pg_sys::NodeTag as T;
    // SAFETY: see above.
    unsafe {
        match (*node).type_ {
            T::T_CreateRoleStmt => {
                let create = &*node.cast::<pg_sys::CreateRoleStmt>();
                Shape::CreateRole {
                    role: text(create.role),
                    user: create.stmt_type == pg_sys::RoleStmtType::ROLESTMT_USER,
                    options: options(create.options),
                }
            }
            T::T_AlterRoleStmt => {
                let alter = &*node.cast::<pg_sys::AlterRoleStmt>();
                Shape::AlterRole {
                    role: role(alter.role),
                    options: options(alter.options),
                }
            }
            T::T_AlterRoleSetStmt => {
                let alter = &*node.cast::<pg_sys::AlterRoleSetStmt>();
                Shape::AlterRoleSet {
                    role: (!alter.role.is_null()).then(|| role(alter.role)),
                }
            }
            T::T_DropRoleStmt => Shape::DropRole {
                roles: roles((*node.cast::<pg_sys::DropRoleStmt>()).roles),
            },
            T::T_GrantRoleStmt => {
                let grant = &*node.cast::<pg_sys::GrantRoleStmt>();
                if grant.is_grant {
                    Shape::GrantRole {
                        groups: groups(grant.granted_roles),
                        grantees: roles(grant.grantee_roles),
                        plain: !grant.admin_opt && grant.grantor.is_null(),
                    }
                } else {
                    Shape::RevokeRole
                }
            }
            T::T_GrantStmt => Shape::Grant(class((*node.cast::<pg_sys::GrantStmt>()).objtype)),
            T::T_TransactionStmt => Shape::TransactionControl,
            T::T_ConstraintsSetStmt => Shape::SetConstraints,
            T::T_VariableSetStmt => set(&*node.cast::<pg_sys::VariableSetStmt>()),
            T::T_PrepareStmt | T::T_ExecuteStmt | T::T_DeallocateStmt => Shape::Prepared,
            T::T_DeclareCursorStmt | T::T_FetchStmt | T::T_ClosePortalStmt => Shape::Cursor,
            T::T_ListenStmt | T::T_UnlistenStmt => Shape::Listen,
            T::T_DiscardStmt => Shape::Discard,
            T::T_CreateStmt if temporary((*node.cast::<pg_sys::CreateStmt>()).relation) => {
                Shape::Temporary
            }
            T::T_CreateTableAsStmt => {
                let into = (*node.cast::<pg_sys::CreateTableAsStmt>()).into;
                if temporary((*into).rel) {
                    Shape::Temporary
                } else {
                    Shape::Other
                }
            }
            T::T_SelectStmt => {
                let into = (*node.cast::<pg_sys::SelectStmt>()).intoClause;
                if !into.is_null() && temporary((*into).rel) {
                    Shape::Temporary
                } else {
                    Shape::Other
                }
            }
            T::T_ViewStmt if temporary((*node.cast::<pg_sys::ViewStmt>()).view) => Shape::Temporary,
            T::T_CreateSeqStmt if temporary((*node.cast::<pg_sys::CreateSeqStmt>()).sequence) => {
                Shape::Temporary
            }
            T::T_CopyStmt if (*node.cast::<pg_sys::CopyStmt>()).filename.is_null() => {
                Shape::CopyClient
            }
            T::T_DoStmt => Shape::Block {
                grants: grants((*node.cast::<pg_sys::DoStmt>()).args),
            },
            T::T_AlterDefaultPrivilegesStmt => Shape::DefaultPrivileges,
            T::T_DropOwnedStmt => Shape::DropOwned,
            T::T_CommentStmt | T::T_SecLabelStmt | T::T_NotifyStmt | T::T_VariableShowStmt => {
                Shape::NoGrant
            }
            _ => Shape::Other,
        }
    }
}

/// Whether the body among the arguments of a `DO` speaks of grants.
unsafe fn grants(arguments: *mut pg_sys::List) -> bool {
    // SAFETY: a list of DefElem; the one named `as` holds the body as a string.
    unsafe {
        pointers::<pg_sys::DefElem>(arguments)
            .filter(|argument| CStr::from_ptr((**argument).defname) == c"as")
            .any(|argument| {
                let body = text((*(*argument).arg.cast::<pg_sys::String>()).sval).to_lowercase();
                body.contains("grant") || body.contains("revoke")
            })
    }
}

fn set(set: &pg_sys::VariableSetStmt) -> Shape {
    // SAFETY: the name is null or a C string of the tree.
    let name = (!set.name.is_null()).then(|| unsafe { text(set.name) });
    if set.kind == pg_sys::VariableSetKind::VAR_SET_MULTI {
        Shape::TransactionControl
    } else {
        Shape::Set { name }
    }
}

unsafe fn temporary(relation: *mut pg_sys::RangeVar) -> bool {
    // SAFETY: null or a RangeVar.
    !relation.is_null() && unsafe { (*relation).relpersistence } as u8 == b't'
}

unsafe fn text(string: *const c_char) -> String {
    // SAFETY: a C string in the database's encoding. Names of other than UTF-8 databases are compared to names
    // that went the same way.
    unsafe { CStr::from_ptr(string) }
        .to_string_lossy()
        .into_owned()
}

unsafe fn role(spec: *mut pg_sys::RoleSpec) -> RoleRef {
    // SAFETY: a RoleSpec; the name is set for this type only.
    unsafe {
        if (*spec).roletype == pg_sys::RoleSpecType::ROLESPEC_CSTRING {
            RoleRef::Named(text((*spec).rolename))
        } else {
            RoleRef::Special
        }
    }
}

unsafe fn roles(list: *mut pg_sys::List) -> Vec<RoleRef> {
    // SAFETY: a list of RoleSpec.
    unsafe {
        pointers::<pg_sys::RoleSpec>(list)
            .map(|spec| role(spec))
            .collect()
    }
}

/// The granted roles of `GRANT group TO`, which the grammar holds as privileges.
unsafe fn groups(list: *mut pg_sys::List) -> Vec<String> {
    // SAFETY: a list of AccessPriv; the name is null only for ALL PRIVILEGES, which makes an object grant.
    unsafe {
        pointers::<pg_sys::AccessPriv>(list)
            .filter(|privilege| !(**privilege).priv_name.is_null())
            .map(|privilege| text((*privilege).priv_name))
            .collect()
    }
}

unsafe fn options(list: *mut pg_sys::List) -> Vec<RoleOption> {
    // SAFETY: a list of DefElem; the argument's type follows from the name, as in the server's CreateRole.
    unsafe {
        pointers::<pg_sys::DefElem>(list)
            .map(|element| {
                let arg = (*element).arg;
                let yes = || !arg.is_null() && (*arg.cast::<pg_sys::Boolean>()).boolval;
                match CStr::from_ptr((*element).defname).to_bytes() {
                    b"canlogin" => RoleOption::Login(yes()),
                    b"inherit" => RoleOption::Inherit(yes()),
                    b"connectionlimit" => {
                        RoleOption::ConnectionLimit((*arg.cast::<pg_sys::Integer>()).ival)
                    }
                    b"password" => RoleOption::Password,
                    b"validUntil" => RoleOption::ValidUntil,
                    b"sysid" => RoleOption::SysId,
                    b"superuser" | b"createrole" | b"createdb" | b"isreplication"
                    | b"bypassrls" => RoleOption::Power(yes()),
                    b"addroleto" => {
                        let all = roles(arg.cast());
                        let named: Vec<String> = all
                            .iter()
                            .filter_map(|role| match role {
                                RoleRef::Named(name) => Some(name.clone()),
                                RoleRef::Special => None,
                            })
                            .collect();
                        if named.len() == all.len() {
                            RoleOption::InRoles(named)
                        } else {
                            RoleOption::Rest
                        }
                    }
                    _ => RoleOption::Rest,
                }
            })
            .collect()
    }
}

fn class(object: pg_sys::ObjectType::Type) -> Class {
    use pg_sys::ObjectType as O;
    match object {
        O::OBJECT_TABLE | O::OBJECT_SEQUENCE => Class::Relation,
        O::OBJECT_FUNCTION | O::OBJECT_PROCEDURE | O::OBJECT_ROUTINE => Class::Routine,
        O::OBJECT_SCHEMA => Class::Schema,
        O::OBJECT_DATABASE => Class::Database,
        O::OBJECT_TYPE | O::OBJECT_DOMAIN => Class::Type,
        _ => Class::Rest,
    }
}
