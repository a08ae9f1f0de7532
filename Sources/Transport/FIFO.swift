/// A first-in-first-out queue whose operations are constant-time on average.
///
/// Public and inlinable, since other modules get one made for their kind of element only so.
public struct FIFO<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0

    /// Empty.
    @inlinable public init() {}

    /// Whether there is nothing to pop.
    @inlinable public var isEmpty: Bool { head == elements.count }
    /// Elements waiting.
    @inlinable public var count: Int { elements.count - head }
    /// The element that `popFirst` would give.
    @inlinable public var first: Element? { isEmpty ? nil : elements[head] }

    /// The element with `index` others before it, which must be there.
    @inlinable public subscript(index: Int) -> Element {
        guard index >= 0, index < count, let element = elements[head + index] else {
            preconditionFailure("element \(index) of \(count)")
        }
        return element
    }

    /// Adds at the end.
    @inlinable public mutating func append(_ element: Element) { elements.append(element) }

    /// Takes the oldest element.
    @inlinable public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= 1_024)
            head = 0
        } else if head > 256 && head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes out all that match; costs as much as there are elements.
    @inlinable public mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        elements = elements[head...].filter { $0.map { !isUnwanted($0) } ?? false }
        head = 0
    }
}

extension FIFO: Sendable where Element: Sendable {}
