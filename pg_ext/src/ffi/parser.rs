//! PostgreSQL's own parser and scanner, and a plain Rust picture ([`Shape`]) of the few statements we look into.

mod shape;

use pgrx::pg_sys;
use std::ffi::{CStr, CString};

pub use shape::{Class, RoleOption, RoleRef, Shape};

/// One statement as the parser cut it.
pub struct Parsed<'a> {
    /// Its text, without the semicolon.
    pub text: &'a str,
    /// PostgreSQL's command tag.
    pub tag: &'static str,
    /// What it is.
    pub shape: Shape,
}

/// Parses `text` with `standard_conforming_strings` on, whatever the session says. Errors are PostgreSQL's own.
pub fn parse(text: &str) -> Vec<Parsed<'_>> {
    let source = c_string(text);
    let list = raw(&source);
    // SAFETY: raw_parser returns a List of RawStmt.
    let statements = unsafe { pointers::<pg_sys::RawStmt>(list) };
    statements
        .map(|raw| {
            // SAFETY: each element is a RawStmt in the current memory context; its location and length are byte
            // offsets into the text; a length of 0 means to the end.
            let (node, start, length) = unsafe {
                (
                    (*raw).stmt,
                    (*raw).stmt_location.max(0) as usize,
                    (*raw).stmt_len as usize,
                )
            };
            let end = if length == 0 {
                text.len()
            } else {
                start + length
            };
            // SAFETY: `node` is the statement's node.
            let (tag, shape) = unsafe { (shape::tag(node), shape::shape(node)) };
            Parsed {
                text: text[start..end].trim(),
                tag,
                shape,
            }
        })
        .collect()
}

/// The one statement of `source`, as the parser's node in the current memory context.
pub fn parse_one(source: &CStr) -> *mut pg_sys::RawStmt {
    let list = raw(source);
    // SAFETY: raw_parser returns a List of RawStmt.
    let mut statements = unsafe { pointers::<pg_sys::RawStmt>(list) };
    match (statements.next(), statements.next()) {
        (Some(statement), None) => statement,
        _ => unreachable!("the text was cut from a longer one as one statement"),
    }
}

fn raw(source: &CStr) -> *mut pg_sys::List {
    with_standard_strings(|| {
        // SAFETY: a zero-terminated string, read only, and the parser keeps nothing but palloc'ed nodes.
        unsafe { pg_sys::raw_parser(source.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT) }
    })
}

/// The kinds of the tokens of `text`, as numbers that are equal for equal kinds, by the server's scanner.
pub fn token_kinds(text: &str) -> Vec<i32> {
    let source = c_string(text);
    let mut kinds = Vec::new();
    // SAFETY: the scanner keeps a pointer to the extra data for as long as it lives, so that is palloc'ed, not a
    // local of ours; scanner and source are gone at the end, or with the memory context after an error.
    unsafe {
        let extra = pg_sys::palloc0(size_of::<pg_sys::core_yy_extra_type>())
            .cast::<pg_sys::core_yy_extra_type>();
        let scanner = pg_sys::scanner_init(
            source.as_ptr(),
            extra,
            &raw const pg_sys::ScanKeywords,
            (&raw const pg_sys::ScanKeywordTokens).cast(),
        );
        (*extra).standard_conforming_strings = true;
        let value = pg_sys::palloc0(size_of::<pg_sys::core_YYSTYPE>()).cast();
        let location = pg_sys::palloc0(size_of::<i32>()).cast();
        loop {
            let kind = pg_sys::core_yylex(value, location, scanner);
            if kind == 0 {
                break;
            }
            kinds.push(kind);
        }
        pg_sys::scanner_finish(scanner);
        pg_sys::pfree(location.cast());
        pg_sys::pfree(value.cast());
        pg_sys::pfree(extra.cast());
    }
    kinds
}

fn c_string(text: &str) -> CString {
    CString::new(text).expect("a text from PostgreSQL has no zero byte")
}

/// Runs `read` with `standard_conforming_strings` on. The parser copies the variable when it starts; a plain
/// store is enough, and is taken back on every way out.
fn with_standard_strings<T>(read: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: a plain variable of this single-threaded process.
            unsafe { pg_sys::standard_conforming_strings = self.0 }
        }
    }
    // SAFETY: as above.
    let _restore = unsafe {
        let before = Restore(pg_sys::standard_conforming_strings);
        pg_sys::standard_conforming_strings = true;
        before
    };
    read()
}

/// The elements of a list of pointers.
pub unsafe fn pointers<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: null is the empty list; else `length` cells follow `elements`, all pointers in this kind of list.
    let (cells, length) = unsafe {
        list.as_ref().map_or((std::ptr::null_mut(), 0), |list| {
            (list.elements, list.length as usize)
        })
    };
    (0..length).map(move |at| unsafe { (*cells.add(at)).ptr_value.cast() })
}
