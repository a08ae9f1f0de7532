import Testing

/// One decoder, the valid input that is changed for it, and what has to hold for every input.
struct FuzzTarget: Sendable, CustomTestStringConvertible {
    /// In small letters and hyphens: it stands in environment variables and names a file.
    let name: String
    /// Pieces that mean something to the decoder.
    var tokens: [[UInt8]] = []
    /// Valid input, as the real encoders write it.
    let samples: @Sendable (inout RandomValues) throws -> [[UInt8]]
    /// Decodes; throws `Broken` where something does not hold. That the input is refused is no fault.
    let check: @Sendable ([UInt8]) throws -> Void

    static let all: [FuzzTarget] =
        transport + membership + udp + zmq + replication + walks + rest + configuration + store

    var testDescription: String { name }
}

/// What does not hold for an input.
struct Broken: Error, CustomStringConvertible {
    let description: String
}

/// Not `#expect`: that costs more than most decoders.
func require(_ condition: Bool, _ claim: @autoclosure () -> String) throws(Broken) {
    guard condition else { throw Broken(description: claim()) }
}
