//! Tables: columns as wide as their widest cell, four blanks between them.

const GAP: &str = "    ";
/// What stands for an empty cell.
const EMPTY: &str = "n/a";

/// A table of two columns, with a heading if given.
pub fn key_values(heading: Option<(&str, &str)>, rows: &[(String, String)]) -> String {
    let mut all: Vec<Vec<String>> = Vec::new();
    if let Some((key, value)) = heading {
        all.push(vec![key.to_owned(), value.to_owned()]);
        all.push(vec![rule(key), rule(value)]);
    }
    all.extend(
        rows.iter()
            .map(|(key, value)| vec![key.clone(), value.clone()]),
    );
    lay_out(all)
}

/// A table with a heading.
pub fn columns(heading: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![
        heading.iter().map(|text| text.to_string()).collect(),
        heading.iter().map(|text| rule(text)).collect(),
    ];
    all.extend(rows);
    lay_out(all)
}

fn rule(text: &str) -> String {
    "-".repeat(text.chars().count())
}

fn lay_out(mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        if cell.trim().is_empty() {
            *cell = EMPTY.to_owned();
        }
    }
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..count)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                let pad = widths[column] - cell.chars().count();
                text.push_str(&" ".repeat(pad));
                text.push_str(GAP);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out() {
        let rows = vec![("a".into(), "1".into()), ("∞ long".into(), String::new())];
        let expect = "Key       Value\n---       -----\na         1\n∞ long    n/a\n";
        assert_eq!(key_values(Some(("Key", "Value")), &rows), expect);
        assert_eq!(key_values(None, &rows), "a         1\n∞ long    n/a\n");
        assert_eq!(
            columns(&["Keys"], vec![vec!["x".into()]]),
            "Keys\n----\nx\n"
        );
    }
}
