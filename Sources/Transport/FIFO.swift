/// A first-in-first-out queue whose operations are constant-time on average.
package struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    /// Empty.
    package init() {}

    /// Whether there is nothing to pop.
    package var isEmpty: Bool { head == elements.count }
    /// Elements waiting.
    package var count: Int { elements.count - head }
    /// The element that `popFirst` would give.
    package var first: Element? { isEmpty ? nil : elements[head] }

    /// Adds at the end.
    package mutating func append(_ element: Element) { elements.append(element) }

    /// Takes the oldest element.
    package mutating func popFirst() -> Element? {
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
    package mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        elements = elements[head...].filter { $0.map { !isUnwanted($0) } ?? false }
        head = 0
    }
}

extension FIFO: Sendable where Element: Sendable {}
