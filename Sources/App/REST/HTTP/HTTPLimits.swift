internal import NIOCore

/// What a client may take of the server: `node.http.limits`.
struct HTTPLimits: Sendable, Equatable {
    /// A connection without a request, and one whose request does not go on, is closed after this.
    var idleTimeout: TimeAmount = .seconds(30)
    /// A connection whose client takes nothing of an answer is closed after this; with HTTP/2 also a single stream.
    var stallTimeout: TimeAmount = .seconds(60)
    /// A request's body must be complete after this.
    var bodyTimeout: Duration = .seconds(30)
    /// A TLS handshake must be complete after this.
    var handshakeTimeout: TimeAmount = .seconds(10)
    /// How long a connection stays open for a client to read why the rest of its request is not read. Not a setting.
    var lingerTimeout: TimeAmount = .seconds(2)
    var maximumHeaderFieldBytes = 16 << 10
    var maximumHeaderBytes = 64 << 10
    var maximumHeaderCount = 100
    var maximumBodyBytes = 1 << 20
    /// What all clients together may leave unsent of lists, before further lists are refused. Not a setting: it is what
    /// three hundred lists of the longest texts take.
    var maximumUnsentBytes = 256 << 20
    /// Further connections wait until one of these ends.
    var maximumConnections = 4096
    /// Requests at once on one HTTP/2 connection.
    var maximumStreams = 100
}
