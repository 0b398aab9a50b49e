//! Which scopes a caller may act in: those whose key it has shown, and `sql`. Superusers and `leasehold_admin` act in all.

use crate::catalog::scopes;
use crate::core::digest::Fields;
use crate::core::error::Fault;
use crate::core::names::{SQL_SCOPE, check_scope};
use crate::ffi::{databases, identity};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// How long a scope's key has to be at least, in bytes.
pub const KEY_BYTES_MIN: usize = 16;
/// The group role of people who may act in every scope.
const ADMIN: &str = "leasehold_admin";

/// Whoever called a verb.
pub struct Caller {
    /// Its role.
    pub role: Oid,
    /// The role's name.
    pub name: String,
    everywhere: bool,
}

impl Caller {
    /// The role whose rights count at the door.
    pub fn current() -> Result<Self, Fault> {
        let role = identity::current();
        Ok(Self {
            role,
            name: identity::name_of(role)
                .ok_or_else(|| Fault::Internal("the current user has no name".into()))?,
            everywhere: identity::is_superuser(role)
                || identity::find(ADMIN).is_some_and(|admin| identity::has_rights_of(role, admin)),
        })
    }

    /// The one scope that something is made in.
    pub fn one<'a>(
        &self,
        db: &mut SpiClient<'_>,
        scope: Option<&'a str>,
    ) -> Result<&'a str, Fault> {
        let scope = scope.unwrap_or(SQL_SCOPE);
        if scope == SQL_SCOPE
            || self.everywhere
            || scopes::is_login(db, scope, self.role, &self.name)?
        {
            return Ok(scope);
        }
        Err(Fault::MayNot {
            what: format!("role \"{}\" may not act in scope \"{scope}\"", self.name),
            cure: "Show the scope's key first, with leasehold.register_scope(scope, key).".into(),
        })
    }

    /// The scopes that something is looked for in: the one named, or all there are for the caller.
    pub fn reach(&self, db: &mut SpiClient<'_>, scope: Option<&str>) -> Result<Vec<String>, Fault> {
        if scope.is_some() {
            return Ok(vec![self.one(db, scope)?.to_owned()]);
        }
        let mut reach = if self.everywhere {
            scopes::all(db)?
        } else {
            scopes::of_login(db, self.role, &self.name)?
        };
        reach.push(SQL_SCOPE.to_owned());
        Ok(reach)
    }

    /// Makes the caller a login of `scope`, if `key` is the key that whoever came first has shown.
    pub fn register(&self, db: &mut SpiClient<'_>, scope: &str, key: &str) -> Result<(), Fault> {
        check_scope(scope)?;
        if key.len() < KEY_BYTES_MIN {
            return Err(Fault::argument(
                format!("the key has fewer than {KEY_BYTES_MIN} bytes"),
                "Give a random key that nobody can guess.",
            ));
        }
        let hash = Fields::of("scope key")
            .text(Some(scope))
            .text(Some(key))
            .bytes();
        let installation = databases::own_installation()?;
        let known = scopes::register(db, scope, installation, &hash, &self.name)?;
        // Hashes of secrets with a lot of entropy: how long a comparison takes says nothing about the key.
        if known != hash {
            return Err(Fault::MayNot {
                what: format!("that is not the key of scope \"{scope}\""),
                cure: "The scope belongs to another store; a restored store has to bring its key along.".into(),
            });
        }
        scopes::add_login(db, scope, self.role, &self.name)
    }
}
