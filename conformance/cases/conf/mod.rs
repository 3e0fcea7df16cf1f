//! Cases of upstream's `conf/` folder.

mod lex;
mod parse;

crate::collect! {
    lex,
    parse,
}
