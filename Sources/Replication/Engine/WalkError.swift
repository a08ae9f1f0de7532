package import Transport

/// Why a walk that this node led did not end well.
package enum WalkError: Error, Hashable, Sendable {
    case exchange(ExchangeError)
    case refused(WalkMessage.Refusal)
    /// The peer broke the protocol.
    case malformed
    /// The peer sent rows of a kind that is not known here.
    case unknownRecord
    /// Our own store failed.
    case store

    init(_ failure: ReplicationMessage.Failure) {
        switch failure {
        case .malformed, .unknownKind: self = .malformed
        case .unknownRecord: self = .unknownRecord
        case .unknownVersion: self = .refused(.otherVersion)
        }
    }

    package init(_ failure: WalkMessage.Failure) {
        switch failure {
        case .malformed: self = .malformed
        case .unknownVersion: self = .refused(.otherVersion)
        case .unknownRecord: self = .unknownRecord
        }
    }
}
