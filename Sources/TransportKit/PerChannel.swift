public import Transport

/// One value for each channel.
public struct PerChannel<Value> {
    /// That of members and probes.
    public var membership: Value
    /// That of changes.
    public var replication: Value

    /// Two values that differ.
    @inlinable public init(membership: Value, replication: Value) {
        self.membership = membership
        self.replication = replication
    }

    /// The same value twice.
    @inlinable public init(repeating value: Value) { self.init(membership: value, replication: value) }

    /// What `make` gives for each channel.
    @inlinable public init(_ make: (Channel) -> Value) {
        self.init(membership: make(.membership), replication: make(.replication))
    }

    /// The value of `channel`.
    @inlinable public subscript(channel: Channel) -> Value {
        get {
            switch channel {
            case .membership: membership
            case .replication: replication
            }
        }
        _modify {
            switch channel {
            case .membership: yield &membership
            case .replication: yield &replication
            }
        }
    }

    /// Both, membership first.
    @inlinable public var all: [Value] { [membership, replication] }

    /// What `transform` makes of each.
    @inlinable public func map<Other>(_ transform: (Value) -> Other) -> PerChannel<Other> {
        PerChannel<Other>(membership: transform(membership), replication: transform(replication))
    }
}

extension PerChannel: Sendable where Value: Sendable {}
extension PerChannel: Equatable where Value: Equatable {}
extension PerChannel: Hashable where Value: Hashable {}
