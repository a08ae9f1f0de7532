internal import Foundation

/// A new directory that nobody else uses, and that is removed with everything in it.
struct TemporaryDirectory: Sendable {
    let path: String

    init(in directory: String) throws {
        var template = Array("\(directory)/auto-cluster-sync-bench-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else { throw BenchmarkError.system("no directory can be made in \(directory)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Once; what cannot be removed stays.
    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
