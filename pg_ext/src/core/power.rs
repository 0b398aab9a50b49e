//! Powers that a login with a lease must not have unless a superuser's recipe gives them: each would let it go
//! beyond its recipe, or beyond its end.

/// The attributes of a role that an ordinary login has none of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// `SUPERUSER`
    pub superuser: bool,
    /// `CREATEROLE`
    pub create_role: bool,
    /// `CREATEDB`
    pub create_db: bool,
    /// `REPLICATION`
    pub replication: bool,
    /// `BYPASSRLS`
    pub bypass_rls: bool,
}

impl Attributes {
    /// The gravest one, by the word `CREATE ROLE` has for it.
    pub fn power(self) -> Option<&'static str> {
        [
            (self.superuser, "SUPERUSER"),
            (self.create_role, "CREATEROLE"),
            (self.replication, "REPLICATION"),
            (self.bypass_rls, "BYPASSRLS"),
            (self.create_db, "CREATEDB"),
        ]
        .into_iter()
        .find_map(|(has, word)| has.then_some(word))
    }
}

/// Predefined roles whose members reach files and programs of the server, everybody's data, or other sessions.
/// Known by name: PostgreSQL lets nobody else make a role that begins with `pg_`. Those of later versions are
/// here too. Roles that only let one look (`pg_monitor`, `pg_read_all_settings`, `pg_read_all_stats`,
/// `pg_stat_scan_tables`) and `pg_checkpoint` are not.
const DANGEROUS: &[&str] = &[
    "pg_create_subscription",
    "pg_execute_server_program",
    "pg_maintain",
    "pg_read_all_data",
    "pg_read_server_files",
    "pg_signal_autovacuum_worker",
    "pg_signal_backend",
    "pg_use_reserved_connections",
    "pg_write_all_data",
    "pg_write_server_files",
];

/// Our own group roles: a login that could issue, define or end leases would outlive its own.
const OURS: &[&str] = &["leasehold_admin", "leasehold_definer", "leasehold_issuer"];

/// Is membership in the role of that name a power of its own?
pub fn is_dangerous(role: &str) -> bool {
    DANGEROUS.contains(&role) || OURS.contains(&role)
}

#[cfg(test)]
mod tests {
    use super::{Attributes, is_dangerous};

    #[test]
    fn the_gravest_power_is_named() {
        let none = Attributes::default();
        let check = |attributes: Attributes, expect: Option<&str>| {
            assert_eq!(attributes.power(), expect);
        };
        check(none, None);
        check(
            Attributes {
                create_db: true,
                ..none
            },
            Some("CREATEDB"),
        );
        check(
            Attributes {
                create_db: true,
                superuser: true,
                ..none
            },
            Some("SUPERUSER"),
        );
        check(
            Attributes {
                create_role: true,
                ..none
            },
            Some("CREATEROLE"),
        );
        check(
            Attributes {
                replication: true,
                bypass_rls: true,
                ..none
            },
            Some("REPLICATION"),
        );
        check(
            Attributes {
                bypass_rls: true,
                ..none
            },
            Some("BYPASSRLS"),
        );
    }

    #[test]
    fn looking_is_not_dangerous() {
        for role in [
            "pg_monitor",
            "pg_read_all_stats",
            "pg_checkpoint",
            "leasehold_reader",
            "app",
        ] {
            assert!(!is_dangerous(role), "{role}");
        }
        for role in [
            "pg_write_all_data",
            "pg_execute_server_program",
            "leasehold_admin",
        ] {
            assert!(is_dangerous(role), "{role}");
        }
    }
}
