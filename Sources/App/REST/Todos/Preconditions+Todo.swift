internal import Store

extension Preconditions {
    /// For a write. `nil` when nothing is demanded.
    var condition: TodoCondition? {
        guard ifMatch != nil || ifNoneMatch != nil else { return nil }
        return TodoCondition(
            demanded: ifMatch?.versions(withWeak: false) ?? .all,
            excluded: ifNoneMatch?.versions(withWeak: true) ?? .some([]))
    }
}

extension EntityTagList {
    /// The versions of todos that these tags name. Other tags are no todo's.
    ///
    /// - Parameter withWeak: whether a weak tag counts too.
    fileprivate func versions(withWeak: Bool) -> TodoCondition.Versions {
        switch self {
        case .any: .all
        case .tags(let tags):
            .some(tags.compactMap { withWeak || !$0.isWeak ? $0.digest.map { TodoVersion(digest: $0) } : nil })
        }
    }
}

extension EntityTag {
    /// The strong tag of a todo.
    init(_ version: TodoVersion) { self.init(digest: version.digest) }
}
