crate::cases! {
    "server/errors_test.go",
    not_applicable "TestErrCtx" => "tests a Go wrapper that hides a log-only context behind an error's identity; here that context is fields of the error's own variant, and the log line it ends in (of a control line that is too long) is what a wire case sees",
    not_applicable "TestErrCtxWrapped" => "tests nesting of a Go wrapper that hides a log-only context behind an error's identity; here context is fields of the error's own variant, there is no wrapper to nest",
}
