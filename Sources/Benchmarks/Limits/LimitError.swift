internal import Glibc

/// A raw loop failed: with a negative errno, or minus a code of SQLite.
struct LimitError: Error, CustomStringConvertible {
    let what: String
    let code: Int64

    var description: String { "\(what) failed with code \(-code)" }

    /// The system's words for an errno.
    static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

    /// The value of a call that returns a negative code when it fails.
    @discardableResult
    static func check<Value: BinaryInteger>(_ what: String, _ value: Value) throws(LimitError) -> Int {
        guard value >= 0 else { throw LimitError(what: what, code: Int64(value)) }
        return Int(value)
    }

    /// The same where there is only one value that is right.
    static func check<Value: BinaryInteger>(_ what: String, _ value: Value, is expected: Int) throws(LimitError) {
        let found = try check(what, value)
        precondition(found == expected, "\(what): \(found) rows where \(expected) were to be")
    }
}
