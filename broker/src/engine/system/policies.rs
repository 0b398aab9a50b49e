//! `sys/policies/acl` and the older `sys/policy` (contract 4.1).

use serde_json::{Map, Value, json};

use crate::authority;
use crate::fields::{FieldType, FieldValue};
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response};
use crate::policy::{DEFAULT, Policy, PolicyError, RESPONSE_WRAPPING, ROOT, decode_submitted};
use crate::store::policies;

const NAME: Field = Field {
    name: "name",
    kind: FieldType::String,
    help: "Name of the policy; lower-cased.",
};
const POLICY: Field = Field {
    name: "policy",
    kind: FieldType::String,
    help: "The rules, in HCL or JSON.",
};
const RULES: Field = Field {
    name: "rules",
    kind: FieldType::String,
    help: "The older name of policy.",
};

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "policies/acl/",
        summary: "List the names of policies.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::List, |call| Box::pin(list(call)))],
    },
    PathSpec {
        pattern: "policies/acl",
        summary: "List the names of policies.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::List, |call| Box::pin(list(call)))],
    },
    PathSpec {
        pattern: "policies/acl/*name",
        summary: "Read, write or delete a policy.",
        fields: &[NAME, POLICY],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[
            (Operation::Read, |call| Box::pin(read(call, "policy"))),
            (Operation::Update, |call| Box::pin(write(call))),
            (Operation::Delete, |call| Box::pin(delete(call))),
        ],
    },
    PathSpec {
        pattern: "policy/",
        summary: "List the names of policies.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[
            (Operation::List, |call| Box::pin(list_old(call))),
            (Operation::Read, |call| Box::pin(list_old(call))),
        ],
    },
    PathSpec {
        pattern: "policy",
        summary: "List the names of policies.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Read, |call| Box::pin(list_old(call)))],
    },
    PathSpec {
        pattern: "policy/*name",
        summary: "Read, write or delete a policy.",
        fields: &[NAME, POLICY, RULES],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[
            (Operation::Read, |call| Box::pin(read(call, "rules"))),
            (Operation::Update, |call| Box::pin(write(call))),
            (Operation::Delete, |call| Box::pin(delete(call))),
        ],
    },
];

async fn names(call: &Call<'_>) -> Result<Vec<String>, Fault> {
    let mut names = policies::names(&call.core.store).await?;
    names.retain(|name| name != RESPONSE_WRAPPING);
    names.push(ROOT.to_owned());
    Ok(names)
}

async fn list(call: &Call<'_>) -> Outcome {
    Response::keys(names(call).await?)
}

async fn list_old(call: &Call<'_>) -> Outcome {
    let names = names(call).await?;
    Ok(Some(Response::data(
        json!({ "keys": names, "policies": names }),
    )))
}

/// The name a policy goes by, however it was written; the caller may do at its own path what is asked.
fn name(call: &Call<'_>) -> Result<String, Fault> {
    let written = call.capture("name");
    let name = written.trim_end_matches('/').trim().to_lowercase();
    let folder = call.request.path.strip_suffix(written).unwrap_or_default();
    authority::judge_at(call, &format!("{folder}{name}"), Access::Token)?;
    Ok(name)
}

async fn read(call: &Call<'_>, text_key: &str) -> Outcome {
    let name = name(call)?;
    let text = if name == ROOT {
        Some(String::new())
    } else {
        policies::text(&call.core.store, &name).await?
    };
    Ok(text.map(|text| {
        let data = Map::from_iter([
            ("name".into(), Value::from(name)),
            (text_key.into(), text.into()),
        ]);
        Response {
            data: Some(data),
            ..Response::default()
        }
    }))
}

async fn write(call: &Call<'_>) -> Outcome {
    let text = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_text)
            .unwrap_or_default()
    };
    let name = name(call)?;
    let mut warnings = Vec::new();
    let submitted = match text("policy") {
        "" => {
            let rules = text("rules");
            if !rules.is_empty() {
                warnings.push("'rules' is deprecated, please use 'policy' instead".to_owned());
            }
            rules
        }
        policy => policy,
    };
    if submitted.is_empty() {
        return Err(Fault::bad("'policy' parameter not supplied or empty"));
    }
    let refuse = |error: PolicyError| Fault::bad(format!("failed to parse policy: {error}"));
    let text = decode_submitted(submitted).map_err(refuse)?;
    Policy::parse(&name, &text).map_err(refuse)?;
    if name == ROOT || name == RESPONSE_WRAPPING {
        return Err(Fault::bad(format!("cannot update \"{name}\" policy")));
    }
    policies::write(&call.core.store, &name, &text).await?;
    if call.capture("name").trim() != name {
        warnings.insert(0, format!("policy name was converted to {name}"));
    }
    Ok(Response::warnings(warnings))
}

async fn delete(call: &Call<'_>) -> Outcome {
    let name = name(call)?;
    match name.as_str() {
        ROOT | RESPONSE_WRAPPING => Err(Fault::bad(format!("cannot delete \"{name}\" policy"))),
        DEFAULT => Err(Fault::bad("cannot delete default policy")),
        _ => {
            policies::delete(&call.core.store, &name).await?;
            Ok(None)
        }
    }
}
