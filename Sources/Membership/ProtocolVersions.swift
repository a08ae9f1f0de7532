/// The six version bytes of a member: memberlist protocol understood from, to and spoken, then the delegate's (Serf's).
///
/// Each member of a memberlist cluster checks every other's. One member with bytes that do not overlap with the rest
/// keeps everybody from joining, and some agents crash on a length between 1 and 5: what is not sound here is never
/// stored, so it is never passed on.
package struct ProtocolVersions: Hashable, Sendable {
    package let protocolMin, protocolMax, protocolCurrent: UInt8
    package let delegateMin, delegateMax, delegateCurrent: UInt8

    /// What this program sends, always: `01 05 02 02 05 05`.
    package static let current = Self([1, 5, 2, 2, 5, 5])

    /// `nil` unless there are six bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.init(bytes)
    }

    private init(_ bytes: [UInt8]) {
        (protocolMin, protocolMax, protocolCurrent) = (bytes[0], bytes[1], bytes[2])
        (delegateMin, delegateMax, delegateCurrent) = (bytes[3], bytes[4], bytes[5])
    }

    /// The six bytes in wire order.
    package var bytes: [UInt8] {
        [protocolMin, protocolMax, protocolCurrent, delegateMin, delegateMax, delegateCurrent]
    }

    /// Whether this node and a member with these versions understand what the other speaks.
    package var isCompatibleWithCurrent: Bool {
        let ours = Self.current
        return protocolMin > 0 && protocolMin <= protocolMax && delegateMin <= delegateMax
            && Self.covers(self, ours) && Self.covers(ours, self)
    }

    private static func covers(_ understood: Self, _ spoken: Self) -> Bool {
        (understood.protocolMin...max(understood.protocolMin, understood.protocolMax)).contains(spoken.protocolCurrent)
            && (understood.delegateMin...max(understood.delegateMin, understood.delegateMax))
                .contains(spoken.delegateCurrent)
    }
}
