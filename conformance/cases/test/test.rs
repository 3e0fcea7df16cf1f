crate::cases! {
    "test/test_test.go",
    not_applicable "TestStackFatal" => "tests how the Go test helpers themselves report a failure; no server takes part",
}
