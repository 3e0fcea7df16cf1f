//! Values as upstream's users are used to reading them.

use std::time::Duration;

/// A duration the way Go prints it: `1h2m3.5s`, `2ms`, `1.5µs`, `0s`.
pub fn go_duration(d: Duration) -> String {
    let nanos = d.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
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
        }
    }
}
