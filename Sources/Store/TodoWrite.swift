internal import Replication

/// A write of one todo as clients ask for it: checked against the limits, and what it does in the transaction.
struct TodoWrite<Value: Sendable>: Sendable {
    /// Of its key and text.
    let bytes: Int
    let body: @Sendable (WriterCore) throws(StoreError) -> Value

    private init(bytes: Int, _ body: @escaping @Sendable (WriterCore) throws(StoreError) -> Value) {
        self.bytes = bytes
        self.body = body
    }

    fileprivate static func check(_ bytes: Int, _ limit: Int) throws(StoreError) {
        guard bytes <= limit else { throw .tooLarge(bytes: bytes, limit: limit) }
    }
}

extension TodoWrite<CreateOutcome> {
    static func create(externID: String, text: String) throws(StoreError) -> Self {
        try check(externID.utf8.count, Row.maxKeyBytes)
        try check(text.utf8.count, Row.maxTextBytes)
        let (key, text) = (ByteString(externID), ByteString(text))
        return Self(bytes: key.utf8.count + text.utf8.count) { (core) throws(StoreError) in
            try core.rows.create(key, text)
        }
    }
}

extension TodoWrite<Todo?> {
    static func update(
        _ address: TodoAddress, text: String?, isCompleted: Bool?, if condition: TodoCondition?
    ) throws(StoreError) -> Self {
        if let text { try check(text.utf8.count, Row.maxTextBytes) }
        let text = text.map { ByteString($0) }
        return Self(bytes: text?.utf8.count ?? 0) { (core) throws(StoreError) in
            try core.rows.update(address, text: text, isCompleted: isCompleted, condition)
        }
    }
}

extension TodoWrite<Bool> {
    static func delete(_ address: TodoAddress, if condition: TodoCondition?) -> Self {
        Self(bytes: 0) { (core) throws(StoreError) in try core.rows.delete(address, condition) }
    }
}
