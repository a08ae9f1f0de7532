/// A queue that gives elements back in the order they came, in constant time on average.
struct Fifo<Element> {
    private var elements: [Element?] = []
    private var firstIndex = 0

    var count: Int { elements.count - firstIndex }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[firstIndex] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard firstIndex < elements.count else { return nil }
        let element = elements[firstIndex]
        elements[firstIndex] = nil
        firstIndex += 1
        if firstIndex == elements.count {
            elements.removeAll(keepingCapacity: elements.count <= 1_024)
            firstIndex = 0
        } else if firstIndex >= 1_024, firstIndex * 2 > elements.count {
            elements.removeFirst(firstIndex)
            firstIndex = 0
        }
        return element
    }
}
