//! Tests of how upstream's client is made inside, which nobody sees from outside.

crate::cases! {
    "server/client_test.go",
    not_applicable "TestAsyncClientWithRunningServer" => "counts a client's writer goroutines in a stack dump; a connection here has no writer task of its own, its producers write",
    not_applicable "TestClientOutboundQueueCoalesce" => "compares the fill of the pooled Go buffers that a client queues its output in; that what was queued arrives whole is asserted by the cases on slow readers",
    not_applicable "TestFlushOutboundS2CompressionPoolBufferRecycling" => "counts the allocations of a Go buffer pool per flush",
    not_applicable "TestClientApplyAccountLimitsSigningKeysRace" => "two goroutines on one account, for Go's race detector to judge; the compiler excludes such a race here",
    not_applicable "TestClientApplyAccountLimitsMpayAtomicRace" => "two goroutines on one limit, for Go's race detector to judge; the compiler excludes such a race here",
    not_applicable "TestClientGenerateClientInfoJSONMpayAtomicRace" => "two goroutines on one limit, for Go's race detector to judge; the compiler excludes such a race here",
    not_applicable "TestReadloopWarning" => "holds a client's mutex from the test until its reader warns of the wait; no reader here waits for the lock of another connection",
}
