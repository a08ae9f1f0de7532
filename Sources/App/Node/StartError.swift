internal import Transport

/// Why a node did not start: one sentence for the operator.
enum StartError: Error, CustomStringConvertible {
    case unknownHost(String, key: String)
    case transport(TransportError)
    case unusableIdentity(String)

    var description: String {
        switch self {
        case .unknownHost(let host, let key): "\(key): the host \(host) is unknown"
        case .transport(.addressInUse(let address)):
            "cannot listen for the cluster on \(address): the address is already in use"
        case .transport(.cannotBind(let address, let reason)): "cannot listen for the cluster on \(address): \(reason)"
        case .transport(.failed(let reason)): "the transport failed: \(reason)"
        case .transport(.invalidConfiguration(let reason)): "the transport cannot be set up: \(reason)"
        case .unusableIdentity(let reason): "the node cannot present itself to others: \(reason)"
        }
    }
}
