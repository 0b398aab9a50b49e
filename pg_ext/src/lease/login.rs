//! The login of a new lease: made and joined. Everything that decides what it can do is in the recipe.

use crate::catalog::recipes::Recipe;
use crate::core::error::{Fault, SqlState};
use crate::core::scram::Verifier;
use crate::ffi::login::NewLogin;
use crate::ffi::{identity, login, subxact};
use crate::role::shared::{self, SHARED};
use crate::role::statements::{self, Kind, Step, Values};
use crate::role::{rights, settings};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::Oid;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// What a login is to be.
pub struct Wanted<'a> {
    /// Its name; allowed, perhaps taken.
    pub name: &'a str,
    /// Its verifier.
    pub verifier: &'a Verifier,
    /// The end as texts show it.
    pub expiration: &'a str,
}

/// Makes the logins of one recipe.
pub struct Maker<'a> {
    recipe: &'a Recipe,
    /// Whose rights the recipe's statements run with.
    definer: Oid,
    /// The groups that every login joins.
    member_of: Vec<String>,
    /// Groups that the definer may hand out, as far as that was looked at.
    allowed: HashSet<String>,
}

impl<'a> Maker<'a> {
    /// Looks whether the recipe may still be used; makes or mends what its logins share.
    pub fn new(db: &mut SpiClient<'_>, recipe: &'a Recipe, definer: Oid) -> Result<Self, Fault> {
        let terms = &recipe.terms;
        for (group, then) in terms.member_of.iter().zip(&terms.member_of_oids) {
            rights::same_group(db, definer, group, *then)?;
        }
        let mut member_of = terms.member_of.clone();
        if terms.grants == SHARED {
            // What its statements grant is held by the group already, so a login only joins.
            member_of.push(shared::ensure(db, recipe, definer)?);
        }
        Ok(Self {
            recipe,
            definer,
            member_of,
            allowed: HashSet::new(),
        })
    }

    /// Makes a login, without password and end. `None` if the recipe's statements made none under that name, which only a
    /// superuser's may.
    pub fn make(
        &mut self,
        db: &mut SpiClient<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Oid>, Fault> {
        let name = wanted.name;
        if identity::find(name).is_some() {
            return Err(taken(name));
        }
        let steps = self.steps(db, wanted)?;
        let joined = statements::together(&steps, || self.work_off(&steps, name))?;
        let Some(made) = identity::find(name) else {
            if identity::is_superuser(self.definer) {
                return Ok(None);
            }
            return Err(Fault::Statement {
                state: SqlState(*b"42704"),
                what: format!("the creation statements of role \"{}\" left no login under the name given to them", self.recipe.name),
                cure: Some("Begin with CREATE ROLE \"{{name}}\" WITH LOGIN; only a superuser's recipe may give a lease without a login.".into()),
            });
        };
        if !joined && !self.member_of.is_empty() {
            login::join(name, &self.member_of);
        }
        Ok(Some(made))
    }

    /// What there is to do for a login; nothing that the definer may not do is among it.
    fn steps(&mut self, db: &mut SpiClient<'_>, wanted: &Wanted<'_>) -> Result<Vec<Step>, Fault> {
        let terms = &self.recipe.terms;
        let values = Values {
            name: wanted.name,
            verifier: Some(wanted.verifier.as_str()),
            expiration: Some(wanted.expiration),
        };
        let mut steps = if terms.creation.is_empty() {
            vec![Step::CreateLogin(statements::LoginOptions {
                login: true,
                ..Default::default()
            })]
        } else {
            statements::plan(Kind::Creation, &terms.creation, &values)?
        };
        if !terms.settings.is_empty() {
            let texts: Vec<String> = terms
                .settings
                .iter()
                .map(|text| settings::statement(text))
                .collect::<Result<_, _>>()?;
            steps.extend(statements::plan(Kind::Creation, &texts, &values)?);
        }
        for group in steps.iter().flat_map(groups_of) {
            if !self.allowed.contains(group) {
                rights::group(db, self.definer, group)?;
                self.allowed.insert(group.clone());
            }
        }
        if terms.grants == SHARED {
            steps.retain(|step| !matches!(step, Step::AsDefiner(_)));
        }
        Ok(steps)
    }

    /// Does it; true if the login has joined its groups by that.
    fn work_off(&self, steps: &[Step], name: &str) -> Result<bool, Fault> {
        let mut joined = false;
        for step in steps {
            match step {
                Step::CreateLogin(options) => {
                    let mut groups = options.in_roles.clone();
                    groups.extend(
                        self.member_of
                            .iter()
                            .filter(|group| !options.in_roles.contains(group))
                            .cloned(),
                    );
                    create(&NewLogin {
                        name,
                        login: options.login,
                        inherit: options.inherit,
                        connection_limit: options
                            .connection_limit
                            .or(self.recipe.terms.connection_limit),
                        groups: &groups,
                    })?;
                    joined = true;
                }
                Step::GrantGroups(groups) => login::join(name, groups),
                Step::AlterLoginSet(statement) | Step::AsDefiner(statement) => {
                    statements::run(statement, self.definer, name)?;
                }
            }
        }
        Ok(joined)
    }
}

fn groups_of(step: &Step) -> &[String] {
    match step {
        Step::CreateLogin(options) => &options.in_roles,
        Step::GrantGroups(groups) => groups,
        Step::AlterLoginSet(_) | Step::AsDefiner(_) => &[],
    }
}

/// Creates the login. Another transaction may have created one of that name since we looked; its error becomes ours,
/// and nothing is written after it: the transaction ends here.
fn create(new: &NewLogin<'_>) -> Result<(), Fault> {
    match subxact::caught(|| login::create(new)) {
        Ok(_) => Ok(()),
        Err(error) => match &error {
            CaughtError::PostgresError(report)
                if matches!(
                    report.sql_error_code(),
                    PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
                        | PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT
                ) =>
            {
                Err(taken(new.name))
            }
            _ => error.rethrow(),
        },
    }
}

fn taken(name: &str) -> Fault {
    Fault::LoginName {
        login: name.to_owned(),
        why: "there is a role of that name",
    }
}
