//! What a case is, and the macro by which a file of cases declares them.

use std::future::Future;
use std::pin::Pin;

use crate::kit::Cx;

/// One ported test (or several Go tests that one function stands for).
pub(crate) struct Case {
    /// `server::opts::plain_value`: the module below `cases`, then the function.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The Go test file the case was ported from, as in `go_tests.tsv`.
    pub(crate) go_file: &'static str,
    /// The Go tests it stands for; empty for [`Kind::Better`].
    pub(crate) go_tests: &'static [&'static str],
    /// A `better` case's row in docs/deviations.md, or why a Go test is not applicable.
    pub(crate) note: &'static str,
    pub(crate) body: Body,
}

/// How a case judges the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Drives a public module of the crate; has nothing to say about the oracle.
    Library,
    /// Drives one server process from outside; runs unchanged on the oracle.
    Wire,
    /// Drives several server processes from outside; runs unchanged on the oracle.
    Cluster,
    /// Our behaviour here and upstream's different one on the oracle; counted apart.
    Better,
    /// A Go test with nothing to port, and the reason.
    NotApplicable,
}

pub(crate) type CaseFuture = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Copy)]
pub(crate) enum Body {
    Sync(fn()),
    Async(fn(Cx) -> CaseFuture),
    Nothing,
}

impl Case {
    /// Used by [`cases!`](crate::cases); `module` is the declaring `module_path!()`.
    pub(crate) fn new(
        kind: Kind,
        module: &str,
        function: &str,
        go_file: &'static str,
        go_tests: &'static [&'static str],
        note: &'static str,
        body: Body,
    ) -> Self {
        let module = module.split_once("cases::").map_or(module, |(_, below)| below);
        Self { name: format!("{module}::{function}"), kind, go_file, go_tests, note, body }
    }
}

/// Declares the cases of a file, and `cases()` which returns them:
///
/// ```text
/// crate::cases! {
///     "conf/lex_test.go",
///     library plain_value => ["TestPlainValue"],
///     wire info_first => ["TestA", "TestB"],
///     cluster routes_form => ["TestC": "the assertion that stands for it"],
///     better metrics => "row id in docs/deviations.md",
///     not_applicable "TestD" => "a reason its author would accept",
/// }
/// fn plain_value() { .. }               // library: panics on failure
/// async fn info_first(cx: Cx) { .. }    // wire, cluster, better: own runtime, with a timeout
/// ```
///
/// A case that stands for more than three Go tests must name an assertion for each. A test of
/// another Go file is written `"test/proto_test.go::TestX"`. The `conformance` tool reads these
/// blocks as text: keep them at the top level, one entry a line, at column 4.
macro_rules! cases {
    ($file:literal, $($kind:ident $name:tt => $what:tt),* $(,)?) => {
        pub(crate) fn cases() -> Vec<$crate::case::Case> {
            vec![$($crate::case::case!($file, $kind $name $what)),*]
        }
    };
}

/// One entry of [`cases!`].
macro_rules! case {
    ($file:literal, library $name:ident [$($test:literal $(: $why:literal)?),* $(,)?]) => {
        $crate::case::case!(@ Library $name $file, &[$($test),*], "", $crate::case::Body::Sync($name))
    };
    ($file:literal, wire $name:ident [$($test:literal $(: $why:literal)?),* $(,)?]) => {
        $crate::case::case!(@ Wire $name $file, &[$($test),*], "", $crate::case::case!(@ async $name))
    };
    ($file:literal, cluster $name:ident [$($test:literal $(: $why:literal)?),* $(,)?]) => {
        $crate::case::case!(@ Cluster $name $file, &[$($test),*], "", $crate::case::case!(@ async $name))
    };
    ($file:literal, better $name:ident $row:literal) => {
        $crate::case::case!(@ Better $name $file, &[], $row, $crate::case::case!(@ async $name))
    };
    ($file:literal, not_applicable $test:literal $reason:literal) => {
        $crate::case::Case::new(
            $crate::case::Kind::NotApplicable,
            module_path!(),
            $test,
            $file,
            &[$test],
            $reason,
            $crate::case::Body::Nothing,
        )
    };
    (@ async $name:ident) => { $crate::case::Body::Async(|cx| Box::pin($name(cx))) };
    (@ $kind:ident $name:ident $file:expr, $tests:expr, $note:expr, $body:expr) => {
        $crate::case::Case::new(
            $crate::case::Kind::$kind,
            module_path!(),
            stringify!($name),
            $file,
            $tests,
            $note,
            $body,
        )
    };
}

/// Collects the `cases()` of the modules named, one a line.
macro_rules! collect {
    ($($module:ident,)*) => {
        pub(crate) fn cases() -> Vec<$crate::case::Case> {
            #[allow(unused_mut)]
            let mut all = Vec::new();
            $(all.extend($module::cases());)*
            all
        }
    };
}

/// States, inside a case, that it asserts the observable effect of a row of an inventory under
/// conformance/upstream: `exercises!("protocol", "operation|PING")`. The key is the row's leading
/// columns joined by `|`; the `conformance` tool reads it and `check` fails when no row has it.
#[allow(unused_macros)]
macro_rules! exercises {
    ($inventory:literal, $($key:literal),+ $(,)?) => {
        const _: (&str, &[&str]) = ($inventory, &[$($key),+]);
    };
}

#[allow(unused_imports)]
pub(crate) use {case, cases, collect, exercises};
