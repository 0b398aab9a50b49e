//! Taking a role out of an access control list, whoever granted it what.
//!
//! The server's own `REVOKE` acts as one grantor, and for a superuser that is the owner: what a third party has
//! granted stays, and then the role can not be dropped. Here each entry is revoked as the grantor that it names.

use pgrx::pg_sys;

// Catalogs whose fixed OIDs pgrx does not name.
const DEFAULT_ACL: pg_sys::Oid = pg_sys::Oid::from_u32(826);
const LARGE_OBJECT: pg_sys::Oid = pg_sys::Oid::from_u32(2613);
const LARGE_OBJECT_METADATA: pg_sys::Oid = pg_sys::Oid::from_u32(2995);
const PARAMETER: pg_sys::Oid = pg_sys::Oid::from_u32(6243);
/// `paracl`; the server's table of object classes does not have settings.
const PARAMETER_ACL_COLUMN: i32 = 3;

/// An object that names a role in its access control list, as `pg_shdepend` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The catalog.
    pub class: pg_sys::Oid,
    /// The object.
    pub object: pg_sys::Oid,
    /// The column; 0 for the object itself.
    pub column: i32,
}

/// Takes everything from `role` that was granted to it on this object, and what it granted on to others. An object
/// that is gone meanwhile is nothing to do.
pub fn strip(entry: Entry, role: pg_sys::Oid) {
    // SAFETY: inside a transaction, as a superuser; every relation and tuple is released before we return, and an
    // error on the way releases them with the transaction.
    unsafe {
        if entry.class == DEFAULT_ACL {
            // Default privileges have one grantor, the role that they are of.
            pg_sys::RemoveRoleFromObjectACL(role, entry.class, entry.object);
        } else {
            strip_from_catalog(entry, role);
        }
        pg_sys::CommandCounterIncrement();
    }
}

/// # Safety
/// Inside a transaction, as a superuser.
unsafe fn strip_from_catalog(entry: Entry, role: pg_sys::Oid) {
    // SAFETY: the catalogs and their attributes are the ones that the server's own table of object classes names.
    unsafe {
        let column = entry.column != 0;
        let class = if column {
            pg_sys::AttributeRelationId
        } else if entry.class == LARGE_OBJECT {
            // Large objects depend under the name of their data, but their list is in the catalog beside it.
            LARGE_OBJECT_METADATA
        } else {
            entry.class
        };
        let catalog = pg_sys::table_open(class, pg_sys::RowExclusiveLock as i32);
        let tuple = locked_tuple(catalog, class, entry);
        if tuple.is_null() {
            pg_sys::table_close(catalog, pg_sys::RowExclusiveLock as i32);
            return;
        }
        let acl_column = if column {
            pg_sys::Anum_pg_attribute_attacl as i32
        } else if class == PARAMETER {
            PARAMETER_ACL_COLUMN
        } else {
            i32::from(pg_sys::get_object_attnum_acl(class))
        };
        let owner = owner_of(catalog, class, entry, tuple);
        let description = (*catalog).rd_att;
        let mut is_null = false;
        let list = pg_sys::heap_getattr(tuple, acl_column, description, &mut is_null);
        if !is_null {
            let old = pg_sys::pg_detoast_datum_copy(list.cast_mut_ptr()).cast::<pg_sys::Acl>();
            let mut old_members = std::ptr::null_mut();
            let old_count = pg_sys::aclmembers(old, &mut old_members);
            let new = without(old, role, owner);
            let mut new_members = std::ptr::null_mut();
            let new_count = pg_sys::aclmembers(new, &mut new_members);

            // A column without any entry has no list at all, as the server has it too.
            let empty = column && items(new).is_empty();
            let value = pg_sys::Datum::from(new);
            let changed = pg_sys::heap_modify_tuple_by_cols(
                tuple,
                description,
                1,
                &acl_column as *const i32 as *mut i32,
                &value as *const pg_sys::Datum as *mut pg_sys::Datum,
                &empty as *const bool as *mut bool,
            );
            pg_sys::CatalogTupleUpdate(catalog, &mut (*changed).t_self, changed);
            pg_sys::updateAclDependencies(
                entry.class,
                entry.object,
                entry.column,
                owner,
                old_count,
                old_members,
                new_count,
                new_members,
            );
        }
        if class == pg_sys::RelationRelationId || class == pg_sys::DatabaseRelationId {
            pg_sys::UnlockTuple(catalog, &mut (*tuple).t_self, pg_sys::ExclusiveLock as i32);
        }
        pg_sys::table_close(catalog, pg_sys::RowExclusiveLock as i32);
    }
}

/// The newest version of the object's row. Rows of `pg_class` and `pg_database` are also written in place (by
/// VACUUM), which must not happen between our reading and our writing, so they are locked as the server does.
///
/// # Safety
/// `catalog` is open and is the catalog `class`.
unsafe fn locked_tuple(
    catalog: pg_sys::Relation,
    class: pg_sys::Oid,
    entry: Entry,
) -> pg_sys::HeapTuple {
    // SAFETY: per the contract.
    unsafe {
        let in_place = class == pg_sys::RelationRelationId || class == pg_sys::DatabaseRelationId;
        loop {
            let tuple = read(catalog, class, entry);
            if tuple.is_null() || !in_place {
                return tuple;
            }
            let mut place = (*tuple).t_self;
            pg_sys::LockTuple(catalog, &mut place, pg_sys::ExclusiveLock as i32);
            let again = read(catalog, class, entry);
            if !again.is_null() && same_place(&(*again).t_self, &place) {
                return again;
            }
            pg_sys::UnlockTuple(catalog, &mut place, pg_sys::ExclusiveLock as i32);
            if again.is_null() {
                return again;
            }
        }
    }
}

fn same_place(one: &pg_sys::ItemPointerData, other: &pg_sys::ItemPointerData) -> bool {
    (one.ip_blkid.bi_hi, one.ip_blkid.bi_lo, one.ip_posid)
        == (other.ip_blkid.bi_hi, other.ip_blkid.bi_lo, other.ip_posid)
}

/// # Safety
/// `catalog` is open and is the catalog `class`.
unsafe fn read(catalog: pg_sys::Relation, class: pg_sys::Oid, entry: Entry) -> pg_sys::HeapTuple {
    // SAFETY: per the contract; both ways return a copy or null.
    unsafe {
        if class == pg_sys::AttributeRelationId {
            let column = pg_sys::Datum::from(entry.column as i16);
            return cached(pg_sys::SysCacheIdentifier::ATTNUM, entry.object, column);
        }
        if class == PARAMETER {
            let none = pg_sys::Datum::from(0);
            return cached(
                pg_sys::SysCacheIdentifier::PARAMETERACLOID,
                entry.object,
                none,
            );
        }
        let oid_column = pg_sys::get_object_attnum_oid(class);
        let tuple = pg_sys::get_catalog_object_by_oid(catalog, oid_column, entry.object);
        // From a cache the tuple must be given back, so it is copied; from a scan it is a copy already.
        if tuple.is_null() {
            tuple
        } else {
            pg_sys::heap_copytuple(tuple)
        }
    }
}

/// A copy of a row out of one of the server's caches, or null.
///
/// # Safety
/// Inside a transaction; `cache` has an OID as its first key.
unsafe fn cached(
    cache: pg_sys::SysCacheIdentifier::Type,
    object: pg_sys::Oid,
    second: pg_sys::Datum,
) -> pg_sys::HeapTuple {
    let none = pg_sys::Datum::from(0);
    // SAFETY: per the contract.
    unsafe {
        pg_sys::SearchSysCacheCopy(
            cache as i32,
            pg_sys::Datum::from(object),
            second,
            none,
            none,
        )
    }
}

/// # Safety
/// `tuple` is the object's row in `catalog`.
unsafe fn owner_of(
    catalog: pg_sys::Relation,
    class: pg_sys::Oid,
    entry: Entry,
    tuple: pg_sys::HeapTuple,
) -> pg_sys::Oid {
    // SAFETY: per the contract.
    unsafe {
        let mut is_null = false;
        if class == pg_sys::AttributeRelationId {
            let none = pg_sys::Datum::from(0);
            let relation = cached(pg_sys::SysCacheIdentifier::RELOID, entry.object, none);
            if relation.is_null() {
                return pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID);
            }
            let owner = pg_sys::SysCacheGetAttr(
                pg_sys::SysCacheIdentifier::RELOID as i32,
                relation,
                pg_sys::Anum_pg_class_relowner as i16,
                &mut is_null,
            );
            return pg_sys::Oid::from(owner.value() as u32);
        }
        if class == PARAMETER {
            // Settings have no owner: their grants are the bootstrap superuser's.
            return pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID);
        }
        let column = pg_sys::get_object_attnum_owner(class);
        let owner = pg_sys::heap_getattr(tuple, i32::from(column), (*catalog).rd_att, &mut is_null);
        pg_sys::Oid::from(owner.value() as u32)
    }
}

/// `list` without anything to or by `role`.
///
/// # Safety
/// `list` is a valid access control list.
unsafe fn without(
    list: *mut pg_sys::Acl,
    role: pg_sys::Oid,
    owner: pg_sys::Oid,
) -> *mut pg_sys::Acl {
    let mut list = list;
    // SAFETY: per the contract; aclupdate returns a new list and leaves the old one alone.
    unsafe {
        // Every turn takes at least one entry away, so this ends.
        loop {
            let all = items(list);
            let to = all.iter().find(|item| item.ai_grantee == role);
            let Some(&item) = to.or_else(|| all.iter().find(|item| item.ai_grantor == role)) else {
                return list;
            };
            let before = all.len();
            list = pg_sys::aclupdate(
                list,
                &item,
                pg_sys::ACL_MODECHG_DEL as i32,
                owner,
                pg_sys::DropBehavior::DROP_CASCADE,
            );
            if items(list).len() >= before {
                pgrx::error!("an entry of an access control list can not be revoked");
            }
        }
    }
}

/// # Safety
/// `list` is a valid access control list that outlives the answer.
unsafe fn items<'a>(list: *mut pg_sys::Acl) -> &'a [pg_sys::AclItem] {
    // SAFETY: an access control list is a one-dimensional array without nulls; its entries follow the header, the
    // number of dimensions, and one size and lower bound, aligned.
    unsafe {
        let dimensions = std::ptr::from_ref(&*list).add(1).cast::<i32>();
        let count = *dimensions;
        let header = size_of::<pg_sys::ArrayType>() + 2 * size_of::<i32>();
        let aligned = header.next_multiple_of(8);
        std::slice::from_raw_parts(
            list.cast::<u8>().add(aligned).cast::<pg_sys::AclItem>(),
            usize::try_from(count).unwrap_or(0),
        )
    }
}
