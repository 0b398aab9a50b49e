//! Hostile input: what no client in its senses sends is refused as the sender's fault, soon, and costs next to nothing.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Broker, DevOptions};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest time that a refusal may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// A field as the broker's own document tells it.
struct Field {
    path: String,
    name: String,
    schema: Value,
}

/// All fields that can be posted. The paths are those of the document, with the names of their parameters as values.
fn fields(root: &Actor) -> Result<Vec<Field>> {
    let document = root.get("sys/internal/specs/openapi")?.expect(200)?.body;
    let mut fields = Vec::new();
    for (path, entry) in document["paths"].as_object().context("paths")? {
        let schema = &entry["post"]["requestBody"]["content"]["application/json"]["schema"];
        let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|name| name.rsplit('/').next())
        else {
            continue;
        };
        let properties = &document["components"]["schemas"][name]["properties"];
        for (name, schema) in properties.as_object().into_iter().flatten() {
            fields.push(Field {
                path: path.trim_start_matches('/').replace(['{', '}'], ""),
                name: name.clone(),
                schema: schema.clone(),
            });
        }
    }
    Ok(fields)
}

/// Values of every kind that JSON has, and some that are one too many of their kind.
fn values() -> Vec<Value> {
    let huge = serde_json::from_str("1e400").expect("a number");
    let long = serde_json::from_str(&"9".repeat(400)).expect("a number");
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(i64::MAX),
        huge,
        long,
        json!(""),
        json!("\u{0}x"),
        json!("\r\n\u{7f}\u{1b}[2J"),
        json!("-1h"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([null, true, -1, "\u{0}"]),
        json!([[1]]),
        json!({}),
        json!({"": "\u{0}"}),
        json!({"a": {"b": [1]}}),
    ]
}

/// Values that can not be what the field's declared type wants.
fn wrong(schema: &Value) -> Vec<Value> {
    let (word, map) = (json!("x"), json!({"a": {"b": 1}}));
    match schema["type"].as_str() {
        Some("string") => vec![json!([[1]]), map],
        Some("integer") => vec![word, json!([[1]]), map],
        Some("boolean") => vec![word, json!([[true]]), map],
        Some("array") => vec![json!([[1]]), map],
        Some("object") => vec![json!(1), json!(true), json!([[1]])],
        _ => Vec::new(),
    }
}

fn prepare() -> Result<Broker> {
    let broker = Broker::dev(&DevOptions::default())?;
    broker
        .root()
        .post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    Ok(broker)
}

#[test]
fn every_field_with_every_wrong_type_is_the_senders_fault() -> Result<()> {
    let broker = prepare()?;
    let root = broker.root();
    let fields = fields(&root)?;
    ensure!(
        fields.len() > 150,
        "the document tells {} fields",
        fields.len()
    );
    let mut asked = 0;
    for field in &fields {
        // A token of its own, or the path that ends the caller's would answer everything after it with 403.
        let token = root.post("auth/token/create", json!({}))?.expect(200)?;
        let actor = root.with_token(&token.text_at("/auth/client_token")?);
        for (value, want_refusal) in values()
            .into_iter()
            .map(|value| (value, false))
            .chain(wrong(&field.schema).into_iter().map(|value| (value, true)))
        {
            let begun = Instant::now();
            let body = json!({ (field.name.as_str()): value });
            let answer = actor.post(&field.path, body)?;
            let shown: String = value.to_string().chars().take(80).collect();
            let request = format!("POST {} {}={shown}", field.path, field.name);
            let told = format!("{request}: {} {:.300}", answer.status, answer.text);
            ensure!(answer.status < 500, "{told}");
            ensure!(
                !want_refusal || (400..500).contains(&answer.status),
                "{told}"
            );
            ensure!(
                begun.elapsed() < PATIENCE,
                "{request} took {:?}",
                begun.elapsed()
            );
            asked += 1;
        }
    }
    println!("{asked} requests, {} fields", fields.len());
    // It still serves, and what it has was not harmed.
    root.get("auth/token/lookup-self")?.expect(200)?;
    Ok(())
}

/// What a request is answered with. It is sent as it stands, and the connection may be closed before all is sent.
fn send(broker: &Broker, length: usize, body: &[u8]) -> Result<String> {
    let root = broker.root();
    send_as(broker, root.token().unwrap_or_default(), length, body)
}

fn send_as(broker: &Broker, token: &str, length: usize, body: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(broker.address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "PUT /v1/cubbyhole/x HTTP/1.1\r\nHost: broker\r\nX-Vault-Token: {token}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )?;
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    // A reset after the answer is as good as its end.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Kilobytes the broker has had in memory at most.
fn peak_kilobytes(broker: &Broker) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.context("VmHWM")?.trim().trim_end_matches(" kB");
    Ok(number.parse()?)
}

#[test]
fn large_bodies_at_once_wait_for_each_other() -> Result<()> {
    let broker = prepare()?;
    send(&broker, 9, b"{\"a\":\"b\"}")?;
    let before = peak_kilobytes(&broker)?;
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(24 << 20));
    std::thread::scope(|threads| -> Result<()> {
        let all: Vec<_> = (0..12)
            .map(|_| threads.spawn(|| send_as(&broker, "nobody", body.len(), body.as_bytes())))
            .collect();
        for one in all {
            let answer = one.join().ok().context("a thread that sends")??;
            ensure!(answer.starts_with("HTTP/1.1 403"), "{answer:.300}");
        }
        Ok(())
    })?;
    let grown = peak_kilobytes(&broker)? - before;
    println!("peak memory grew by {grown} kB for twelve bodies of 24 MiB at once");
    ensure!(grown < 256 * 1024, "bodies cost {grown} kB");
    Ok(())
}

#[test]
fn json_that_is_too_much_costs_next_to_nothing() -> Result<()> {
    let broker = prepare()?;
    send(&broker, 9, b"{\"a\":\"b\"}")?;
    let before = peak_kilobytes(&broker)?;
    let deep = format!(
        "{{\"a\":{}{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    let objects = format!("{}1{}", "{\"a\":".repeat(500_000), "}".repeat(500_000));
    let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(1_000_000));
    let members: Vec<String> = (0..300_000).map(|n| format!("\"m{n}\":0")).collect();
    let members = format!("{{{}}}", members.join(","));
    let doubles = format!("{{{}\"a\":0}}", "\"a\":[],".repeat(300_000));
    let open = "[".repeat(3_000_000);
    for (what, body) in [
        ("deep lists", deep),
        ("deep objects", objects),
        ("a wide list", wide),
        ("many members", members),
        ("one member many times", doubles),
        ("lists that do not end", open),
    ] {
        let begun = Instant::now();
        let answer = send(&broker, body.len(), body.as_bytes())?;
        let refused = answer.starts_with("HTTP/1.1 400") && answer.contains("high complexity");
        ensure!(refused, "{what}: {answer:.300}");
        ensure!(
            begun.elapsed() < PATIENCE,
            "{what} took {:?}",
            begun.elapsed()
        );
    }
    let complex = peak_kilobytes(&broker)? - before;
    // Larger than any body may be, said and not said beforehand; and much less than was announced.
    let huge = vec![b' '; 40 * 1024 * 1024];
    for length in [huge.len(), 1 << 40] {
        let answer = send(&broker, length, &huge)?;
        ensure!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
            "{length}: {answer:.300}"
        );
    }
    let all = peak_kilobytes(&broker)? - before;
    println!(
        "peak memory grew by {complex} kB for JSON of 3 MB, by {all} kB for bodies past the limit"
    );
    ensure!(
        complex < 48 * 1024,
        "JSON that was refused cost {complex} kB"
    );
    ensure!(all < 128 * 1024, "bodies that were refused cost {all} kB");
    // A doubled member is not an error: the last one counts, as clients know it.
    let answer = send(&broker, 15, b"{\"a\":1,\"a\":\"b\"}")?;
    ensure!(answer.starts_with("HTTP/1.1 204"), "{answer:.300}");
    let kept = broker.root().get("cubbyhole/x")?.expect(200)?;
    ensure!(kept.body["data"] == json!({"a": "b"}), "{}", kept.text);
    broker.root().get("auth/token/lookup-self")?.expect(200)?;
    Ok(())
}

#[test]
fn a_member_that_is_called_like_a_number_inside_is_a_member() -> Result<()> {
    let broker = prepare()?;
    let root = broker.root();
    for value in ["1", "no number", ""] {
        let inside = format!("{{\"$serde_json::private::Number\":\"{value}\"}}");
        let body = format!("{{\"a\":{inside}}}");
        let written = send(&broker, body.len(), body.as_bytes())?;
        ensure!(written.starts_with("HTTP/1.1 204"), "{written:.300}");
        let read = root.get("cubbyhole/x")?.expect(200)?;
        ensure!(
            read.text.contains(&format!("\"data\":{{\"a\":{inside}}}")),
            "{}",
            read.text
        );
    }
    Ok(())
}
