//! The ending statements of a recipe: run once by a cleaner at home, as the recipe's definer, in a transaction of their
//! own. What goes wrong in them is written down and never stops our own cleaning.

use crate::catalog::litter;
use crate::ffi::txn;
use crate::role::statements::{self, Kind, Step, Values};

/// Runs the ending statements of `lease`, and writes down that they ran or why they did not.
pub fn run(lease: i64) {
    let result = match txn::run(|| run_all(lease)) {
        Ok(result) => result,
        Err(trouble) => Err(trouble.to_string()),
    };
    let error = result
        .err()
        .map(|reason| format!("ending statements: {reason}"));
    let written = txn::run(|| litter::mark_statements_ran(lease, error.as_deref()));
    if let Err(trouble) = written {
        pgrx::log!("leasehold cleaner can not write what came of the ending statements: {trouble}");
    }
}

fn run_all(lease: i64) -> Result<(), String> {
    let Some(ending) = litter::ending_statements(lease) else {
        return Ok(());
    };
    let Some(definer) = ending.definer else {
        return Err("the definer of the role no longer exists".into());
    };
    let name = ending.login.unwrap_or_default();
    let values = Values {
        name: &name,
        verifier: None,
        expiration: None,
    };
    let steps =
        statements::plan(Kind::Revocation, &ending.texts, &values).map_err(|e| e.to_string())?;
    statements::hold_locks(&steps).map_err(|e| e.to_string())?;
    for step in &steps {
        match step {
            Step::AlterLoginSet(statement) | Step::AsDefiner(statement) => {
                statements::run(statement, definer, &name).map_err(|e| e.to_string())?;
            }
            Step::CreateLogin(_) | Step::GrantGroups(_) => {
                return Err("an ending can not make a login or give it a group".into());
            }
        }
    }
    Ok(())
}
