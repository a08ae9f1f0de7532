/// What keeps this node from what a peer has.
package enum Obstacle: String, Hashable, Sendable, CaseIterable {
    /// Changes of the peer are missing, and nothing brings them.
    case missingChanges = "missing_changes"
    /// The peer cannot be reached, or does not answer.
    case noAnswer = "no_answer"
    /// The peer refuses to be compared with.
    case refused
    /// What comes from the peer cannot be read.
    case unreadable
    /// This node and the peer speak no version in common.
    case version
    /// This node's store fails.
    case store
    /// Rows of the peer are passed over, since another program has spoilt them here.
    case passedOver = "passed_over"

    init(_ error: WalkError) {
        switch error {
        case .exchange: self = .noAnswer
        case .refused(.otherVersion): self = .version
        case .refused(.busy), .refused(.sameNode): self = .refused
        case .malformed, .unknownRecord: self = .unreadable
        case .store: self = .store
        }
    }

    /// For people.
    package var description: String {
        switch self {
        case .missingChanges: "changes are missing, and nothing brings them"
        case .noAnswer: "the peer cannot be reached, or does not answer"
        case .refused: "the peer refuses"
        case .unreadable: "what the peer sends cannot be read"
        case .version: "the peer speaks no version that is spoken here"
        case .store: "this node's store fails"
        case .passedOver: "another program has spoilt rows in this node's database"
        }
    }
}
