//! What a `GRANT` on objects asks for, and whether a role has it now. Read from the parse tree and from the
//! access lists themselves, for the server's own messages do not tell: a `GRANT` of what the grantor may not
//! grant is now an error, now a warning, and a `GRANT` on all tables of an empty schema neither.

use super::parser;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// A `GRANT` on objects.
pub struct Grant {
    /// Who gets it, by name; `PUBLIC` and the like are left out.
    pub grantees: Vec<String>,
    /// On what.
    pub targets: Targets,
    wants: Vec<Want>,
}

/// The objects of a `GRANT`.
pub enum Targets {
    /// These.
    Objects(Vec<Object>),
    /// All relations of the schemas: tables or sequences.
    AllRelations {
        schemas: Vec<pg_sys::Oid>,
        sequences: bool,
    },
    /// All routines of the schemas.
    AllRoutines { schemas: Vec<pg_sys::Oid> },
    /// Objects of a kind that is not looked into: languages, large objects, configuration
    /// parameters, which belong to superusers as a rule.
    Unknown,
}

/// One object: its catalog and its OID there.
#[derive(Clone, Copy)]
pub struct Object {
    /// The catalog, such as `pg_class`.
    pub catalog: pg_sys::Oid,
    /// The object in it.
    pub oid: pg_sys::Oid,
}

/// One privilege, on the whole object or on columns.
struct Want {
    /// `None` is ALL PRIVILEGES.
    privilege: Option<u32>,
    columns: Vec<CString>,
}

/// A `GRANT` on objects as it is written, before any name in it is looked up.
pub struct Written {
    /// `None` if `PUBLIC`, `CURRENT_USER` or the like is among them.
    pub grantees: Option<Vec<String>>,
    /// `WITH GRANT OPTION`.
    pub grant_option: bool,
    /// `GRANTED BY`.
    pub granted_by: bool,
    /// Whether [`Targets`] knows objects of this kind.
    pub known: bool,
    /// Whether it lets the grantee make things in the object: `CREATE`, or `ALL` where that is a part of it.
    pub creates: bool,
}

/// Reads `text`, one statement. `None` if it is no `GRANT` on objects.
pub fn written(text: &str) -> Option<Written> {
    use pg_sys::ObjectType as O;
    look(text, |grant| {
        let wants = wants(grant);
        let has_create = matches!(
            grant.objtype,
            O::OBJECT_SCHEMA | O::OBJECT_DATABASE | O::OBJECT_TABLESPACE
        );
        Written {
            grantees: grantees(grant).collect(),
            grant_option: grant.grant_option,
            granted_by: !grant.grantor.is_null(),
            known: matches!(
                grant.objtype,
                O::OBJECT_TABLE
                    | O::OBJECT_SEQUENCE
                    | O::OBJECT_FUNCTION
                    | O::OBJECT_PROCEDURE
                    | O::OBJECT_ROUTINE
                    | O::OBJECT_TYPE
                    | O::OBJECT_DOMAIN
                    | O::OBJECT_SCHEMA
                    | O::OBJECT_DATABASE
                    | O::OBJECT_TABLESPACE
                    | O::OBJECT_FDW
                    | O::OBJECT_FOREIGN_SERVER
            ),
            creates: wants.iter().any(|want| match want.privilege {
                Some(privilege) => privilege == pg_sys::ACL_CREATE,
                None => has_create,
            }),
        }
    })
}

/// Reads `text`, one statement that was run just now: its names are resolved as it resolved them. `None` if it is
/// no `GRANT` on objects.
pub fn read(text: &str) -> Option<Grant> {
    look(text, |grant| Grant {
        grantees: grantees(grant).flatten().collect(),
        // SAFETY: a statement of the parser's that has just run.
        targets: unsafe { targets(grant) },
        wants: wants(grant),
    })
}

/// What `see` makes of the `GRANT` on objects in `text`; `None` if that is another statement.
fn look<R>(text: &str, see: impl FnOnce(&pg_sys::GrantStmt) -> R) -> Option<R> {
    let source = CString::new(text).ok()?;
    // SAFETY: nodes of a raw parse tree in the current memory context, cast after a look at the tag.
    let grant = unsafe {
        let node = (*parser::parse_one(&source)).stmt;
        if (*node).type_ != pg_sys::NodeTag::T_GrantStmt {
            return None;
        }
        &*node.cast::<pg_sys::GrantStmt>()
    };
    grant.is_grant.then(|| see(grant))
}

/// Who gets it, by name; `None` for each `PUBLIC`, `CURRENT_USER` or the like.
fn grantees(grant: &pg_sys::GrantStmt) -> impl Iterator<Item = Option<String>> {
    // SAFETY: the grammar puts a list of RoleSpec there, whose name is a C string if it is given by one.
    unsafe {
        parser::pointers::<pg_sys::RoleSpec>(grant.grantees).map(|spec| {
            let named = (*spec).roletype == pg_sys::RoleSpecType::ROLESPEC_CSTRING;
            named.then(|| {
                CStr::from_ptr((*spec).rolename)
                    .to_string_lossy()
                    .into_owned()
            })
        })
    }
}

/// The privileges: one that stands for all if none is named.
fn wants(grant: &pg_sys::GrantStmt) -> Vec<Want> {
    // SAFETY: the grammar puts a list of AccessPriv there, whose columns are strings.
    let mut wants: Vec<Want> = unsafe {
        parser::pointers::<pg_sys::AccessPriv>(grant.privileges)
            .map(|privilege| Want {
                privilege: (!(*privilege).priv_name.is_null())
                    .then(|| bit(CStr::from_ptr((*privilege).priv_name))),
                columns: parser::pointers::<pg_sys::String>((*privilege).cols)
                    .map(|column| CStr::from_ptr((*column).sval).to_owned())
                    .collect(),
            })
            .collect()
    };
    if wants.is_empty() {
        wants.push(Want {
            privilege: None,
            columns: Vec::new(),
        });
    }
    wants
}

impl Grant {
    /// Does `role` have on `object` all that was granted, however it came by it?
    pub fn took_effect(&self, object: Object, role: pg_sys::Oid) -> bool {
        self.wants.iter().all(|want| {
            let Some(mask) = want.privilege.or_else(|| all_privileges(object)) else {
                return true;
            };
            if want.columns.is_empty() {
                holds(object, role, mask)
            } else {
                want.columns
                    .iter()
                    .all(|column| holds_column(object.oid, column, role, mask))
            }
        })
    }
}

unsafe fn targets(grant: &pg_sys::GrantStmt) -> Targets {
    use pg_sys::ObjectType as O;
    // SAFETY: the lists are what the grammar puts there for each kind of object; the objects exist, the statement has
    // just run on them.
    unsafe {
        if grant.targtype == pg_sys::GrantTargetType::ACL_TARGET_ALL_IN_SCHEMA {
            let schemas = parser::pointers::<pg_sys::String>(grant.objects)
                .map(|name| pg_sys::get_namespace_oid((*name).sval, false))
                .collect();
            return match grant.objtype {
                O::OBJECT_TABLE => Targets::AllRelations {
                    schemas,
                    sequences: false,
                },
                O::OBJECT_SEQUENCE => Targets::AllRelations {
                    schemas,
                    sequences: true,
                },
                _ => Targets::AllRoutines { schemas },
            };
        }
        let named = |catalog, find: unsafe fn(*const std::ffi::c_char, bool) -> pg_sys::Oid| {
            parser::pointers::<pg_sys::String>(grant.objects)
                .map(|name| Object {
                    catalog,
                    oid: find((*name).sval, false),
                })
                .collect::<Vec<_>>()
        };
        Targets::Objects(match grant.objtype {
            O::OBJECT_TABLE | O::OBJECT_SEQUENCE => {
                parser::pointers::<pg_sys::RangeVar>(grant.objects)
                    .map(|relation| Object {
                        catalog: pg_sys::RelationRelationId,
                        oid: pg_sys::RangeVarGetRelidExtended(
                            relation,
                            pg_sys::NoLock as i32,
                            0,
                            None,
                            std::ptr::null_mut(),
                        ),
                    })
                    .collect()
            }
            O::OBJECT_FUNCTION | O::OBJECT_PROCEDURE | O::OBJECT_ROUTINE => {
                parser::pointers::<pg_sys::ObjectWithArgs>(grant.objects)
                    .map(|routine| Object {
                        catalog: pg_sys::ProcedureRelationId,
                        oid: pg_sys::LookupFuncWithArgs(grant.objtype, routine, false),
                    })
                    .collect()
            }
            O::OBJECT_TYPE | O::OBJECT_DOMAIN => parser::pointers::<pg_sys::List>(grant.objects)
                .map(|name| Object {
                    catalog: pg_sys::TypeRelationId,
                    oid: pg_sys::typenameTypeId(
                        std::ptr::null_mut(),
                        pg_sys::makeTypeNameFromNameList(name),
                    ),
                })
                .collect(),
            O::OBJECT_SCHEMA => named(pg_sys::NamespaceRelationId, pg_sys::get_namespace_oid),
            O::OBJECT_DATABASE => named(pg_sys::DatabaseRelationId, pg_sys::get_database_oid),
            O::OBJECT_TABLESPACE => named(pg_sys::TableSpaceRelationId, pg_sys::get_tablespace_oid),
            O::OBJECT_FDW => named(
                pg_sys::ForeignDataWrapperRelationId,
                pg_sys::get_foreign_data_wrapper_oid,
            ),
            O::OBJECT_FOREIGN_SERVER => named(
                pg_sys::ForeignServerRelationId,
                pg_sys::get_foreign_server_oid,
            ),
            _ => return Targets::Unknown,
        })
    }
}

/// The privilege's bit; 0 for a word that is none, which the server has refused before.
fn bit(name: &CStr) -> u32 {
    match name.to_bytes() {
        b"insert" => pg_sys::ACL_INSERT,
        b"select" => pg_sys::ACL_SELECT,
        b"update" => pg_sys::ACL_UPDATE,
        b"delete" => pg_sys::ACL_DELETE,
        b"truncate" => pg_sys::ACL_TRUNCATE,
        b"references" => pg_sys::ACL_REFERENCES,
        b"trigger" => pg_sys::ACL_TRIGGER,
        b"execute" => pg_sys::ACL_EXECUTE,
        b"usage" => pg_sys::ACL_USAGE,
        b"create" => pg_sys::ACL_CREATE,
        b"temporary" | b"temp" => pg_sys::ACL_CREATE_TEMP,
        b"connect" => pg_sys::ACL_CONNECT,
        _ => 0,
    }
}

/// What ALL PRIVILEGES means for a kind of object. For a relation: of a table, of a sequence.
fn all_privileges(object: Object) -> Option<u32> {
    Some(match object.catalog {
        pg_sys::RelationRelationId => {
            // SAFETY: the relation exists.
            let kind = unsafe { pg_sys::get_rel_relkind(object.oid) } as u8;
            if kind == pg_sys::RELKIND_SEQUENCE {
                pg_sys::ACL_USAGE | pg_sys::ACL_SELECT | pg_sys::ACL_UPDATE
            } else {
                pg_sys::ACL_INSERT
                    | pg_sys::ACL_SELECT
                    | pg_sys::ACL_UPDATE
                    | pg_sys::ACL_DELETE
                    | pg_sys::ACL_TRUNCATE
                    | pg_sys::ACL_REFERENCES
                    | pg_sys::ACL_TRIGGER
            }
        }
        pg_sys::ProcedureRelationId => pg_sys::ACL_EXECUTE,
        pg_sys::NamespaceRelationId => pg_sys::ACL_USAGE | pg_sys::ACL_CREATE,
        pg_sys::DatabaseRelationId => {
            pg_sys::ACL_CREATE | pg_sys::ACL_CREATE_TEMP | pg_sys::ACL_CONNECT
        }
        pg_sys::TableSpaceRelationId => pg_sys::ACL_CREATE,
        pg_sys::TypeRelationId
        | pg_sys::ForeignDataWrapperRelationId
        | pg_sys::ForeignServerRelationId => pg_sys::ACL_USAGE,
        _ => return None,
    })
}

fn holds(object: Object, role: pg_sys::Oid, mask: u32) -> bool {
    let Object { catalog, oid } = object;
    let all = pg_sys::AclMaskHow::ACLMASK_ALL;
    // SAFETY: inside a transaction; the object exists. Rights as owner, as superuser, by membership and by PUBLIC
    // are counted in.
    let held = unsafe {
        match catalog {
            pg_sys::RelationRelationId => pg_sys::pg_class_aclmask(oid, role, mask, all),
            pg_sys::ProcedureRelationId => pg_sys::pg_proc_aclmask(oid, role, mask, all),
            pg_sys::TypeRelationId => pg_sys::pg_type_aclmask(oid, role, mask, all),
            pg_sys::NamespaceRelationId => pg_sys::pg_namespace_aclmask(oid, role, mask, all),
            pg_sys::DatabaseRelationId => pg_sys::pg_database_aclmask(oid, role, mask, all),
            pg_sys::TableSpaceRelationId => pg_sys::pg_tablespace_aclmask(oid, role, mask, all),
            pg_sys::ForeignDataWrapperRelationId => {
                pg_sys::pg_foreign_data_wrapper_aclmask(oid, role, mask, all)
            }
            pg_sys::ForeignServerRelationId => {
                pg_sys::pg_foreign_server_aclmask(oid, role, mask, all)
            }
            _ => mask,
        }
    };
    held == mask
}

fn holds_column(relation: pg_sys::Oid, column: &CStr, role: pg_sys::Oid, mask: u32) -> bool {
    let all = pg_sys::AclMaskHow::ACLMASK_ALL;
    // SAFETY: inside a transaction; relation and column exist. A right on the whole table counts for its columns.
    unsafe {
        let number = pg_sys::get_attnum(relation, column.as_ptr());
        let whole = pg_sys::pg_class_aclmask(relation, role, mask, all);
        let own = pg_sys::pg_attribute_aclmask(relation, number, role, mask, all);
        whole | own == mask
    }
}
