//! Arguments of protocol lines.

use super::quote;

/// Sizes of more digits are refused (999 MB is the most that can be announced).
pub(super) const MAX_SIZE_DIGITS: usize = 9;

/// A size argument; `None` if it is not one to nine digits.
pub fn parse_size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > MAX_SIZE_DIGITS {
        return None;
    }
    digits.iter().try_fold(0, |n: usize, b| {
        let digit = b.wrapping_sub(b'0');
        (digit < 10).then(|| n * 10 + usize::from(digit))
    })
}

/// Splits `line` at runs of separators into at most `N` arguments; `None` if there are more.
pub fn split_args<const N: usize>(
    line: &[u8],
    separator: impl Fn(u8) -> bool,
) -> Option<([&[u8]; N], usize)> {
    let mut args: [&[u8]; N] = [&[]; N];
    let mut count = 0;
    for arg in line.split(|b| separator(*b)).filter(|arg| !arg.is_empty()) {
        *args.get_mut(count)? = arg;
        count += 1;
    }
    Some((args, count))
}

/// The arguments of `PUB` or `HPUB`.
pub(super) struct Publication<'a> {
    pub subject: &'a [u8],
    pub reply: &'a [u8],
    pub header_len: Option<usize>,
    pub header_size: &'a [u8],
    pub size_arg: &'a [u8],
    pub size: usize,
    /// Single spaces between the arguments and nothing around them.
    pub canonical: bool,
}

pub(super) fn publication(line: &[u8], headers: bool) -> Result<Publication<'_>, String> {
    let op = if headers { "processHeaderPub" } else { "processPub" };
    let sizes_count = if headers { 2 } else { 1 };
    let bad = || format!("{op} Parse Error: {}", quote(line));
    let (args, count) = split_args::<4>(line, |b| matches!(b, b' ' | b'\t')).ok_or_else(bad)?;
    let reply: &[u8] = match count.checked_sub(sizes_count) {
        Some(1) => &[],
        Some(2) => args[1],
        _ => return Err(bad()),
    };
    let size_args = &args[count - sizes_count..count];
    let header_len = if headers {
        let missing = || format!("{op} Bad or Missing Header Size: {}", quote(line));
        Some(parse_size(size_args[0]).ok_or_else(missing)?)
    } else {
        None
    };
    let total = if headers { "Total Size" } else { "Size" };
    let size = parse_size(size_args[sizes_count - 1])
        .ok_or_else(|| format!("{op} Bad or Missing {total}: {}", quote(line)))?;
    if header_len.is_some_and(|h| h > size) {
        return Err(format!("{op} Header Size larger then TotalSize: {}", quote(line)));
    }
    let wanted = args[..count].iter().map(|a| a.len()).sum::<usize>() + count - 1;
    let canonical = line.len() == wanted && !line.contains(&b'\t');
    let header_size: &[u8] = if headers { size_args[0] } else { &[] };
    let size_arg = size_args[sizes_count - 1];
    Ok(Publication { subject: args[0], reply, header_len, header_size, size_arg, size, canonical })
}
