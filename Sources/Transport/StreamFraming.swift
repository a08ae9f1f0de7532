/// Where the first message of a byte stream ends: what a channel whose messages carry no length in front (memberlist
/// streams) tells a plugin, so that the plugin can cut the stream without understanding it.
public enum StreamFraming: Hashable, Sendable {
    /// The first message takes this many bytes.
    case complete(Int)
    /// More bytes are needed.
    case needsMore
    /// No message begins like this, or it would be larger than allowed.
    case invalid

    /// Finds the end of the first message in the bytes read so far.
    public typealias Finder = @Sendable (ArraySlice<UInt8>) -> StreamFraming
}
