import Testing

/// A client that was written for the first version of the service works unchanged: each row of the contract is a test.
///
/// The client is independent of the product and sees exact bytes; the nodes are processes. One node serves all tests that
/// do not ask for a state of their own, each with `extern_id`s of its own.
@Suite("REST contract", SharedNode(), .timeLimit(.minutes(2)))
enum RESTContract {}
