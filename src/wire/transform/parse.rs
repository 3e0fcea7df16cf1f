//! Destination tokens: `$1` and `{{function(args)}}`.

use super::{Cut, DestinationError, Transform, TransformError};

/// What a destination token asks for. Wildcard numbers are one-based and not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceHolder {
    /// An ordinary token.
    None,
    Wildcard(i64),
    Partition {
        buckets: i32,
        numbers: Vec<i64>,
    },
    Random(i32),
    Split {
        number: i64,
        delimiter: String,
    },
    Cut {
        how: Cut,
        number: i64,
        size: i32,
    },
}

/// Mapping functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Wildcard,
    Partition,
    Cut(Cut),
    Split,
    Random,
}

/// The words of each function's name; the first letter of a word is of either case. The order is
/// that of upstream's search: it decides about tokens that contain several calls.
const FUNCTIONS: &[(Function, &[&str])] = &[
    (Function::Wildcard, &["wildcard"]),
    (Function::Partition, &["partition"]),
    (Function::Cut(Cut::SplitFromLeft), &["split", "from", "left"]),
    (Function::Cut(Cut::SplitFromRight), &["split", "from", "right"]),
    (Function::Cut(Cut::SliceFromLeft), &["slice", "from", "left"]),
    (Function::Cut(Cut::SliceFromRight), &["slice", "from", "right"]),
    (Function::Cut(Cut::Right), &["right"]),
    (Function::Cut(Cut::Left), &["left"]),
    (Function::Split, &["split"]),
    (Function::Random, &["random"]),
];

impl PlaceHolder {
    /// Reads one destination token.
    pub(super) fn parse(token: &str) -> Result<Self, TransformError> {
        if let Some(number) = token.strip_prefix('$') {
            // Much else begins with `$` ($JS, $SYS), so anything that is no number is literal.
            return Ok(number.parse().map_or(Self::None, Self::Wildcard));
        }
        if !is_call(token) {
            return Ok(Self::None);
        }
        let call = FUNCTIONS.iter().find_map(|(f, words)| Some((*f, arguments(token, words)?)));
        match call {
            Some((function, args)) => Self::call(function, &split_arguments(args)),
            None => Err(DestinationError::UnknownFunction),
        }
        .map_err(|reason| TransformError::destination(reason, token))
    }

    fn call(function: Function, args: &[&str]) -> Result<Self, DestinationError> {
        match function {
            Function::Wildcard => match args {
                [""] => Err(DestinationError::NotEnoughArgs),
                [number] => Ok(Self::Wildcard(integer(number)?)),
                _ => Err(DestinationError::TooManyArgs),
            },
            Function::Partition => {
                let (buckets, numbers) =
                    args.split_first().ok_or(DestinationError::NotEnoughArgs)?;
                let buckets = ceiling(buckets)?;
                let numbers = numbers.iter().map(|n| integer(n)).collect::<Result<_, _>>()?;
                Ok(Self::Partition { buckets, numbers })
            }
            Function::Cut(how) => {
                let [number, size] = two(args)?;
                let number = integer(number)?;
                let size = integer(size)?.try_into().map_err(|_| DestinationError::InvalidArg)?;
                Ok(Self::Cut { how, number, size })
            }
            Function::Split => {
                let [number, delimiter] = two(args)?;
                let number = integer(number)?;
                if delimiter.contains([' ', '.']) {
                    return Err(DestinationError::InvalidArg);
                }
                Ok(Self::Split { number, delimiter: delimiter.to_owned() })
            }
            Function::Random => match args {
                [max] => Ok(Self::Random(ceiling(max)?)),
                _ => Err(DestinationError::NotEnoughArgs),
            },
        }
    }
}

fn two<'a>(args: &[&'a str]) -> Result<[&'a str; 2], DestinationError> {
    match args {
        [first, second] => Ok([first, second]),
        [] | [_] => Err(DestinationError::NotEnoughArgs),
        _ => Err(DestinationError::TooManyArgs),
    }
}

fn integer(arg: &str) -> Result<i64, DestinationError> {
    arg.trim_matches(' ').parse().map_err(|_| DestinationError::InvalidArg)
}

/// A count of at most `i32::MAX`; below `i32::MIN` it wraps, as upstream's conversion does.
fn ceiling(arg: &str) -> Result<i32, DestinationError> {
    match integer(arg)? {
        n if n > i64::from(i32::MAX) => Err(DestinationError::InvalidArg),
        n => Ok(n as i32),
    }
}

/// Whether the token is written as a function call.
fn is_call(token: &str) -> bool {
    token.len() > 4 && token.starts_with("{{") && token.ends_with("}}")
}

/// The text between the parentheses of the first `{{ name ( .. ) }}` in `token`.
fn arguments<'a>(token: &'a str, name: &[&str]) -> Option<&'a str> {
    token.match_indices("{{").find_map(|(at, open)| {
        let call = strip_name(token[at + open.len()..].trim_start_matches(is_space), name)?;
        let args = call.trim_start_matches(is_space).strip_prefix('(')?;
        // The last closing parenthesis that the braces follow ends the arguments, which are on
        // one line.
        args.rmatch_indices(')').map(|(end, _)| (&args[..end], &args[end + 1..])).find_map(
            |(inside, after)| {
                let closed = after.trim_start_matches(is_space).starts_with("}}");
                (closed && !inside.contains('\n')).then_some(inside)
            },
        )
    })
}

fn strip_name<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    words.iter().try_fold(text, |text, word| {
        // The head may begin with any character; only a letter in either case is one byte long.
        let (head, tail) = text.split_at_checked(word.len())?;
        let same = head.get(1..)? == &word[1..] && head[..1].eq_ignore_ascii_case(&word[..1]);
        same.then_some(tail)
    })
}

/// Splits at commas and drops the white space behind them.
fn split_arguments(args: &str) -> Vec<&str> {
    let (first, others) = args.split_once(',').map_or((args, None), |(a, b)| (a, Some(b)));
    let others = others.into_iter().flat_map(|others| others.split(','));
    std::iter::once(first).chain(others.map(|arg| arg.trim_start_matches(is_space))).collect()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Turns the wildcards of `subject` into place holders: `foo.*.*` -> `foo.$1.$2`.
pub fn tokenize(subject: &str) -> String {
    let mut number = 0;
    let tokens = subject.split('.').map(|token| {
        if token == "*" {
            number += 1;
            format!("${number}")
        } else {
            token.to_owned()
        }
    });
    tokens.collect::<Vec<_>>().join(".")
}

/// Turns the place holders of a destination into wildcards, and returns them in order:
/// `foo.$2.{{wildcard(1)}}` -> `foo.*.*` and `["$2", "{{wildcard(1)}}"]`.
pub fn untokenize(destination: &str) -> (String, Vec<&str>) {
    let mut place_holders = Vec::new();
    let tokens = destination.split('.').map(|token| {
        if is_place_holder(token) {
            place_holders.push(token);
            "*"
        } else {
            token
        }
    });
    let subject = tokens.collect::<Vec<_>>().join(".");
    (subject, place_holders)
}

/// Whether a token looks like a wildcard place holder; it need not be a right one.
fn is_place_holder(token: &str) -> bool {
    match token.as_bytes() {
        [b'$', b'1'..=b'9', ..] => true,
        _ => arguments(token, FUNCTIONS[0].1)
            .is_some_and(|args| !args.is_empty() && !args.contains(',')),
    }
}

/// Checks an account or stream mapping from `source` to `destination`; an empty destination is
/// fine. Stricter than [`Transform::new`] about white space, and with texts of its own.
pub fn validate_mapping(source: &str, destination: &str) -> Result<(), TransformError> {
    if destination.is_empty() {
        return Ok(());
    }
    let mut ended = false;
    for token in destination.split('.') {
        if token.is_empty() || ended {
            return Err(TransformError::destination(DestinationError::InvalidSubject, token));
        }
        if is_call(token) {
            if !FUNCTIONS.iter().any(|(_, words)| arguments(token, words).is_some()) {
                return Err(TransformError::destination(DestinationError::UnknownFunction, token));
            }
        } else if token == ">" {
            ended = true;
        } else if token.contains(is_space) {
            return Err(TransformError::destination(DestinationError::InvalidSubject, ""));
        }
    }
    Transform::new(source, destination).map(|_| ())
}
