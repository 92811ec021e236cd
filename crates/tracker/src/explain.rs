//! What went wrong with a request over HTTP, in words for its user. Never decides what to do about it.

use std::io;

/// What went wrong, without the system's number and the name of a layer, and what may be done about it.
/// What a server said may be quoted raw.
pub fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect) => "no connection in time".into(),
        ureq::Error::Timeout(_) => "no complete answer in time".into(),
        ureq::Error::HostNotFound => "its name has no address".into(),
        ureq::Error::ConnectionFailed => "no connection can be made".into(),
        ureq::Error::Io(error) => explain_io(error),
        ureq::Error::Protocol(error) => format!("its answer is not HTTP: {error}"),
        error => error.to_string(),
    }
}

fn explain_io(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let words = error.to_string();
    match error.kind() {
        Kind::ConnectionRefused => "the connection is refused; nothing listens at this port".into(),
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => "the server ended the connection".into(),
        Kind::TimedOut => "no connection in time".into(),
        Kind::NetworkUnreachable | Kind::NetworkDown => "no network leads there".into(),
        Kind::HostUnreachable => "the host cannot be reached".into(),
        // Bytes that are no TLS, where it was to begin.
        Kind::InvalidData if words.contains("InvalidContentType") => {
            "the server does not speak https at this port; it may be meant as http://".into()
        }
        _ => match words.strip_prefix("failed to lookup address information: ") {
            Some(why) => format!("its name has no address: {why}"),
            None => words.split(" (os error").next().unwrap_or_default().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_without_numbers_and_layers() {
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::TimedOut,
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::HostUnreachable,
        ] {
            let told = explain(&ureq::Error::Io(kind.into()));
            assert!(!told.contains("io:") && !told.contains("os error"), "{told}");
        }
        // An error of the system that has no words of its own here.
        let told = explain(&ureq::Error::Io(io::Error::from_raw_os_error(13)));
        assert_eq!(told, "Permission denied");
    }
}
