/// What a write demands of the todo as it is, asked in the write's own transaction.
package struct TodoCondition: Hashable, Sendable {
    /// Versions of a todo.
    package enum Versions: Hashable, Sendable {
        case all
        case some([TodoVersion])

        func contains(_ version: TodoVersion) -> Bool {
            switch self {
            case .all: true
            case .some(let versions): versions.contains(version)
            }
        }
    }

    /// The todo must have one of these versions (`If-Match`, RFC 9110 §13.1.1).
    package var demanded: Versions
    /// The todo must have none of these versions (`If-None-Match`, §13.1.2).
    package var excluded: Versions

    package init(demanded: Versions = .all, excluded: Versions = .some([])) {
        self.demanded = demanded
        self.excluded = excluded
    }

    /// Whether the write may go on.
    package func isMet(by todo: Todo) -> Bool {
        // Nothing to compare with: no need to make a version on the writer's thread.
        if demanded == .all, excluded == .some([]) { return true }
        let version = todo.version
        return demanded.contains(version) && !excluded.contains(version)
    }
}
