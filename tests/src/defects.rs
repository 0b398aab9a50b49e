//! What a log may not say, whatever a test asked: a program that goes on after a failure looks as if all were well.

/// A process of the extension tells so what it could not do.
const FAILED_STEP: [&str; 4] = [
    "leasehold sweeper (",
    "leasehold sweeper can not ",
    "leasehold launcher can not ",
    "leasehold cleaner can not ",
];
/// Somebody else holds something at the moment, or has used up all numbers: the next look has it. The last is an internal
/// error that means the same.
const PASSES: [&str; 5] = [
    "(55P03)",
    "(40P01)",
    "(40001)",
    "(2200H)",
    "tuple concurrently ",
];
/// How the server says that it has come down by itself. Tests kill its processes with signal 9, and with no other.
const CRASHES: [&str; 2] = [" PANIC: ", " was terminated by signal "];
const KILLED: &str = " was terminated by signal 9:";

/// The lines of a server's log by which its test fails.
pub(crate) fn of_server(log: &str) -> Vec<&str> {
    let is_any = |line: &str, marks: &[&str]| marks.iter().any(|mark| line.contains(mark));
    log.lines()
        .filter(|line| {
            is_any(line, &FAILED_STEP) && !is_any(line, &PASSES)
                || is_any(line, &CRASHES) && !line.contains(KILLED)
        })
        .collect()
}

/// The lines of a broker's log by which its test fails.
pub(crate) fn of_broker(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains(" panicked at "))
        .collect()
}

/// Fails the test that these were found in, unless it has failed already.
pub(crate) fn refuse(whose: &str, lines: &[&str]) {
    if !lines.is_empty() && !std::thread::panicking() {
        panic!("the log of {whose} says:\n{}", lines.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_from_what_passes() {
        let told = [
            "[7] LOG:  leasehold sweeper (drop): syntax error at or near \"from\" (42601)",
            "[7] LOG:  leasehold launcher can not read the databases: out of memory (53200)",
            "[7] LOG:  server process (PID 9) was terminated by signal 11: Segmentation fault",
        ];
        let untold = [
            "[7] LOG:  leasehold sweeper (drop): canceling statement due to lock timeout (55P03)",
            "[7] LOG:  background worker \"leasehold sweeper\" (PID 9) was terminated by signal 9: Killed",
            "[7] FATAL:  terminating background worker \"leasehold sweeper\" due to administrator command",
        ];
        let log = [told, untold].concat().join("\n");
        assert_eq!(of_server(&log), told);
        let panics = "thread 'main' panicked at broker/src/x.rs:1:2:";
        assert_eq!(of_broker(&format!("INFO up\n{panics}\n")), [panics]);
    }
}
