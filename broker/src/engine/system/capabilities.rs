//! `sys/capabilities*` (contract 2.8): what a token may do at a path. Asking is no use of the token asked about.

use serde_json::{Map, Value};

use crate::authority;
use crate::fields::{FieldType, FieldValue};
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response};
use crate::policy::Acl;
use crate::secret::Token;
use crate::store::tokens;

const PATHS: Field = Field {
    name: "paths",
    kind: FieldType::CommaStringSlice,
    help: "Paths to ask about.",
};
const PATH: Field = Field {
    name: "path",
    kind: FieldType::CommaStringSlice,
    help: "The older name of paths.",
};
const TOKEN: Field = Field {
    name: "token",
    kind: FieldType::Any,
    help: "The token to ask about.",
};
const ACCESSOR: Field = Field {
    name: "accessor",
    kind: FieldType::String,
    help: "Accessor of the token to ask about.",
};

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "capabilities",
        summary: "What a token may do.",
        fields: &[TOKEN, PATHS, PATH],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(of_token(call)))],
    },
    PathSpec {
        pattern: "capabilities-self",
        summary: "What the caller may do.",
        fields: &[TOKEN, PATHS, PATH],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(of_caller(call)))],
    },
    PathSpec {
        pattern: "capabilities-accessor",
        summary: "What the token of an accessor may do.",
        fields: &[ACCESSOR, PATHS, PATH],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(of_accessor(call)))],
    },
];

fn paths(call: &Call<'_>) -> Result<Vec<String>, Fault> {
    let list = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_list)
            .filter(|list| !list.is_empty())
    };
    list("paths")
        .or_else(|| list("path"))
        .map(<[String]>::to_vec)
        .ok_or_else(|| Fault::bad("paths must be supplied"))
}

async fn of_token(call: &Call<'_>) -> Outcome {
    let paths = paths(call)?;
    let token = match call.fields.get("token").and_then(FieldValue::as_any) {
        Some(Value::String(token)) if !token.is_empty() => Token::new(token.clone()),
        _ => return Err(Fault::multi(400, "no token found")),
    };
    let found = authority::look_up(call.core, &token)
        .await?
        .ok_or_else(|| Fault::multi(400, "invalid token"))?;
    let acl = authority::acl(call.core, &found.identity.policies).await?;
    answer(&acl, &paths)
}

async fn of_caller(call: &Call<'_>) -> Outcome {
    answer(&call.caller().acl, &paths(call)?)
}

async fn of_accessor(call: &Call<'_>) -> Outcome {
    let accessor = call
        .fields
        .get("accessor")
        .and_then(FieldValue::as_text)
        .unwrap_or_default();
    if accessor.is_empty() {
        return Err(Fault::bad("missing accessor"));
    }
    // As a token that is named itself: it lives, with all above it, and has a use left.
    let token = tokens::by_accessor(&call.core.store, accessor)
        .await?
        .filter(|token| token.uses_left != Some(0))
        .ok_or_else(|| Fault::multi(400, "invalid accessor"))?;
    let paths = paths(call)?;
    let acl = authority::acl(call.core, &token.policies).await?;
    answer(&acl, &paths)
}

fn answer(acl: &Acl, paths: &[String]) -> Outcome {
    let mut data = Map::new();
    for path in paths {
        let path = path.trim();
        if path.is_empty() {
            return Err(Fault::multi(400, "missing path"));
        }
        data.insert(path.to_owned(), acl.capabilities(path).into());
    }
    if let [only] = paths {
        let words = data.get(only.trim()).cloned();
        data.entry("capabilities")
            .or_insert(words.unwrap_or(Value::Null));
    }
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}
