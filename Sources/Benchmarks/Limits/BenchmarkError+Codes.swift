internal import CRawLimits
internal import Glibc

/// What the raw loops return: a negative errno, or minus a code of SQLite, when they fail.
extension BenchmarkError {
    /// The value of a call, which is not negative.
    @discardableResult
    static func check<Value: BinaryInteger>(_ what: String, _ value: Value) throws(BenchmarkError) -> Int {
        guard value >= 0 else {
            // SQLite names any number; an errno of a loop without SQLite is told as such.
            let code = Int32(truncatingIfNeeded: -Int(value))
            throw .failed("\(what) failed with code \(code) (SQLite: \(String(cString: rl_sqlite_text(code))))")
        }
        return Int(value)
    }

    /// The same where only one value is right.
    static func check<Value: BinaryInteger>(
        _ what: String, _ value: Value, is expected: Int
    ) throws(BenchmarkError) {
        let found = try check(what, value)
        guard found == expected else { throw .failed("\(what): \(found) rows where \(expected) were to be") }
    }

    /// After a call to the system that failed.
    static func system(_ what: String) -> Self {
        let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
        return .failed("\(what): \(reason)")
    }
}
