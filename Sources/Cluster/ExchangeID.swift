package import Transport

/// Names one exchange between a core and the driver that carries it out.
///
/// The core numbers the exchanges that it dials, the driver those that it accepts.
package struct ExchangeID: Hashable, Comparable, Sendable {
    package let channel: Channel
    /// Whether this node opened the exchange.
    package let isDialled: Bool
    package let number: UInt64

    private init(channel: Channel, isDialled: Bool, number: UInt64) {
        self.channel = channel
        self.isDialled = isDialled
        self.number = number
    }

    /// The id of an exchange that a peer opened. `number` must not repeat within one run of a node.
    package static func accepted(_ number: UInt64, on channel: Channel) -> Self {
        Self(channel: channel, isDialled: false, number: number)
    }

    static func dialled(_ number: UInt64, on channel: Channel) -> Self {
        Self(channel: channel, isDialled: true, number: number)
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.channel.rawValue, left.isDialled ? 0 : 1, left.number)
            < (right.channel.rawValue, right.isDialled ? 0 : 1, right.number)
    }
}
