internal import ArgumentParser
internal import Foundation

/// Where benchmarks put their databases.
enum BenchDirectory {
    /// `path`, or the system's directory for temporary files. Throws when nothing can be made in it.
    static func checked(_ path: String?) throws -> String {
        let directory = path ?? FileManager.default.temporaryDirectory.path
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue,
            FileManager.default.isWritableFile(atPath: directory)
        else { throw ValidationError("--directory: \(directory) is not a directory that can be written to") }
        return URL(fileURLWithPath: directory).path
    }
}
