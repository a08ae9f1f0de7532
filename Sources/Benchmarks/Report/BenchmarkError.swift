/// Why a benchmark ended without a result.
package enum BenchmarkError: Error, Equatable, CustomStringConvertible {
    /// Nobody listens on that port of this machine.
    case connectionFailed(port: UInt16)
    /// A node closed a connection in the middle, or it broke.
    case connectionLost
    /// An answer was not HTTP/1.1 with a length, or not the JSON that was expected.
    case unreadableAnswer
    /// A node took longer than any figure here could.
    case noAnswer
    /// The system has no more for this process.
    case outOfDescriptors
    /// A node did something other than what is measured; `log` is where its output is.
    case node(String, log: String)
    /// What was waited for did not happen in time.
    case late(String)
    /// A call to a library or to the system failed.
    case failed(String)

    package var description: String {
        switch self {
        case .connectionFailed(let port): "nobody accepts connections on port \(port)"
        case .connectionLost: "a node closed a connection"
        case .unreadableAnswer: "a node gave an answer that cannot be read"
        case .noAnswer: "a node gave no answer for 30 s"
        case .outOfDescriptors: "there are too few file descriptors"
        case .node(let what, let log): "\(what); what it said is in \(log)"
        case .late(let what): "\(what): not in time"
        case .failed(let what): what
        }
    }
}
