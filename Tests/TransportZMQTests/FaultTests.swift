import Testing

/// Everything of the plugin that needs connections, one after the other: what is to happen within seconds must not wait
/// for another test's computing.
@Suite("ZeroMQ under faults", .serialized)
enum FaultTests {}
