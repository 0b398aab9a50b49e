//! The ending statements of a recipe, as its definer.

use crate::catalog::litter;
use crate::role::statements::{self, Kind, Step, Values};

/// Runs the ending statements of `lease`, if they have not run yet. Inside a transaction that is rolled back if this
/// fails; the error is a reason for people. What goes wrong here never stops our own cleaning.
pub fn run_statements(lease: i64) -> Result<(), String> {
    let Some(ending) = litter::ending_statements(lease) else {
        return Ok(());
    };
    let Some(definer) = ending.definer else {
        return Err("the definer of the role no longer exists".into());
    };
    if ending.namesake {
        return Err("the login is not there any more, and another role has its name".into());
    }
    let name = ending.login.unwrap_or_default();
    let values = Values {
        name: &name,
        verifier: None,
        expiration: None,
    };
    let steps =
        statements::plan(Kind::Revocation, &ending.texts, &values).map_err(|e| e.to_string())?;
    let work = || {
        for step in &steps {
            match step {
                Step::AlterLoginSet(statement) | Step::AsDefiner(statement) => {
                    statements::run(statement, definer, &name)?;
                }
                Step::CreateLogin(_) | Step::GrantGroups(_) => {
                    unreachable!("a revocation text has no such steps")
                }
            }
        }
        Ok(())
    };
    statements::together(&steps, work).map_err(|fault| fault.to_string())
}
