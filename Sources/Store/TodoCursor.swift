/// Where a page of the list ended: the next begins behind it.
package struct TodoCursor: Hashable, Sendable {
    package let createdAtMilliseconds: Int64
    package let id: Int64

    package init(createdAtMilliseconds: Int64, id: Int64) {
        self.createdAtMilliseconds = createdAtMilliseconds
        self.id = id
    }
}
