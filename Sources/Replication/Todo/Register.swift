/// A last-writer-wins register: a value and the stamp of its write.
package struct Register<Value: ReplicatedValue>: Hashable, Sendable {
    package let value: Value
    package let stamp: Stamp

    package init(_ value: Value, _ stamp: Stamp) {
        self.value = value
        self.stamp = stamp
    }

    /// The stamp first: it tells most registers apart.
    package static func == (left: Self, right: Self) -> Bool {
        left.stamp == right.stamp && left.value == right.value
    }

    /// The later of the two; of two writes with one stamp the one with the greater bytes, so that every node chooses
    /// alike. Commutative, associative and idempotent.
    package func merged(with other: Self) -> Self {
        if stamp != other.stamp { return stamp > other.stamp ? self : other }
        return value.precedes(other.value) ? other : self
    }
}

/// A value with a total order of its bytes, the same on every node.
package protocol ReplicatedValue: Hashable, Sendable {
    func precedes(_ other: Self) -> Bool
}

extension ByteString: ReplicatedValue {
    package func precedes(_ other: Self) -> Bool { self < other }
}

extension Bool: ReplicatedValue {
    package func precedes(_ other: Self) -> Bool { !self && other }
}
