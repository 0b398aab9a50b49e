//! `creds/:name`: a login with a lease (contract 7.6, 7.7).

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{credential, fault, reset};
use crate::duration::Span;
use crate::fields::FieldType;
use crate::ids;
use crate::lease::{self, Made, Order};
use crate::logical::{
    Access, Call, Fault, Field, LeaseReply, Operation, Outcome, PathSpec, Response, Undelivered,
};
use crate::ready::Credential;
use crate::secret::Password;
use crate::store::configs::ConfigRow;
use crate::store::roles::RoleRow;
use crate::target::{Recipe, Target};
use crate::template::{Names, Template};
use crate::ttl::{self, Granted};

pub(super) static ROWS: &[PathSpec] = &[PathSpec {
    pattern: "creds/:name",
    summary: "Make a login of a role; it ends with its lease.",
    fields: &[Field {
        name: "name",
        kind: FieldType::String,
        help: "Name of the role.",
    }],
    open: false,
    access: Access::ProvenToken,
    existence: None,
    operations: &[(Operation::Read, |call| Box::pin(read(call)))],
}];

/// How often something may change, or a name be taken, under a request.
const TRIES: usize = 4;
/// Random characters behind the path in a lease id.
const LEASE_ID_LENGTH: usize = 24;

async fn read(call: &Call<'_>) -> Outcome {
    let mut taken = None;
    // The role as this process read it last saves a read: the intent stands only if role and configuration still have the
    // revisions that were read. Whatever else comes of a guess, it is not told before the role has been read.
    let mut guess = guess(call);
    for _ in 0..TRIES {
        let guessed = guess.is_some();
        let plan = match guess.take() {
            Some(plan) => plan,
            None => plan(call).await?,
        };
        let prepared = match prepare(call, &plan).await {
            Err(_) if guessed => None,
            prepared => prepared.map_err(fault::of_issue)?,
        };
        let Some((login, target)) = prepared else {
            continue;
        };
        let Credential { password, verifier } = call.core.ready.take(target.iterations()).await;
        let path = format!("creds/{}", plan.role.name);
        let mount = call.mount.full_path();
        let lease_id = format!("{mount}{path}/{}", ids::base62(LEASE_ID_LENGTH));
        let order = Order {
            lease_id: &lease_id,
            path: &path,
            config: &plan.config,
            role: &plan.role.name,
            recipe: &plan.recipe,
            login: &login,
            token: &call.caller().token,
            ttl_seconds: plan.ttl_seconds,
            max_ttl_seconds: plan.max_ttl_seconds,
            guess: call.unproven(),
        };
        let made = lease::issue(call.core, &order, &target, &verifier).await;
        match made.map_err(fault::of_issue)? {
            Made::Issued => return Ok(Some(reply(call, plan, lease_id, &login, &password))),
            // It may be who asks that has changed: that is read before all else.
            Made::Stale if call.unproven().is_some() => break,
            Made::Stale => {}
            Made::LoginTaken(why) => taken = Some(why),
        }
    }
    Err(match taken {
        Some(why) => Fault::multi(400, why),
        None => Fault::raw(500, "the role is being changed by others; try again"),
    })
}

/// What is to be made, decided on what was read in this very request.
struct Plan {
    role: Arc<RoleRow>,
    config: Arc<ConfigRow>,
    recipe: Recipe,
    granted: Granted,
    /// Less than granted where a batch token has less left.
    ttl_seconds: i64,
    max_ttl_seconds: i64,
}

async fn plan(call: &Call<'_>) -> Result<Plan, Fault> {
    let (core, mount, name) = (call.core, call.mount, call.capture("name"));
    let Some((role, config)) = core.reads.role(mount.mount_id, name).await? else {
        return Err(Fault::bad(format!("unknown role: {name}")));
    };
    plan_of(call, role, config)
}

/// A plan by the role as it was read last; None where that leads to none.
fn guess(call: &Call<'_>) -> Option<Plan> {
    let (core, mount, name) = (call.core, call.mount, call.capture("name"));
    let (role, config) = core.reads.role_as_read_last(mount.mount_id, name)?;
    let plan = plan_of(call, role, config).ok()?;
    // One that was stored unverified may have been verified meanwhile.
    plan.config.target_id.is_some().then_some(plan)
}

fn plan_of(
    call: &Call<'_>,
    role: Arc<RoleRow>,
    config: Option<Arc<ConfigRow>>,
) -> Result<Plan, Fault> {
    let (core, mount, name) = (call.core, call.mount, call.capture("name"));
    let text = |field: &str| {
        role.settings
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let config = config.ok_or_else(|| reset::missing(role.db_name()))?;
    if !config.allows(name) {
        return Err(Fault::multi(
            400,
            format!("\"{name}\" is not an allowed role"),
        ));
    }
    let kind = text("credential_type");
    if kind != credential::PASSWORD {
        return Err(Fault::bad(format!("unsupported credential_type: {kind:?}")));
    }
    let granted = ttl::grant(
        lease::wish(&role, Span::ZERO),
        lease::mount_ttl(&core.settings, mount),
        Span::ZERO,
    )
    .map_err(|error| Fault::multi(400, error.to_string()))?;
    check_policy(&role, &config)?;
    let recipe = lease::recipe(&mount.accessor, &role);
    if recipe.creation_statements.is_empty() && recipe.member_of.is_empty() {
        return Err(Fault::multi(400, "empty creation statements"));
    }
    let token = &call.caller().token;
    if token.uses_left == Some(0) {
        return Err(Fault::bad(
            "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
        ));
    }
    let most = match token.batch {
        true => token.ttl_seconds.unwrap_or(i64::MAX),
        false => i64::MAX,
    };
    Ok(Plan {
        ttl_seconds: granted.ttl.seconds().min(most),
        max_ttl_seconds: granted.hard_stop.unwrap_or(granted.ttl).seconds(),
        role,
        config,
        recipe,
        granted,
    })
}

/// A named password policy must be there when it is used; there are none yet.
fn check_policy(role: &RoleRow, config: &ConfigRow) -> Result<(), Fault> {
    let of_role = role
        .settings
        .get("credential_config")
        .and_then(|config| config.get("password_policy"));
    let of_config = config.settings.get("password_policy");
    let named = |policy: Option<&Value>| {
        policy
            .and_then(Value::as_str)
            .is_some_and(|name| !name.is_empty())
    };
    if named(of_role) || named(of_config) {
        return Err(Fault::multi(
            400,
            "failed to generate password: no password policy found",
        ));
    }
    Ok(())
}

/// What comes before the intent: a name for the login, and the target with the recipe in force. None: the role is not what
/// was read any more.
async fn prepare(
    call: &Call<'_>,
    plan: &Plan,
) -> Result<Option<(String, Target)>, lease::LeaseError> {
    let login = login(call, plan)?;
    let target = lease::reach_config(call.core, &plan.config).await?;
    // Before the verifier: the server's iteration count is known once it has been asked anything.
    let (core, mount_id) = (call.core, call.mount.mount_id);
    let known = lease::digest(core, &target, mount_id, &plan.role.name, &plan.recipe).await?;
    Ok(known.map(|_| (login, target)))
}

fn login(call: &Call<'_>, plan: &Plan) -> Result<String, Fault> {
    let template = plan
        .config
        .settings
        .get("username_template")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let names = Names {
        display_name: &call.caller().token.display_name,
        role_name: &plan.role.name,
    };
    Template::parse(template)
        .and_then(|template| template.render(&names, OffsetDateTime::now_utc(), &mut rand::rng()))
        .map_err(|error| Fault::multi(400, error.to_string()))
}

fn reply(
    call: &Call<'_>,
    plan: Plan,
    lease_id: String,
    login: &str,
    password: &Password,
) -> Response {
    let (core, id) = (call.core.clone(), lease_id.clone());
    let undo = move || lease::undo(core, id, plan.config);
    Response {
        lease: Some(LeaseReply {
            lease_id,
            duration_seconds: plan.ttl_seconds,
            renewable: true,
        }),
        warnings: plan.granted.warnings,
        undelivered: Some(Undelivered::new(undo)),
        ..Response::data(json!({ "username": login, "password": password.expose() }))
    }
}
