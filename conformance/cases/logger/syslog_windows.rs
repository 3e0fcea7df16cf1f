//! The Windows event log.

crate::cases! {
    "logger/syslog_windows_test.go",
    not_applicable "TestSysLogger" => "writes to the Windows event log; this server runs on Unix",
    not_applicable "TestSysLoggerWithDebugAndTrace" => "writes to the Windows event log; this server runs on Unix",
    not_applicable "TestRemoteSysLoggerWithDebugAndTrace" => "writes to the Windows event log; this server runs on Unix",
    not_applicable "TestSysLoggerFatalf" => "writes to the Windows event log; this server runs on Unix",
}
