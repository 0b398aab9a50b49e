//! Whose work is a statement? Decided from the parsed statement, never from its text.

use super::{Kind, Locks, LoginOptions, StatementError};
use crate::ffi::parser::{RoleOption, RoleRef, Shape};

/// What becomes of one statement.
#[derive(Debug)]
pub enum Verdict {
    /// The extension creates the login.
    CreateLogin(LoginOptions),
    /// The extension changes what it creates.
    AlterLogin(Vec<RoleOption>),
    /// The extension makes the login a member.
    GrantGroups(Vec<String>),
    /// The extension does this anyway, at the right moment.
    Ours,
    /// PostgreSQL runs it as the definer; `restricted` or not.
    Run {
        /// In the restricted context?
        restricted: bool,
        /// Does it hold for the statements after it?
        setting: bool,
        /// The access lists it rewrites.
        locks: Locks,
    },
}

/// Sorts one statement of a `kind` text about the login `name`. `created` says whether a statement before it has
/// the extension create the login.
pub fn classify(
    shape: Shape,
    kind: Kind,
    name: &str,
    created: bool,
) -> Result<Verdict, StatementError> {
    let login = |role: &RoleRef| matches!(role, RoleRef::Named(named) if named == name);
    Ok(match shape {
        Shape::CreateRole {
            role,
            user,
            options,
        } if kind == Kind::Creation && role == name && !created && harmless(&options) => {
            Verdict::CreateLogin(login_options(user, options))
        }
        Shape::AlterRole { role, options } if login(&role) && harmless(&options) => {
            if kind == Kind::Creation && created {
                Verdict::AlterLogin(options)
            } else if kind == Kind::Renewal && options.iter().all(is_written_by_renewal) {
                Verdict::Ours
            } else {
                run(Locks::None)
            }
        }
        Shape::GrantRole {
            groups,
            grantees,
            plain,
        } if kind != Kind::Revocation && plain && grantees.iter().all(login) => {
            Verdict::GrantGroups(groups)
        }
        Shape::DropRole { roles } if kind == Kind::Revocation && roles.iter().all(login) => {
            Verdict::Ours
        }
        Shape::AlterRoleSet { role: Some(role) } if login(&role) => Verdict::Run {
            restricted: false,
            setting: false,
            locks: Locks::None,
        },
        Shape::Set { name } => match name.as_deref() {
            Some("role") => return Err(refuse("SET ROLE", AS_DEFINER)),
            Some("session_authorization") => {
                return Err(refuse("SET SESSION AUTHORIZATION", AS_DEFINER));
            }
            _ => Verdict::Run {
                restricted: true,
                setting: true,
                locks: Locks::None,
            },
        },
        Shape::TransactionControl => return Err(refuse("transaction control", ONE_TRANSACTION)),
        Shape::SetConstraints => return Err(refuse("SET CONSTRAINTS", ONE_TRANSACTION)),
        Shape::Prepared => return Err(refuse("a prepared statement", WRITE_OUT)),
        Shape::Cursor => return Err(refuse("a cursor", WRITE_OUT)),
        Shape::Listen => {
            return Err(refuse(
                "LISTEN",
                "Listen in the session that wants to hear; NOTIFY works here.",
            ));
        }
        Shape::Discard => return Err(refuse("DISCARD", NOTHING_STAYS)),
        Shape::Temporary => return Err(refuse("a temporary table or view", NO_TEMPORARY)),
        Shape::CopyClient => {
            return Err(refuse(
                "COPY from or to the client",
                "Use INSERT, or COPY with a file.",
            ));
        }
        Shape::Grant(class) => run(Locks::Class(class)),
        Shape::DefaultPrivileges => run(Locks::Class(crate::ffi::parser::Class::Rest)),
        Shape::DropOwned | Shape::Block { grants: true } => run(Locks::All),
        Shape::CreateRole { .. }
        | Shape::AlterRole { .. }
        | Shape::AlterRoleSet { .. }
        | Shape::DropRole { .. }
        | Shape::GrantRole { .. }
        | Shape::RevokeRole
        | Shape::Block { grants: false }
        | Shape::NoGrant
        | Shape::Other => run(Locks::None),
    })
}

/// Changes what the extension is going to create as an `ALTER ROLE` after it asks.
pub fn alter(login: &mut LoginOptions, options: Vec<RoleOption>) {
    for option in options {
        match option {
            RoleOption::Login(yes) => login.login = yes,
            RoleOption::Inherit(yes) => login.inherit = Some(yes),
            RoleOption::ConnectionLimit(limit) => login.connection_limit = Some(limit),
            RoleOption::InRoles(groups) => login.in_roles.extend(groups),
            // Password and VALID UNTIL are the extension's own, and the rest says no to what is not given.
            RoleOption::Password
            | RoleOption::ValidUntil
            | RoleOption::SysId
            | RoleOption::Power(_)
            | RoleOption::Rest => {}
        }
    }
}

const AS_DEFINER: &str =
    "Statements run with the rights of whoever defined the role: let that role define it.";
const ONE_TRANSACTION: &str = "All statements run in the transaction that makes the login; leave it out, an error undoes them all.";
const WRITE_OUT: &str = "Write the statement out, or use a DO block.";
const NOTHING_STAYS: &str = "Leave it out: nothing of the statements stays in the session.";
const NO_TEMPORARY: &str =
    "Use a common table expression, or an ordinary table that you drop again.";

fn refuse(what: &'static str, instead: &'static str) -> StatementError {
    StatementError::Refused { what, instead }
}

fn run(locks: Locks) -> Verdict {
    Verdict::Run {
        restricted: true,
        setting: false,
        locks,
    }
}

/// Options that give a login nothing but what every login has.
fn harmless(options: &[RoleOption]) -> bool {
    !options
        .iter()
        .any(|option| matches!(option, RoleOption::Power(true) | RoleOption::Rest))
}

fn is_written_by_renewal(option: &RoleOption) -> bool {
    matches!(option, RoleOption::Password | RoleOption::ValidUntil)
}

fn login_options(user: bool, options: Vec<RoleOption>) -> LoginOptions {
    let mut login = LoginOptions {
        login: user,
        ..LoginOptions::default()
    };
    alter(&mut login, options);
    login
}

#[cfg(test)]
mod tests {
    use super::{Verdict, classify};
    use crate::ffi::parser::{Class, RoleOption, RoleRef, Shape};
    use crate::role::statements::{Kind, StatementError};

    fn named(name: &str) -> RoleRef {
        RoleRef::Named(name.to_owned())
    }

    fn check(shape: Shape, kind: Kind, created: bool, expect: &str) {
        let shown = format!("{shape:?}");
        let found = match classify(shape, kind, "v", created) {
            Ok(Verdict::CreateLogin(_)) => "create".to_owned(),
            Ok(Verdict::AlterLogin(_)) => "alter".to_owned(),
            Ok(Verdict::GrantGroups(groups)) => groups.join("+"),
            Ok(Verdict::Ours) => "ours".to_owned(),
            Ok(Verdict::Run {
                restricted,
                setting,
                ..
            }) => {
                format!(
                    "run{}{}",
                    if restricted { "" } else { " free" },
                    if setting { " set" } else { "" }
                )
            }
            Err(StatementError::Refused { what, .. }) => format!("no {what}"),
            Err(other) => other.to_string(),
        };
        assert_eq!(found, expect, "{shown} in {kind:?}");
    }

    fn create(options: Vec<RoleOption>) -> Shape {
        Shape::CreateRole {
            role: "v".to_owned(),
            user: false,
            options,
        }
    }

    fn alter(role: RoleRef, options: Vec<RoleOption>) -> Shape {
        Shape::AlterRole { role, options }
    }

    fn grant(grantee: RoleRef, plain: bool) -> Shape {
        Shape::GrantRole {
            groups: vec!["g".to_owned()],
            grantees: vec![grantee],
            plain,
        }
    }

    #[test]
    fn the_extension_does_what_concerns_the_login_alone() {
        use Kind::{Creation, Renewal, Revocation};
        let harmless = || {
            vec![
                RoleOption::Login(true),
                RoleOption::Power(false),
                RoleOption::Password,
            ]
        };
        check(create(harmless()), Creation, false, "create");
        check(create(harmless()), Creation, true, "run");
        check(create(harmless()), Renewal, false, "run");
        check(
            create(vec![RoleOption::Power(true)]),
            Creation,
            false,
            "run",
        );
        check(create(vec![RoleOption::Rest]), Creation, false, "run");
        let other = Shape::CreateRole {
            role: "w".to_owned(),
            user: true,
            options: vec![],
        };
        check(other, Creation, false, "run");

        check(
            alter(named("v"), vec![RoleOption::ConnectionLimit(7)]),
            Creation,
            true,
            "alter",
        );
        check(
            alter(named("v"), vec![RoleOption::ConnectionLimit(7)]),
            Creation,
            false,
            "run",
        );
        check(
            alter(named("v"), vec![RoleOption::ConnectionLimit(7)]),
            Renewal,
            false,
            "run",
        );
        check(
            alter(named("v"), vec![RoleOption::ValidUntil]),
            Renewal,
            false,
            "ours",
        );
        check(
            alter(named("v"), vec![RoleOption::Login(false)]),
            Revocation,
            false,
            "run",
        );
        check(
            alter(named("w"), vec![RoleOption::ValidUntil]),
            Renewal,
            false,
            "run",
        );
        check(alter(RoleRef::Special, vec![]), Creation, true, "run");

        check(grant(named("v"), true), Creation, true, "g");
        check(grant(named("v"), false), Creation, true, "run");
        check(grant(named("w"), true), Creation, true, "run");
        check(grant(named("v"), true), Revocation, true, "run");

        check(
            Shape::DropRole {
                roles: vec![named("v")],
            },
            Revocation,
            false,
            "ours",
        );
        check(
            Shape::DropRole {
                roles: vec![named("v"), named("w")],
            },
            Revocation,
            false,
            "run",
        );
        check(
            Shape::DropRole {
                roles: vec![named("v")],
            },
            Creation,
            true,
            "run",
        );
        check(
            Shape::AlterRoleSet {
                role: Some(named("v")),
            },
            Creation,
            true,
            "run free",
        );
        check(
            Shape::AlterRoleSet {
                role: Some(named("w")),
            },
            Creation,
            true,
            "run",
        );
        check(Shape::AlterRoleSet { role: None }, Creation, true, "run");
    }

    #[test]
    fn what_cannot_run_here_is_refused_and_the_rest_runs() {
        let set = |name: &str| Shape::Set {
            name: Some(name.to_owned()),
        };
        for (shape, expect) in [
            (set("search_path"), "run set"),
            (Shape::Set { name: None }, "run set"),
            (set("role"), "no SET ROLE"),
            (set("session_authorization"), "no SET SESSION AUTHORIZATION"),
            (Shape::TransactionControl, "no transaction control"),
            (Shape::SetConstraints, "no SET CONSTRAINTS"),
            (Shape::Prepared, "no a prepared statement"),
            (Shape::Cursor, "no a cursor"),
            (Shape::Listen, "no LISTEN"),
            (Shape::Discard, "no DISCARD"),
            (Shape::Temporary, "no a temporary table or view"),
            (Shape::CopyClient, "no COPY from or to the client"),
            (Shape::Grant(Class::Relation), "run"),
            (Shape::DefaultPrivileges, "run"),
            (Shape::DropOwned, "run"),
            (Shape::Block { grants: true }, "run"),
            (Shape::RevokeRole, "run"),
            (Shape::Other, "run"),
        ] {
            check(shape, Kind::Creation, true, expect);
        }
    }
}
