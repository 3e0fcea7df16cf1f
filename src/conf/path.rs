//! Paths of included files and errors of the file system, in the forms the configuration language
//! has given them since its Go days: they show in error texts and in positions.

use std::io;

/// The directory of a file: everything before its last slash, cleaned.
pub(super) fn dir(file: &str) -> String {
    clean(&file[..file.rfind('/').map_or(0, |i| i + 1)])
}

/// `name` below `dir`. A leading slash of `name` does not make it absolute.
pub(super) fn join(dir: &str, name: &str) -> String {
    if name.is_empty() { clean(dir) } else { clean(&format!("{dir}/{name}")) }
}

/// Without empty, `.` and avoidable `..` elements.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." if kept.last().is_some_and(|&last| last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            _ => kept.push(element),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// What the operating system says, in lower case and without its number.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => return "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => return "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => return "is a directory".to_owned(),
        io::ErrorKind::NotADirectory => return "not a directory".to_owned(),
        // A NUL in the name never reaches the operating system.
        io::ErrorKind::InvalidInput => return "invalid argument".to_owned(),
        _ => {}
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_joins() {
        for (file, want) in [
            ("", "."),
            ("a.conf", "."),
            ("/a.conf", "/"),
            ("/etc//x/a.conf", "/etc/x"),
            ("a/b/../c", "a"),
        ] {
            assert_eq!(dir(file), want, "{file}");
        }
        for (base, name, want) in [
            (".", "x.conf", "x.conf"),
            ("/etc", "./x.conf", "/etc/x.conf"),
            ("/etc", "/abs/x.conf", "/etc/abs/x.conf"),
            ("/etc", "../../x", "/x"),
            ("a", "../../x", "../x"),
            ("a", "", "a"),
        ] {
            assert_eq!(join(base, name), want, "{base} {name}");
        }
    }
}
