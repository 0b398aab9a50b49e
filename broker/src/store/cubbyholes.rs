//! What tokens keep for themselves, sealed.

use serde_json::{Map, Value};
use sqlx::PgExecutor;
use zeroize::Zeroizing;

use crate::json;
use crate::logical::Fault;
use crate::seal::Keys;

/// Seals an object for its token and path.
pub fn seal(keys: &Keys, token_id: i64, path: &str, object: &Value) -> Result<Vec<u8>, Fault> {
    let text = Zeroizing::new(serde_json::to_vec(object).map_err(Fault::internal)?);
    keys.seal("cubbyholes", &row(token_id, path), &text)
}

/// Opens what [`seal`] sealed for the same token and path.
pub fn open(
    keys: &Keys,
    token_id: i64,
    path: &str,
    sealed: &[u8],
) -> Result<Map<String, Value>, Fault> {
    let text = keys.open("cubbyholes", &row(token_id, path), sealed)?;
    json::parse_object(&text).map_err(|_| Fault::internal("a cubbyhole's value is no object"))
}

fn row(token_id: i64, path: &str) -> Vec<u8> {
    let mut row = token_id.to_be_bytes().to_vec();
    row.extend_from_slice(path.as_bytes());
    row
}

/// The sealed object at a path.
pub async fn read(
    store: impl PgExecutor<'_>,
    token_id: i64,
    path: &str,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar(
        "select sealed from leasehold_broker.cubbyholes where token_id = $1 and path = $2",
    )
    .bind(token_id)
    .bind(path)
    .fetch_optional(store)
    .await
}

/// Writes it. A token that ended meanwhile keeps nothing.
pub async fn write(
    store: impl PgExecutor<'_>,
    token_id: i64,
    path: &str,
    sealed: &[u8],
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.cubbyholes (token_id, path, sealed) \
         select token_id, $2, $3 from leasehold_broker.tokens where token_id = $1 and ended_at is null for share \
         on conflict (token_id, path) do update set sealed = excluded.sealed",
    )
    .bind(token_id)
    .bind(path)
    .bind(sealed)
    .execute(store)
    .await?;
    Ok(())
}

/// Deletes it, if it is there.
pub async fn delete(store: impl PgExecutor<'_>, token_id: i64, path: &str) -> sqlx::Result<()> {
    sqlx::query("delete from leasehold_broker.cubbyholes where token_id = $1 and path = $2")
        .bind(token_id)
        .bind(path)
        .execute(store)
        .await?;
    Ok(())
}

/// One level of names below a folder (empty, or with its slash at the end); folders end with a slash.
pub async fn list(
    store: impl PgExecutor<'_>,
    token_id: i64,
    folder: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct case when strpos(below, '/') > 0 then left(below, strpos(below, '/')) else below end collate \"C\" as name \
         from (select substr(path, length($2) + 1) as below from leasehold_broker.cubbyholes \
               where token_id = $1 and starts_with(path, $2)) as found \
         where below <> '' order by name",
    )
    .bind(token_id)
    .bind(folder)
    .fetch_all(store)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_as_it_came() {
        for body in [
            r#"{"a":1.50,"b":-0,"c":[null,true,"\u0000"]}"#,
            r#"{"a":{"$serde_json::private::Number":"1"}}"#,
            r#"{"a":{"$serde_json::private::Number":"no number"}}"#,
            r#"{"$serde_json::private::Number":{}}"#,
        ] {
            let came = json::parse_body(body.as_bytes()).expect("a body");
            let text = serde_json::to_vec(&Value::Object(came.clone())).expect("it is written");
            assert_eq!(json::parse_object(&text), Ok(came), "{body}");
        }
    }
}
