//! Owners: a lease ends with the first of them, and nothing is made under one that has ended.

use anyhow::Result;
use leasehold_tests::{Options, refused, sqlstate, wait_until};
use std::time::Duration;

use super::prepared;

#[test]
fn a_lease_ends_with_its_owner_and_the_owner_s_parents() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = |id: &str, more: &str| {
        cluster.psql(&format!(
            "select ttl_seconds from leasehold.issue('r', request_id => '{id}', {more})"
        ))
    };
    let left = || {
        cluster.psql("select coalesce(string_agg(lease_id, ' ' order by lease_id), '') from leasehold.leases where state = 'active'")
    };
    // The own end is what callers see, whatever the owners'.
    assert_eq!(
        issue(
            "1",
            "owners => '{child,parent}', owner_ttls => array['1 hour', null]::interval[], owner_revisions => '{1,1}'"
        )?,
        "3600"
    );
    issue(
        "2",
        "owners => '{child,parent}', owner_ttls => array['1 hour', null]::interval[], owner_revisions => '{1,1}'",
    )?;
    issue("3", "owners => '{parent}', owner_revisions => '{1}'")?;
    issue("4", "owners => '{stranger}'")?;
    issue("5", "ttl => '1 hour'")?;
    // Old news is no news; a newer revision counts, and renewals heed it.
    let tell = |arguments: &str| cluster.psql(&format!("select leasehold.owner_ends({arguments})"));
    assert_eq!(tell("'child', 'parent', '1 second', 1")?, "f");
    assert_eq!(left()?, "1 2 3 4 5");
    assert_eq!(tell("'child', 'parent', '500 ms', 2")?, "t");
    wait_until(
        Duration::from_secs(4),
        "the child's leases have ended",
        || Ok(left()? == "3 4 5"),
    )?;
    wait_until(Duration::from_secs(4), "they are gone, and why", || {
        Ok(cluster.psql("select cause, count(*) from leasehold.history group by 1")? == "owner|2")
    })?;
    assert_eq!(
        sqlstate(issue(
            "6",
            "owners => '{child,parent}', owner_revisions => '{2,1}'"
        )),
        "LH011"
    );
    // Above all.
    cluster.psql("select leasehold.revoke_owner('parent')")?;
    wait_until(
        Duration::from_secs(4),
        "the parent's lease has ended",
        || Ok(left()? == "4 5"),
    )?;
    assert_eq!(
        sqlstate(issue("7", "owners => '{grandchild,child,parent}'")),
        "LH011"
    );
    assert_eq!(tell("'parent', null, null, 99")?, "f", "ended is for ever");
    // An owner that ended before anybody heard of it.
    cluster.psql("select leasehold.revoke_owner('early')")?;
    assert_eq!(
        sqlstate(issue("8", "owners => '{early}', owner_revisions => '{9}'")),
        "LH011"
    );
    assert_eq!(sqlstate(tell("'stranger', 'stranger', null, 5")), "22023");
    Ok(())
}

#[test]
fn an_owner_that_was_given_more_time_keeps_its_leases() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue('r', request_id => 'x', owners => '{t}', owner_ttls => '{700 ms}', owner_revisions => '{1}');
         select leasehold.owner_ends('t', null, '1 hour', 2)",
    )?;
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(
        cluster.psql("select state, due_at = expires_at from leasehold.leases")?,
        "active|t"
    );
    Ok(())
}

#[tokio::test]
async fn nothing_is_issued_under_an_owner_that_is_ending() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql("select leasehold.owner_ends('t', null, null, 1)")?;
    // An issue that began before the end makes the end wait, and its lease ends with the rest.
    let mut issuing = cluster.connect().await?;
    sqlx::raw_sql("begin; select leasehold.issue('r', request_id => 'late', owners => '{t}', owner_revisions => '{1}')")
        .execute(&mut issuing)
        .await?;
    let mut ending = cluster.connect().await?;
    let ended = tokio::spawn(async move {
        sqlx::raw_sql("select leasehold.revoke_owner('t')")
            .execute(&mut ending)
            .await
            .map(|_| ())
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        !ended.is_finished(),
        "the owner ended while a lease under it was being made"
    );
    sqlx::raw_sql("commit").execute(&mut issuing).await?;
    ended.await??;
    wait_until(Duration::from_secs(4), "its lease has ended", || {
        Ok(cluster.psql("select count(*) from leasehold.leases where state = 'active'")? == "0")
    })
}

#[test]
fn owners_that_are_told_of_at_once_make_no_circle() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let tell = "select leasehold.owner_ends('a', 'b', '1 hour', 1)";
    let telling = cluster.hold("postgres", tell)?;
    std::thread::scope(|scope| -> Result<()> {
        let circle =
            scope.spawn(|| cluster.psql("select leasehold.owner_ends('b', 'a', '1 hour', 1)"));
        std::thread::sleep(Duration::from_millis(500));
        telling.commit()?;
        refused(
            circle.join().expect("a thread"),
            "22023",
            &["end with itself"],
        )
    })?;
    cluster.psql("select leasehold.revoke_owner('a')")?;
    Ok(())
}

#[test]
fn a_lease_that_was_revoked_while_its_login_was_held_is_not_renewed() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let login = cluster.psql(
        "select login from leasehold.issue('r', request_id => '1', owners => '{o}', owner_ttls => '{1 hour}', owner_revisions => '{1}')",
    )?;
    let hold = format!("alter role \"{login}\" connection limit 7");
    let holding = cluster.hold("postgres", &hold)?;
    assert_eq!(cluster.psql("select leasehold.revoke('1')")?, "ending");
    std::thread::scope(|scope| {
        let renewing = scope.spawn(|| cluster.psql("select leasehold.renew('1', ttl => '1 hour')"));
        std::thread::sleep(Duration::from_millis(150));
        drop(holding);
        assert_eq!(sqlstate(renewing.join().expect("a thread")), "LH005");
    });
    wait_until(Duration::from_secs(5), "it has ended", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })
}

const ISSUE_BELOW: &str = "select count(*) from (values ('1', 'a'), ('2', 'm'), ('3', 'z')) n (id, owner),
         leasehold.issue('r', request_id => n.id, ttl => '1 hour', owners => array[n.owner] || array_remove('{m}', n.owner),
             owner_ttls => array_fill('1 day'::interval, array[case n.owner when 'm' then 1 else 2 end]),
             owner_revisions => array_fill(1, array[case n.owner when 'm' then 1 else 2 end])::bigint[])";

/// An owner's news reaches those below it once, whichever of them the sweeper comes to first.
#[test]
fn an_earlier_end_reaches_children_and_then_there_is_peace() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(ISSUE_BELOW)?;
    cluster.psql("select leasehold.owner_ends('m', null, '10 minutes', 2)")?;
    wait_until(Duration::from_secs(5), "all know", || {
        Ok(cluster.psql(
            "select count(*) filter (where due_at < now() + interval '11 minutes'), (select count(*) from leasehold.owners where spread_due)
               from leasehold.live_leases",
        )? == "3|0")
    })?;
    // A sweeper that goes round and round would never come to drop.
    cluster.psql("select leasehold.revoke('2')")?;
    wait_until(Duration::from_secs(5), "a login is dropped", || {
        Ok(cluster.psql("select count(*) from leasehold.history")? == "1")
    })
}

/// Somebody sits in a transaction that has locked the lease of one owner, and the child of another.
#[test]
fn what_somebody_holds_keeps_no_other_owner_s_end() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(ISSUE_BELOW)?;
    cluster.psql(
        "select leasehold.owner_ends('b', null, '1 day', 1);
         select leasehold.issue('r', request_id => '4', owners => '{b}', owner_revisions => '{1}');
         select leasehold.issue('r', request_id => '5', owners => '{y}', owner_revisions => '{1}')",
    )?;
    let active = || {
        cluster.psql("select coalesce(string_agg(lease_id, '' order by lease_id), '') from leasehold.leases where state = 'active'")
    };
    let lease = cluster.hold(
        "postgres",
        "select from leasehold.live_leases where lease_id = '4' for update",
    )?;
    let child = cluster.hold(
        "postgres",
        "select from leasehold.owners where owner = 'z' for update",
    )?;
    cluster.psql(
        "select leasehold.owner_ends('b', null, '10 minutes', 2); select leasehold.revoke_owner('m');
         select leasehold.revoke_owner('y')",
    )?;
    wait_until(
        Duration::from_secs(5),
        "what nobody holds has ended",
        || Ok(active()? == "34"),
    )?;
    drop(child);
    wait_until(Duration::from_secs(5), "the child's too", || {
        Ok(active()? == "4")
    })?;
    drop(lease);
    wait_until(Duration::from_secs(5), "the last one knows its end", || {
        Ok(cluster.psql("select count(*) from leasehold.owners where spread_due")? == "0")
    })
}
