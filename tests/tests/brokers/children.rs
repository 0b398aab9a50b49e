//! Tokens that are made at the same moment: each is its own, and none comes after the end of its maker.

use anyhow::Result;
use leasehold_tests::{Actor, Cluster, Options, Served};
use serde_json::{Value, json};
use std::thread;

const MAKER: &str = "path \"auth/token/create\" { capabilities = [\"update\"] }";

/// Makes so many at once; their statuses in order.
fn make_together(actor: &Actor, count: usize, body: &Value) -> Result<Vec<u16>> {
    let answers: Vec<_> = thread::scope(|scope| {
        let making: Vec<_> = (0..count)
            .map(|_| scope.spawn(|| actor.post("auth/token/create", body.clone())))
            .collect();
        let joined = making.into_iter().map(|one| one.join());
        joined.map(|one| one.expect("a thread")).collect()
    });
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer?.status);
    }
    statuses.sort_unstable();
    Ok(statuses)
}

#[test]
fn no_child_comes_after_the_end_of_its_maker() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let maker = broker.holder("maker", MAKER, json!({ "ttl": "1h" }))?;
    let bystander = broker.holder("maker", MAKER, json!({ "ttl": "1h" }))?;
    let accessor = broker
        .root()
        .post("auth/token/lookup", json!({ "token": maker.token() }))?
        .expect(200)?
        .text_at("/data/accessor")?;

    // The end of the maker is under way: written, and not committed yet.
    let end = format!(
        "update leasehold_broker.tokens set ended_at = clock_timestamp() where accessor = '{accessor}'"
    );
    let ending = cluster.hold("store", &end)?;
    thread::scope(|scope| -> Result<()> {
        let late = scope.spawn(|| make_together(&maker, 4, &json!({})));
        cluster.until_somebody_waits("store")?;
        // Nobody else waits with them.
        assert_eq!(make_together(&bystander, 4, &json!({}))?, [200; 4]);
        ending.commit()?;
        assert_eq!(late.join().expect("a thread")?, [403; 4]);
        Ok(())
    })?;
    let children = format!(
        "select count(*) from leasehold_broker.tokens c join leasehold_broker.tokens p on p.token_id = c.parent_id \
          where p.accessor = '{accessor}'"
    );
    assert_eq!(cluster.psql_in("store", &children)?, "0");
    Ok(())
}

#[test]
fn of_twins_made_together_one_is_there() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let statuses = make_together(&broker.root(), 12, &json!({ "id": "twin", "ttl": "1h" }))?;
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[1..], [400; 11]);
    Ok(())
}

#[test]
fn a_line_of_tokens_has_an_end() -> Result<()> {
    // As deep as one can stand; the first one has nobody above it.
    const DEPTH: usize = 100;
    const MAY: &str = "path \"auth/token/create\" { capabilities = [\"update\"] } \
                       path \"auth/token/create-orphan\" { capabilities = [\"update\", \"sudo\"] }";
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let first = broker.holder("maker", MAY, json!({ "ttl": "1h", "no_parent": true }))?;
    let child_of = |maker: &Actor| -> Result<Actor> {
        let made = maker.post("auth/token/create", json!({}))?.expect(200)?;
        Ok(maker.with_token(&made.text_at("/auth/client_token")?))
    };
    let mut above = first.clone();
    let mut last = child_of(&first)?;
    for _ in 2..DEPTH {
        above = last;
        last = child_of(&above)?;
    }
    let refused = last.post("auth/token/create", json!({}))?.expect(400)?;
    assert!(refused.text.contains("orphan"), "{refused:?}");
    last.get("auth/token/lookup-self")?.expect(200)?;

    // One beside it, and an orphan of its own, with whatever those below them may be.
    child_of(&above)?;
    let orphan = last
        .post("auth/token/create-orphan", json!({}))?
        .expect(200)?;
    child_of(&last.with_token(&orphan.text_at("/auth/client_token")?))?;

    // Many at once: who is refused takes nobody along.
    let (deep, others) = thread::scope(|scope| {
        let deep = scope.spawn(|| make_together(&last, 8, &json!({})));
        let others = scope.spawn(|| make_together(&above, 8, &json!({})));
        (deep.join(), others.join())
    });
    assert_eq!(deep.expect("a thread")?, [400; 8]);
    assert_eq!(others.expect("a thread")?, [200; 8]);
    Ok(())
}
