//! The SQL script is written by hand, and a declaration that does not fit its Rust function would read memory that is
//! not there. So every C function that the script declares is held against the signature in `pg_ext/src/api`.

use anyhow::{Context, Result};
use leasehold_tests::{Cluster, Options, built};
use regex_lite::Regex;
use std::collections::BTreeMap;

/// A function as one side sees it.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    /// Types of the arguments, in order.
    arguments: Vec<String>,
    /// The type of the answer, or `name type` of each of its columns.
    answer: Vec<String>,
}

#[test]
fn every_declaration_fits_its_function() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let declared = declared(&cluster)?;
    let written = written()?;
    assert!(declared.len() > 15, "{declared:?}");
    let names = |side: &BTreeMap<String, Signature>| side.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&declared), names(&written));
    for (name, declared) in &declared {
        assert_eq!(
            declared, &written[name],
            "{name}: the script, then the Rust function"
        );
    }
    Ok(())
}

/// What the script declares, by the name of the Rust function.
fn declared(cluster: &Cluster) -> Result<BTreeMap<String, Signature>> {
    let rows = cluster.psql(
        "select p.prosrc, p.proretset,
                array_to_string(array(select format_type(t, null) from unnest(p.proargtypes) with ordinality x (t, n) order by n), ','),
                format_type(p.prorettype, null),
                coalesce(array_to_string(array(select p.proargnames[n] || ' ' || format_type(t, null)
                    from unnest(p.proallargtypes) with ordinality x (t, n) where p.proargmodes[n] in ('t', 'o') order by n), ','), '')
           from pg_proc p join pg_language l on l.oid = p.prolang
          where p.pronamespace = 'leasehold'::regnamespace and l.lanname = 'c' and p.prorettype <> 'trigger'::regtype",
    )?;
    let list = |text: &str| {
        text.split(',')
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    rows.lines()
        .map(|row| {
            let columns: Vec<&str> = row.split('|').collect();
            let [symbol, _set, arguments, answer, table] = columns[..] else {
                anyhow::bail!("unexpected row {row}");
            };
            let answer = if table.is_empty() {
                list(answer)
            } else {
                list(table)
            };
            let name = symbol
                .strip_suffix("_wrapper")
                .context("pgrx names its symbols so")?;
            Ok((
                name.to_owned(),
                Signature {
                    arguments: list(arguments),
                    answer,
                },
            ))
        })
        .collect()
}

/// What the Rust sources say.
fn written() -> Result<BTreeMap<String, Signature>> {
    let function = Regex::new(
        r"(?s)#\[pg_extern\(sql = false[^\]]*\)\]\s*(?:#\[expect\(.*?\)\]\s*)*fn (\w+)\((.*?)\)(?: -> (.*?))? \{\n",
    )?;
    let single = Regex::new(r"fn (\w+)\(\) \{\}")?;
    let column = Regex::new(r"name!\((\w+), ([^()]+)\)")?;
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(built::top().join("pg_ext/src/api"))? {
        let text = std::fs::read_to_string(entry?.path())?;
        for found in function.captures_iter(&text.replace(") {}", ") {\n}")) {
            let arguments = split(&found[2])
                .iter()
                .map(|argument| {
                    let (_, rust) = argument.split_once(':').context("an argument has a type")?;
                    sql_type(rust)
                })
                .collect::<Result<_>>()?;
            let rust = found.get(3).map_or("()", |answer| answer.as_str());
            let columns = column
                .captures_iter(rust)
                .map(|one| Ok(format!("{} {}", &one[1], sql_type(&one[2])?)))
                .collect::<Result<Vec<_>>>()?;
            let answer = if columns.is_empty() {
                let inner = rust
                    .strip_prefix("Result<")
                    .map_or(rust, |rest| split(rest.trim_end_matches('>'))[0]);
                vec![if &found[1] == "guard" {
                    "event_trigger".to_owned()
                } else {
                    sql_type(inner)?
                }]
            } else {
                columns
            };
            all.insert(found[1].to_owned(), Signature { arguments, answer });
        }
        assert!(
            single.captures_iter(&text).count() <= 1,
            "only the guard does nothing"
        );
    }
    Ok(all)
}

/// Cuts at commas that stand in no brackets.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// The SQL type that a Rust type of pgrx reads or makes.
fn sql_type(rust: &str) -> Result<String> {
    let rust: String = rust.split_whitespace().collect();
    if let Some(inner) = rust
        .strip_prefix("Option<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        return sql_type(inner);
    }
    for array in ["Array<'_,", "Vec<"] {
        if let Some(inner) = rust
            .strip_prefix(array)
            .and_then(|rest| rest.strip_suffix('>'))
        {
            return Ok(format!("{}[]", sql_type(inner)?));
        }
    }
    Ok(match rust.as_str() {
        "&str" | "&'staticstr" | "String" => "text",
        "&CStr" => "name",
        "bool" => "boolean",
        "i32" => "integer",
        "i64" => "bigint",
        "Interval" => "interval",
        "TimestampWithTimeZone" => "timestamp with time zone",
        "()" => "void",
        other => anyhow::bail!("what is {other} in SQL?"),
    }
    .to_owned())
}
