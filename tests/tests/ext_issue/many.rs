//! Many at once: `issue_many` and `renew_leases` give, refuse and remember what the verbs for one do.

use anyhow::Result;
use leasehold_tests::{Options, sqlstate, wait_until};
use std::time::{Duration, Instant};

use super::{LOGINS, PENCIL, prepared};

#[tokio::test]
async fn a_call_makes_a_login_for_each_request() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let made = cluster.psql(
        "select ordinal, ttl_seconds, max_ttl_seconds, lease_id like 'r/%', length(password) >= 20, sqlstate
           from leasehold.issue_many('r', array[null, null, null]::text[], ttls => array[null, '10 min', '1 min']::interval[],
                                     max_ttls => array[null, null, '30 s']::interval[], caps => array[null, '20 s', null]::interval[])",
    )?;
    assert_eq!(made, "1|3600|86400|t|t|\n2|20|86400|t|t|\n3|30|30|t|t|");
    let many = cluster.psql(
        "select count(distinct login), count(distinct password), count(distinct lease_id)
           from leasehold.issue_many('r', array_fill(null::text, array[300]))",
    )?;
    assert_eq!(many, "300|300|300");
    assert_eq!(cluster.psql(LOGINS)?, "303");
    // A login of many is what one of its own is.
    let given = cluster.psql(
        "select login || ' ' || password from leasehold.issue_many('r', '{named}', logins => '{by_name}', display_names => '{someone}')",
    )?;
    let (login, password) = given.split_once(' ').expect("two words");
    assert_eq!(login, "by_name");
    cluster.log_in(login, password).await?;
    assert_eq!(
        cluster.psql(
            "select l.role, l.display_name, l.state, a.rolvaliduntil = l.expires_at, l.due_at = l.expires_at
               from leasehold.leases l join pg_authid a on a.oid = l.login_oid where l.lease_id = 'named'"
        )?,
        "r|someone|active|t|t"
    );
    // A list of another length says nothing that could be believed.
    for arguments in [
        "ttls => '{1 h}'",
        "caps => '{1 h,1 h,1 h}'",
        "verifiers => '{}'",
        "owners => '{o}'",
        "owners => '{o}', owner_counts => '{1}'",
        "owners => '{o}', owner_counts => '{2,-1}'",
    ] {
        let refused = cluster.psql(&format!(
            "select leasehold.issue_many('r', '{{a,b}}', {arguments})"
        ));
        assert_eq!(sqlstate(refused), "22023", "{arguments}");
    }
    Ok(())
}

#[test]
fn a_request_that_can_not_be_had_is_refused_by_itself() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = |ids: &str, verifiers: &str| {
        cluster.psql(&format!(
            "select ordinal, lease_id, sqlstate from leasehold.issue_many('r', {ids}, verifiers => {verifiers})"
        ))
    };
    let pencils = format!("array_fill('{PENCIL}'::text, array[2])");
    assert_eq!(issue("'{one,two}'", &pencils)?, "1|one|\n2|two|");
    // Asked again it gives the same leases, beside new ones.
    assert_eq!(issue("'{two,three}'", &pencils)?, "1|two|\n2|three|");
    assert_eq!(cluster.psql(LOGINS)?, "3");
    let mixed = issue(
        "array['one', 'new', 'two', 'new', '', E'line\\n', 'bad verifier', 'last']",
        &format!("array['{PENCIL}', '{PENCIL}', null, null, null, null, 'md5', '{PENCIL}']"),
    )?;
    assert_eq!(
        mixed,
        "1|one|\n2|new|\n3||LH007\n4||22023\n5||22023\n6||22023\n7||22023\n8|last|"
    );
    assert_eq!(cluster.psql(LOGINS)?, "5");
    cluster.psql("select leasehold.revoke('one'); select leasehold.settle('{never}')")?;
    let pencils = format!("array_fill('{PENCIL}'::text, array[3])");
    assert_eq!(
        issue("'{one,never,fine}'", &pencils)?,
        "1||LH005\n2||LH009\n3|fine|"
    );
    Ok(())
}

#[test]
fn what_fails_after_that_fails_for_all_and_leaves_nothing() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "create role there; select leasehold.issue_many('r', '{first}', owners => '{o,top}', owner_counts => '{2}');
         select leasehold.revoke_owner('top')",
    )?;
    for (arguments, state) in [
        ("logins => '{fresh,there}'", "LH004"),
        ("logins => '{fresh,fresh}'", "LH004"),
        ("caps => '{1 h,0}'", "LH006"),
        ("ttls => '{1 h,-1 h}'", "22023"),
        ("owners => '{free,o,top}', owner_counts => '{1,2}'", "LH011"),
        ("digest => 'another'", "LH002"),
    ] {
        let refused = cluster.psql(&format!(
            "select leasehold.issue_many('r', '{{a,b}}', {arguments})"
        ));
        assert_eq!(sqlstate(refused), state, "{arguments}");
    }
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.issue_many('absent', '{a,b}')")),
        "LH001"
    );
    // Not even the ids are taken.
    let made = cluster.psql("select ordinal, sqlstate from leasehold.issue_many('r', '{a,b}')")?;
    assert_eq!(made, "1|\n2|");
    Ok(())
}

#[test]
fn leases_of_one_call_end_with_their_own_owners() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue_many('r', '{a,b,c,free}', owners => '{a1,top,b1,top,a1,top}', owner_counts => '{2,2,2,0}',
                owner_ttls => array['1 h', '2 h', null, '2 h', '10 min', '2 h']::interval[], owner_revisions => '{1,1,1,1,2,1}')",
    )?;
    let ends = cluster.psql(
        "select lease_id, coalesce(owner, '-'), round(extract(epoch from due_at - issued_at) / 60) from leasehold.leases order by 1",
    )?;
    assert_eq!(
        ends, "a|a1|10\nb|b1|60\nc|a1|10\nfree|-|60",
        "the newest word on an owner counts for all"
    );
    let gone = |ids: &str| {
        wait_until(Duration::from_secs(5), "their logins are gone", || {
            let living = "select coalesce(string_agg(lease_id, ',' order by 1), '') from leasehold.leases where state = 'active'";
            Ok(cluster.psql(living)? == ids)
        })
    };
    cluster.psql("select leasehold.revoke_owner('a1')")?;
    gone("b,free")?;
    cluster.psql("select leasehold.revoke_owner('top')")?;
    gone("free")
}

#[test]
fn a_call_renews_each_lease_by_its_own_wish() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.register_scope('store', '0123456789abcdef');
         select leasehold.define_role('r', member_of => '{readers}', scope => 'store', revision => 1);
         select leasehold.issue_many('r', '{b,a,gone,old}', ttls => '{1 h,1 h,1 h,1 h}', owners => '{o}',
                                     owner_counts => '{1,0,0,0}', scope => 'store');
         select leasehold.revoke('gone', scope => 'store')",
    )?;
    let digest = cluster.psql("select digest from leasehold.roles where scope = 'store'")?;
    let renewed = cluster.psql(&format!(
        "select ordinal, ttl_seconds, sqlstate from leasehold.renew_leases('{{b,a,gone,never,a,old}}',
                ttls => array['2 h', '10 min', null, null, null, '-1 s']::interval[],
                digests => array['{digest}', null, null, null, null, null], scope => 'store')"
    ))?;
    assert_eq!(
        renewed,
        "1|7200|\n2|600|\n3||LH005\n4||LH005\n5||22023\n6||22023"
    );
    let renewed = cluster.psql(
        "select ordinal, ttl_seconds, sqlstate from leasehold.renew_leases('{a,b}', digests => '{other,other}', scope => 'store')",
    )?;
    assert_eq!(renewed, "1||LH002\n2||LH002");
    assert_eq!(
        cluster.psql(
            "select l.lease_id, round(extract(epoch from l.due_at - l.issued_at) / 60), a.rolvaliduntil = l.expires_at
               from leasehold.leases l join pg_authid a on a.oid = l.login_oid where l.state = 'active' order by 1"
        )?,
        "a|10|t\nb|120|t\nold|60|t"
    );
    assert_eq!(
        cluster.psql("select lease_id, kind from leasehold.changes(scope => 'store') where kind = 'renewed' order by lease_id")?,
        "a|renewed\nb|renewed",
        "a store hears of it"
    );
    cluster.psql("select leasehold.revoke_owner('o', scope => 'store')")?;
    let renewed = cluster
        .psql("select ordinal, sqlstate from leasehold.renew_leases('{b,a}', scope => 'store')")?;
    assert!(
        ["1|LH011\n2|", "1|LH005\n2|"].contains(&renewed.as_str()),
        "{renewed}"
    );
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.renew_leases('{a}', ttls => '{1 h,1 h}')")),
        "22023"
    );
    Ok(())
}

#[tokio::test]
async fn a_login_that_somebody_holds_does_not_keep_the_others_waiting() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql("select leasehold.issue_many('r', '{held,free}', logins => '{held,free}')")?;
    let _holder = cluster.hold_login("held").await?;
    let began = Instant::now();
    let renewed = cluster.psql(
        "select ordinal, ttl_seconds, sqlstate from leasehold.renew_leases('{held,free}', ttls => '{2 h,2 h}')",
    )?;
    assert_eq!(renewed, "1||55P03\n2|7200|");
    assert!(began.elapsed() < Duration::from_millis(1_500), "it waited");
    Ok(())
}
