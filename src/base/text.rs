//! Values as upstream's users are used to reading them.

<<<<<<< HEAD
use std::time::Duration;

/// A duration the way Go prints it: `1h2m3.5s`, `2ms`, `1.5µs`, `0s`.
pub fn go_duration(d: Duration) -> String {
    let nanos = d.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
=======
/// A decimal number without sign; `None` if empty, not all digits, or too large.
pub fn parse_i64(digits: &[u8]) -> Option<i64> {
    parse_u64(digits).and_then(|n| i64::try_from(n).ok())
}

/// A decimal number without sign; `None` if empty, not all digits, or too large.
pub fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
>>>>>>> ds
    }
    let fraction = |unit: u128, name: &str| {
        let (whole, rest) = (nanos / unit, nanos % unit);
        let digits = unit.ilog10() as usize;
        let rest = format!("{rest:0digits$}");
        match rest.trim_end_matches('0') {
            "" => format!("{whole}{name}"),
            rest => format!("{whole}.{rest}{name}"),
        }
    };
    match nanos {
        n if n < 1_000 => format!("{n}ns"),
        n if n < 1_000_000 => fraction(1_000, "µs"),
        n if n < 1_000_000_000 => fraction(1_000_000, "ms"),
        _ => {
            let secs = d.as_secs();
            let (hours, minutes) = (secs / 3600, secs / 60 % 60);
            let rest = Duration::new(secs % 60, d.subsec_nanos());
            let seconds = if rest.as_secs() == 0 && rest.subsec_nanos() > 0 {
                let digits = format!("{:09}", rest.subsec_nanos());
                format!("0.{}s", digits.trim_end_matches('0'))
            } else if rest.subsec_nanos() == 0 {
                format!("{}s", rest.as_secs())
            } else {
                let digits = format!("{:09}", rest.subsec_nanos());
                format!("{}.{}s", rest.as_secs(), digits.trim_end_matches('0'))
            };
            match (hours, minutes) {
                (0, 0) => seconds,
                (0, m) => format!("{m}m{seconds}"),
                (h, m) => format!("{h}h{m}m{seconds}"),
            }
        }
    }
<<<<<<< HEAD
=======
    if after.contains(']') {
        return Err("unexpected ']' in address");
    }
    Ok((host, &text[colon + 1..]))
>>>>>>> ds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
<<<<<<< HEAD
    fn as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_000_000_000, "1s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (60_000_000_000, "1m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
=======
    fn versions() {
        assert_eq!(parse_version("2.15.1-RC.1+build-7.x"), Some((2, 15, 1)));
        assert!(parse_version(crate::base::limits::COMPATIBLE_VERSION).is_some());
        for bad in
            ["", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.3-a..b"]
        {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
        assert_eq!(parse_version("1.2.3-0a.-"), Some((1, 2, 3)));
    }

    #[test]
    fn texts_of_host_port_errors() {
        let text = |given| parse_host_port(given, 4222).unwrap_err().to_string();
        assert_eq!(text(""), "no hostport specified");
        assert_eq!(text("a:b"), "strconv.Atoi: parsing \"b\": invalid syntax");
        assert_eq!(text("a::1"), "address a::1: too many colons in address");
        assert_eq!(text("[::1"), "address [::1: missing ']' in address");
        assert_eq!(text("a[:1"), "address a[:1: unexpected '[' in address");
        assert_eq!(text("a]:1"), "address a]:1: unexpected ']' in address");
        assert_eq!(text("[::1]::1"), "address [::1]::1: too many colons in address");
        assert_eq!(parse_host_port("[::1]", 4222), Ok(("::1".to_owned(), 4222)));
        assert_eq!(parse_host_port("[::1]:5", 4222), Ok(("::1".to_owned(), 5)));
    }

    proptest! {
        #[test]
        fn numbers(n: u64, m: i64, junk in "\\PC{0,6}") {
            prop_assert_eq!(parse_u64(n.to_string().as_bytes()), Some(n));
            prop_assert_eq!(parse_i64(n.to_string().as_bytes()), i64::try_from(n).ok());
            prop_assert_eq!(comma(m).replace(',', ""), m.to_string());
            let _ = (parse_u64(junk.as_bytes()), parse_version(&junk));
        }

        #[test]
        fn any_host_port_is_fine(text in "[\\[\\]:a1 é]{0,8}") {
            let _ = parse_host_port(&text, 1);
>>>>>>> ds
        }
    }
}
